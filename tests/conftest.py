"""What the tests share: an exact field, a fixed network, the digits and their features."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import settings
from torch import Tensor, nn

from samplerbench.methods import Field, Path

settings.register_profile("shared-machine", deadline=None, derandomize=True)
settings.load_profile("shared-machine")


@dataclass(frozen=True)
class Gaussian:
    """Data x0 ~ N(mean, std^2) with its own mean and std for every pixel; everything about it is known exactly."""

    mean: Tensor
    std: Tensor

    def field(self, path: Path, target: str = "eps") -> Field:
        """The optimal network: the posterior mean of x0, read as `target`."""

        def net(x: Tensor, t: Tensor, *_) -> Tensor:
            now = path.at(t)
            variance = (now.alpha * self.std) ** 2 + now.sigma**2
            x0 = self.mean + now.alpha * self.std**2 / variance * (x - now.alpha * self.mean)
            eps = now.sigma / variance * (x - now.alpha * self.mean)
            return {
                "x0": x0,
                "eps": eps,
                "v": now.alpha * eps - now.sigma * x0,
                "velocity": now.d_alpha * x0 + now.d_sigma * eps,
                "score": -eps / now.sigma,
            }[target]

        return Field(net, path, target)

    def flow(self, path: Path, x: Tensor, start: float, end: float) -> Tensor:
        """Where the probability-flow ODE takes x from time `start` to time `end`."""
        now, then = path.along(torch.tensor([start, end], dtype=torch.float64))
        scale = (((then.alpha * self.std) ** 2 + then.sigma**2) / ((now.alpha * self.std) ** 2 + now.sigma**2)).sqrt()
        return then.alpha * self.mean + scale * (x - now.alpha * self.mean)


@pytest.fixture(scope="session")
def gaussian() -> Gaussian:
    generator = torch.Generator().manual_seed(0)
    shape = (1, 1, 4, 4)
    mean = torch.rand(shape, generator=generator, dtype=torch.float64) - 0.5
    std = 0.2 + torch.rand(shape, generator=generator, dtype=torch.float64)
    return Gaussian(mean, std)


@dataclass(frozen=True)
class Mixture:
    """Data from two Gaussians, evenly mixed, apart for every pixel: exact too, and its flow is no linear map.

    mean, std: (2, 1, C, H, W).
    """

    mean: Tensor
    std: Tensor

    def field(self, path: Path) -> Field:
        """The optimal network: the posterior mean of eps."""

        def net(x: Tensor, t: Tensor, label=None) -> Tensor:
            now = path.at(t)
            total = ((now.alpha * self.std) ** 2 + now.sigma**2).sqrt()
            z = (x - now.alpha * self.mean) / total
            return (torch.softmax(-z.square() / 2 - total.log(), dim=0) * (now.sigma * z / total)).sum(0)

        return Field(net, path, "eps")

    def flow(self, path: Path, x: Tensor, start: float, end: float) -> Tensor:
        """Where the probability-flow ODE takes x: pixel by pixel it keeps the quantile, which is found by bisection."""
        now, then = path.along(torch.tensor([start, end], dtype=torch.float64))
        quantile, reached = self._below(now, x), torch.full_like(x, -10)
        for width in [10 / 2**i for i in range(60)]:
            reached = torch.where(self._below(then, reached + width) < quantile, reached + width, reached)
        return reached

    def _below(self, now, x: Tensor) -> Tensor:
        total = ((now.alpha * self.std) ** 2 + now.sigma**2).sqrt()
        return torch.special.ndtr((x - now.alpha * self.mean) / total).mean(0)


@pytest.fixture(scope="session")
def mixture() -> Mixture:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.rand(2, 2, 1, 1, 4, 4, generator=generator, dtype=torch.float64)
    sign = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1, 1)
    return Mixture(sign * (0.3 + 0.5 * drawn[0]), 0.3 + 0.3 * drawn[1])


class SmallNet(nn.Module):
    """A fixed, smooth, cheap network net(x, t, label)."""

    def __init__(self, channels: int = 1):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.inner = nn.Conv2d(channels + 1, 16, 3, padding=1)
            self.outer = nn.Conv2d(16, channels, 3, padding=1)
        self.requires_grad_(False)

    def forward(self, x: Tensor, t: Tensor, *_: Tensor | None) -> Tensor:
        time = t.to(x.dtype).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
        return 0.5 * x + self.outer(torch.tanh(self.inner(torch.cat((x, time), dim=1))))


@pytest.fixture(scope="session")
def small_net() -> SmallNet:
    return SmallNet()


@pytest.fixture(scope="session")
def digits():
    from samplerbench.data.datasets import DATASETS

    return DATASETS.get("digits").load()


@pytest.fixture(scope="session")
def real(digits):
    from samplerbench.metrics.features import Extractor, RealFeatures

    return RealFeatures(digits, Extractor("digits-cnn", torch.device("cpu")))
