"""What every time grid keeps. Each check takes a grid and raises AssertionError with the reason."""

from collections.abc import Callable, Iterator

import torch

from samplerbench.methods import GRIDS, VE, VP, Cosine, DiscreteVP, Grid, Linear, SpecError, SubVP, Trigonometric
from samplerbench.testing.runs import random_state
from samplerbench.testing.variants import Variant, docstring

PATHS = (DiscreteVP(), VP(), SubVP(), Cosine(), Linear(), Trigonometric(), VE())
STEPS = (1, 2, 5, 20, 100)


def checks(variant: Variant) -> Iterator[Callable[[Grid], None]]:
    """The checks that apply to a variant of a grid."""
    yield from (prints_and_parses, describes_itself, falls_from_noise_to_data, makes_the_same_times_again)
    if not variant.extreme:
        yield makes_any_number_of_steps


def prints_and_parses(grid: Grid) -> None:
    """`GRIDS.get(str(grid))` is the grid."""
    assert GRIDS.get(str(grid)) == grid, f"{grid!r} prints as {str(grid)!r}, which is another grid"


def describes_itself(grid: Grid) -> None:
    """It has a docstring."""
    assert docstring(grid), f"{grid} needs a docstring that states its times"


def falls_from_noise_to_data(grid: Grid) -> None:
    """n steps are n + 1 times in float64, strictly falling from at most 1 to 0, on every path."""
    for path in PATHS:
        for steps in STEPS:
            try:
                times = grid(steps, path)
            except SpecError:  # it refuses to make so many
                continue
            where = f"{grid} in {steps} steps on {path}"
            assert times.shape == (steps + 1,), f"{where} makes times of shape {tuple(times.shape)}, not {(steps + 1,)}"
            assert times.dtype == torch.float64, f"{where} makes times in {times.dtype}, not float64"
            assert times.isfinite().all(), f"{where} makes NaN or infinity"
            assert 0 < times[0] <= 1, f"{where} starts at t = {times[0]:g}: start at 1, or below"
            if getattr(grid, "end", None) is None:
                assert times[-1] == 0, f"{where} ends at t = {times[-1]:g}: end at data, t = 0, or have an option `end`"
            assert times[-1] >= 0, f"{where} ends at t = {times[-1]:g}: end at data, t = 0, or above"
            assert (times.diff() < 0).all(), f"{where} does not fall strictly"


def makes_any_number_of_steps(grid: Grid) -> None:
    """Up to 20 steps exist on every path."""
    for path in PATHS:
        for steps in (steps for steps in STEPS if steps <= 20):
            try:
                grid(steps, path)
            except SpecError as error:
                raise AssertionError(f"{grid} makes no {steps} steps on {path}: {error}") from error


def makes_the_same_times_again(grid: Grid) -> None:
    """Times depend on the number of steps and the path alone, and each call returns a tensor of its own."""
    before = random_state()
    for path in PATHS:
        try:
            first, second = (grid(5, path) for _ in range(2))
            kept = first.clone()
            second.zero_()
            assert torch.equal(grid(5, path), kept), f"{grid} makes other times at another call on {path}"
            assert torch.equal(first, kept), f"{grid} returns the same tensor twice: make a new one"
        except SpecError:  # it refuses to make so many
            continue
    assert random_state() == before, f"{grid} draws random numbers: a cell could not be measured again"
