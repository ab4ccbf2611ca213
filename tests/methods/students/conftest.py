"""The flow of a Gaussian, whose maps between any two times, and so all perfect students, are known."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from samplerbench.methods import Field, Linear, Noise
from samplerbench.testing.exact import normal
from samplerbench.testing.small_net import seeded_noise

PATH = Linear()


@dataclass(frozen=True)
class FlowMap:
    """The flow of Gaussian data on the straight path. Times are tensors (B,)."""

    data: object  # the `gaussian` fixture

    @property
    def teacher(self) -> Field:
        """The optimal network."""
        return self.data.field(PATH, "velocity")

    def end(self, eps: Tensor) -> Tensor:
        """The image of the noise eps."""
        return self.data.flow(PATH, eps, 1.0, 0.0)

    def map(self, x: Tensor, t: Tensor, s: Tensor) -> Tensor:
        """The state at time s of the trajectory through x at time t."""
        now, then = PATH.at(t), PATH.at(s)
        std = [((m.alpha * self.data.std) ** 2 + m.sigma**2).sqrt() for m in (now, then)]
        return then.alpha * self.data.mean + std[1] / std[0] * (x - now.alpha * self.data.mean)

    def mean_velocity(self, x: Tensor, t: Tensor, s: Tensor) -> Tensor:
        """The mean velocity from t to s; the velocity where they are equal."""
        gap = (t - s).view(-1, 1, 1, 1)
        mean = (x - self.map(x, t, s)) / gap.clamp(min=1e-12)
        return torch.where(gap > 0, mean, self.teacher(x, PATH.at(t)).p)

    def perfect(self, name: str, steps: int = 1) -> Field:
        """The network that a student of this name, which samples in `steps` steps, would ideally be."""

        def to_the_end(x, t, *_):
            return self.mean_velocity(x, t, torch.zeros_like(t))

        def one_step(x, t, *_):
            return self.mean_velocity(x, t, (t - 1 / steps).clamp(min=0))

        def straight(x, t, *_):
            """The velocity eps - x0 of straight lines between noise and its image."""
            now, mean, std = PATH.at(t), self.data.mean, self.data.std
            eps = (x - now.alpha * mean) / (now.alpha * std + now.sigma)
            return eps - (mean + std * eps)

        def interval(x, t, label, s):
            return self.mean_velocity(x, t, s)

        nets = {"progressive": one_step, "reflow": straight, "meanflow": interval, "shortcut": interval}
        net = nets.get(name, to_the_end)
        return Field(net, PATH, "velocity", interval=net is interval)


@pytest.fixture
def flow_map(gaussian) -> FlowMap:
    return FlowMap(gaussian)


@pytest.fixture
def paired():
    """paired(eps, seed): a Noise that returns eps for tensors of its shape, as recipes with pairs get it."""

    def paired(eps: Tensor, seed: int) -> Noise:
        fresh = seeded_noise(seed)
        return lambda x: eps if x.shape == eps.shape else fresh(x)

    return paired


@pytest.fixture
def pairs(flow_map):
    """pairs(count): images (B, 1, 4, 4) and the noise from which the flow makes them."""

    def pairs(count: int) -> tuple[Tensor, Tensor]:
        eps = normal(count, 1, 4, 4)
        return flow_map.end(eps), eps

    return pairs
