"""Host time of a sampling step without its network: ours, the bare arithmetic, and that of diffusers' schedulers.

pytest tests/benchmarks/bench_steps.py
"""

import diffusers
import pytest
import torch

from samplerbench.methods import METHODS, DiscreteVP, Field, Linear, get, get_recipe, trajectory
from samplerbench.testing.small_net import outputs_of, with_outputs

STEPS = 50
SHAPES = {"tiny": (1, 1, 8, 8), "64 images": (64, 3, 32, 32)}


@pytest.fixture(params=SHAPES, ids=str)
def x(request):
    torch.manual_seed(0)
    return torch.randn(SHAPES[request.param])


def identity(x, *_):
    return x


def field_of(method: str) -> Field:
    """A network that takes no time, on the path of diffusers' schedulers or, for flows, the straight one."""
    recipe = get_recipe(get(method).recipe)
    path, target = (Linear(), "velocity") if isinstance(recipe.path, Linear) else (DiscreteVP(), "eps")
    outputs = outputs_of(recipe)
    net = identity if outputs == 1 else with_outputs(identity, outputs)
    return Field(net, path, target, interval="intervals" in recipe.provides, modules=recipe.modules())


def run(method, field, x):
    with torch.inference_mode():
        steps = max(get(method).step_counts or [STEPS])
        for _ in trajectory(get(method), field, x, steps, torch.randn_like, "trailing"):
            pass


@pytest.mark.parametrize("method", METHODS.names())
def test_ours(benchmark, x, method):
    benchmark.group = f"{STEPS} steps, {tuple(x.shape)}"
    benchmark(run, method, field_of(method), x)


@pytest.mark.parametrize("name", ["DDIMScheduler", "DDPMScheduler"])
def test_diffusers(benchmark, x, name):
    benchmark.group = f"{STEPS} steps, {tuple(x.shape)}"
    scheduler = getattr(diffusers, name)(clip_sample=False, timestep_spacing="trailing")
    scheduler.set_timesteps(STEPS)

    def loop():
        state = x
        with torch.inference_mode():
            for timestep in scheduler.timesteps:
                state = scheduler.step(state, timestep, state, return_dict=False)[0]

    benchmark(loop)


def test_bare_dpmpp_3m_arithmetic(benchmark, x):
    benchmark.group = f"{STEPS} steps, {tuple(x.shape)}"

    def loop():
        state = x0 = older = oldest = x
        with torch.inference_mode():
            for _ in range(STEPS):
                x0, older, oldest = 1.1 * state - 0.3 * state, x0, older
                state = 0.9 * state + 0.4 * x0 - 0.1 * older + 0.01 * oldest

    benchmark(loop)


def test_bare_ddim_arithmetic(benchmark, x):
    benchmark.group = f"{STEPS} steps, {tuple(x.shape)}"

    def loop():
        state = x
        with torch.inference_mode():
            for _ in range(STEPS):
                state = 0.9 * (1.1 * state - 0.3 * state) + 0.4 * state

    benchmark(loop)
