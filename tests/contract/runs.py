"""Runs of a method on a small or an exact network, as the checks need them."""

import pickle
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
import torch
from torch import Tensor

from samplerbench.methods import DENOISER, Field, Method, Path, Recipe, Sampler, Target, get_recipe
from samplerbench.methods.core.recipe import Noise
from samplerbench.testing.exact import Exact
from samplerbench.testing.small_net import SmallNet, field_of, outputs_of, with_outputs

STEPS = (1, 2, 5)
ADAPTIVE_STATES = 1000  # more than any adaptive method yields


@dataclass(frozen=True)
class Euler(Method):
    """Euler's method in the noise level, on which guidances and metrics are checked; not registered."""

    name = "euler-of-the-contract"
    recipe = ""
    order = 1

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            x = field(x, now).mix(then.alpha, then.sigma)
            yield x


def is_plain(recipe: Recipe) -> bool:
    """Whether it trains an ordinary denoiser on a fixed path, and nothing else."""
    return recipe.provides == DENOISER and not recipe.modules() and outputs_of(recipe) == 1


def recipe_of(method: Method, steps: int | None = None) -> Recipe:
    """The recipe that it runs on by default."""
    return get_recipe(method.checkpoint(steps or method.nearest_steps(5)))


def step_counts(method: Method) -> tuple[int | None, ...]:
    """Numbers of steps to try, rising."""
    return (None,) if method.adaptive else tuple(sorted(method.step_counts or STEPS))


def fixed_counts(method: Method) -> tuple[int, ...]:
    """Numbers of steps to try, rising; none for an adaptive method."""
    return tuple(steps for steps in step_counts(method) if steps is not None)


def evaluations(method: Method, steps: int) -> int:
    """The network evaluations of a method that is not adaptive, in this many steps."""
    nfe = Sampler(method, steps).nfe
    assert nfe is not None, f"{method} has no number of evaluations in {steps} steps"
    return nfe


def small_field(method: Method, steps: int | None, channels: int = 1, dtype: torch.dtype = torch.float64) -> Field:
    """A small network as the method's recipe would have trained it."""
    recipe = recipe_of(method, steps)
    return field_of(recipe, SmallNet(channels, outputs_of(recipe)).to(dtype).requires_grad_(False))


def exact_field(method: Method, data: Exact, path: Path, target: Target) -> Field:
    """The optimal network on any path, with further outputs and modules if the method's recipe has them."""
    recipe = recipe_of(method)
    net = with_outputs(data.field(path, target).net, outputs_of(recipe))
    return Field(net, path, target, interval="intervals" in recipe.provides, modules=recipe.modules())


def trajectory(method: Method, field: Field, x: Tensor, steps: int | None, noise: Noise) -> Iterator[Tensor]:
    """The states of a run from a copy of x, one more at most than there are steps."""
    times = Sampler(method, steps, learned_path=field.path).times
    made = method.steps(field, x * field.path.prior_std, times, noise)
    # A method that returns its image fails the check that says so; the others take it for a run of one state.
    return islice([made] if isinstance(made, Tensor) else made, ADAPTIVE_STATES if steps is None else steps + 1)


def final(method: Method, field: Field, x: Tensor, steps: int | None, noise: Noise) -> Tensor:
    """The last state of `trajectory`: images (B, C, H, W)."""
    return list(trajectory(method, field, x, steps, noise))[-1]


def random_state() -> tuple:
    """The states of the global generators."""
    legacy = pickle.dumps(np.random.get_state())  # noqa: NPY002 - the generator that must not be used
    return torch.get_rng_state().numpy().tobytes(), legacy, random.getstate()
