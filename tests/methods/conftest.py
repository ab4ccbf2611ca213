"""Fixtures for comparing samplers with diffusers' schedulers, on the DDPM path."""

import pytest
import torch
from torch import Tensor

from samplerbench.methods import DiscreteVP, Field, get

PATH = DiscreteVP()


def noise_from(generator: torch.Generator):
    """Noise in the dtype of the state, as diffusers draws it."""
    return lambda x: torch.randn(x.shape, generator=generator, dtype=x.dtype)


@pytest.fixture
def x() -> Tensor:
    """Standard normal noise (4, 1, 8, 8), float32."""
    return torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def generator() -> torch.Generator:
    """For a scheduler, which then draws the noise that `compare` gives to the method."""
    return torch.Generator().manual_seed(1)


@pytest.fixture(scope="session")
def states():
    """states(scheduler, net, x, first=1, ...): all states of a scheduler whose timestep i is t = (i + first) / 1000.

    exploding: its state is x / alpha.
    """

    def states(scheduler, net, x, first=1, exploding=False, **options):
        found = []
        for timestep in scheduler.timesteps:
            t = ((timestep + first) / 1000).to(x.dtype).expand(len(x))
            seen = scheduler.scale_model_input(x, timestep) if exploding else x
            x = scheduler.step(net(seen, t), timestep, x, return_dict=False, **options)[0]
            found.append(x)
        return found

    return states


@pytest.fixture
def compare(states, small_net, x):
    """compare(spec, scheduler, steps, ...): all states of a method equal those of a scheduler on the same noise.

    last: whether the last state is compared too. exploding: the scheduler's state is x / alpha.
    stages: the scheduler's calls per step, except for the last step's single call. net: instead of `small_net`.
    """

    def compare(spec, scheduler, steps, *, last=True, exploding=False, stages=1, net=small_net, x=x, **options):
        scheduler.set_timesteps(steps)
        times = torch.cat(((scheduler.timesteps[::stages].double() + 1) / 1000, torch.zeros(1)))
        scale = [m.alpha if exploding else 1.0 for m in PATH.along(times)]
        ours = list(get(spec).steps(Field(net, PATH, "eps"), x, times, noise_from(torch.Generator().manual_seed(1))))

        expected = states(scheduler, net, x / scale[0], exploding=exploding, **options)
        expected = [*expected[stages - 1 : -1 : stages], expected[-1]]
        for a, b, alpha in list(zip(ours, expected, scale[1:], strict=True))[: None if last else -1]:
            torch.testing.assert_close(a, b * alpha, rtol=2e-5, atol=5e-5)

    return compare


@pytest.fixture
def compare_in_double(compare, small_net, x):
    """`compare` without the last state, in float64, down to the scheduler's noise levels."""

    def in_double(spec, scheduler, steps, **options):
        set_timesteps = scheduler.set_timesteps

        def set_exact_timesteps(steps):
            set_timesteps(steps)
            abar = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)[scheduler.timesteps]
            scheduler.sigmas = torch.cat((((1 - abar) / abar).sqrt(), scheduler.sigmas[-1:].double()))

        scheduler.set_timesteps = set_exact_timesteps
        net = type(small_net)().double().requires_grad_(False)
        compare(spec, scheduler, steps, last=False, net=net, x=x.double(), **options)

    return in_double
