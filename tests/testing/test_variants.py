"""Variants of a plug-in, and the checks of a plug-in by name."""

from dataclasses import dataclass
from math import inf
from typing import Annotated, Literal

import pytest
import torch

from samplerbench.methods import Between, Grid, SpecError
from samplerbench.testing import checks, contract
from samplerbench.testing.variants import variants


class Even(Grid):
    """Equal intervals."""

    def times(self, steps, path):
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64)


@dataclass(frozen=True)
class Optioned(Even):
    """A grid with an option of every type."""

    name = "grid"
    shape: Literal["even", "cosine"] = "even"
    flipped: bool = False
    order: Annotated[int, Between(1, 3)] = 2
    repeats: Annotated[int, Between(2, 1000)] = 5
    shift: Annotated[float, Between(0, inf)] = 1.0
    tolerance: Annotated[float | None, Between(0.25, 0.5)] = None
    width: float = 7.0

    def __post_init__(self):
        super().__post_init__()
        if self.flipped:
            raise SpecError("This grid cannot be flipped.")


def test_variants_follow_from_the_types_of_the_options():
    found = {str(variant.plugin): variant.extreme for variant in variants(Optioned())}
    assert found == {
        "grid": False, "grid[shape=cosine]": False, "grid[order=1]": False, "grid[order=3]": False,
        "grid[repeats=2]": True, "grid[shift=0.0]": False, "grid[tolerance=0.25]": True,
        "grid[tolerance=0.5]": True,
    }  # fmt: skip


def test_an_author_checks_a_plugin_with_one_line(failures):
    failures(Even)
    (mark,) = contract("broken").pytestmark
    assert "broken-falls_from_noise_to_data" in mark.kwargs["ids"]
    for check in mark.args[1]:
        check()
    (mark,) = contract("broken", skip={"describes_itself"}).pytestmark
    assert "broken-describes_itself" not in mark.kwargs["ids"]


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ("ddpm", "'ddpm' is the name of a method and of a recipe: write method:ddpm or recipe:ddpm."),
        ("unifrom", "No plug-in is named 'unifrom'. Did you mean 'uniform'?"),
        ("grid:unifrom", "No grid is named 'unifrom'. Did you mean 'uniform'?"),
    ],
)
def test_a_name_that_is_unknown_or_shared_is_refused(plugin, message):
    with pytest.raises(SpecError) as caught:
        list(checks(plugin))
    assert str(caught.value) == message
