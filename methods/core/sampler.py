"""A Sampler combines a method, a step count, a time grid and a guidance: a sampling run, up to the network."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, cast

import torch
from torch import Tensor

from samplerbench.methods.core.contract import FAULTS, UNANNOUNCED, Limit, checked_states
from samplerbench.methods.core.field import Field
from samplerbench.methods.core.guidance.base import Guidance, Guides
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.parametrisation import Parametrisation
from samplerbench.methods.core.path import Path
from samplerbench.methods.core.plugin import SpecError
from samplerbench.methods.core.recipe import Noise
from samplerbench.methods.core.registry import get_recipe
from samplerbench.methods.core.tuned_grid import get_grid, is_grid_file


class DryRun(NamedTuple):
    """What a sampling run of a single pixel used. nfe: network evaluations. draws: calls of its noise."""

    nfe: int
    draws: int


@dataclass(frozen=True)
class Sampler:
    """A method with everything that a sampling run fixes besides the network.

    steps: the number of intervals of the grid; None for an adaptive method.
    grid: a spec such as `karras[rho=5]`, or the path of a grid file; None for the method's default grid.
    trained: the recipe or the record of the network it samples; None for the method's default recipe.
    learned_path: the path of the network, if it was learned and so differs from the recipe's.
    """

    method: Method
    steps: int | None = None
    grid: str | None = None
    guidance: Guidance | None = None
    trained: Parametrisation | None = None
    learned_path: Path | None = None

    @cached_property
    def recipe(self) -> Parametrisation:
        """The recipe, or the record, of the network it samples."""
        return self.trained or get_recipe(self.method.checkpoint(self.steps))

    @property
    def path(self) -> Path:
        """The noise path of that network."""
        return self.learned_path or self.recipe.path

    @cached_property
    def times(self) -> Tensor:
        """The times (n + 1,), float64, computed once. Raises SpecError if the method or grid cannot take `steps`."""
        reason = self.method.unsupported(self.steps)
        if reason:
            raise SpecError(f"{self.method.name} cannot take {self.steps} steps: {reason}.")
        return get_grid(self.grid or self.method.grid or "uniform")(self.steps or 1, self.path)

    def trajectory(self, field: Field, x: Tensor, noise: Noise, guides: Guides | None = None) -> Iterator[Tensor]:
        """Yield the states (B, C, H, W) of a sampling run that starts from standard normal noise x.

        guides: the networks that the guidance needs besides the field.
        Raises SpecError for a number of steps that the method or the grid does not support, ContractError if the method
        does not yield what `Method.steps` says.
        """
        # A GuidedField predicts as a Field does; methods use nothing else of it.
        guided = cast(Field, self.guidance.guide(field, guides or Guides())) if self.guidance else field
        x = x * field.path.prior_std
        return checked_states(self.method, self.method.steps(guided, x, self.times, noise), x, self.times, self.steps)

    def sample(self, field: Field, x: Tensor, noise: Noise, guides: Guides | None = None) -> Tensor:
        """The last state of `trajectory`: images (B, C, H, W)."""
        return deque(self.trajectory(field, x, noise, guides), maxlen=1).pop()

    @cached_property
    def nfe(self) -> int | None:
        """Network evaluations per image, counted in the dry run; None for an adaptive method."""
        return None if self.method.adaptive else self.dry_run.nfe

    @cached_property
    def dry_run(self) -> DryRun:
        """A sampling run of a single pixel, on a network that returns its input; made once.

        Evaluations of a guidance's weaker network count; gradients of a classifier do not.
        Raises ContractError if the method is defective, and whatever it raises.
        """
        return self._run_dry("cpu")

    @cached_property
    def reads_states(self) -> bool:
        """Whether the host reads values of states, as an adaptive method does to choose its next step.

        Such a run can't be recorded as a CUDA graph. It fails on the meta device, whose tensors have no values.
        """
        try:
            self._run_dry("meta")
        except FAULTS:
            return True
        return self.method.adaptive

    def _run_dry(self, device: str) -> DryRun:
        calls, draws, limit = 0, 0, Limit(str(self.method), (1, 1, 1), UNANNOUNCED)

        def net(x: Tensor, *_: Tensor | None) -> Tensor:
            nonlocal calls
            calls += 1
            limit.check(x, calls)
            return x.repeat(1, outputs, 1, 1)

        def noise(x: Tensor) -> Tensor:
            nonlocal draws
            draws += 1
            return torch.zeros_like(x)

        outputs = self.recipe.outputs
        label = torch.zeros(1, dtype=torch.int64, device=device)
        field = replace(self.recipe.field(net, self.recipe.modules()), path=self.path, label=label)
        guides = Guides(lambda x, _: x.flatten(1), weak=field)
        with torch.inference_mode(False):  # in which changes in place would go unnoticed
            self.sample(field, torch.zeros(1, 1, 1, 1, dtype=torch.float64, device=device), noise, guides)
        return DryRun(calls, draws)

    def with_steps(self, steps: int | None) -> "Sampler":
        """The same sampler with another number of steps."""
        return replace(self, steps=steps)

    def shortest(self, steps: int = 1) -> "Sampler":
        """The same sampler with few steps, `steps` or the nearest that it supports; unchanged if it is adaptive."""
        if self.method.adaptive:
            return self
        # Not `self.grid`, since a grid file may lack this step count.
        return replace(self, steps=self.method.nearest_steps(steps), grid="uniform" if self.method.takes_grid else None)

    def within(self, budget: int) -> "Sampler | None":
        """The sampler with the most steps whose counted NFE is at most `budget`; None if there is none."""
        # The number of evaluations does not depend on the times, and a grid file has only some step counts.
        counted = replace(self, grid="uniform") if self.grid and is_grid_file(self.grid) else self

        def fits(steps: int) -> bool:
            nfe = counted.with_steps(steps).nfe
            return nfe is not None and nfe <= budget

        if self.method.step_counts:
            fitting = list(filter(fits, self.method.step_counts))
            return self.with_steps(max(fitting)) if fitting else None
        low, high = 0, budget
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if fits(middle) else (low, middle - 1)
        return self.with_steps(low) if low else None


def trajectory(
    method: Method, field: Field, x: Tensor, steps: int | None, noise: Noise, grid: str | None = None
) -> Iterator[Tensor]:
    """Yield the states (B, C, H, W) of `method` on any field: `Sampler.trajectory` without a guidance."""
    return Sampler(method, steps, grid, learned_path=field.path).trajectory(field, x, noise)


def sample(method: Method, field: Field, x: Tensor, steps: int | None, noise: Noise, grid: str | None = None) -> Tensor:
    """The images (B, C, H, W) that `method` makes of standard normal noise x: the last state of `trajectory`."""
    return Sampler(method, steps, grid, learned_path=field.path).sample(field, x, noise)
