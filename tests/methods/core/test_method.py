from dataclasses import dataclass

import pytest

from samplerbench.methods import Method, get


@dataclass(frozen=True)
class Plain(Method):
    """A method with all defaults."""

    recipe = "flow"

    def steps(self, field, x, times, noise):
        yield x


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((1,), "it supports 1 step only"),
        ((4,), "it supports 4 steps only"),
        ((8, 2), "it supports 2 or 8 steps only"),
        ((8, 1, 2), "it supports 1, 2 or 8 steps only"),
    ],
)
def test_unsupported_step_counts_name_the_supported_ones(counts, message):
    method = type("Few", (Plain,), {"step_counts": counts})()
    assert method.unsupported(7) == message
    assert [method.unsupported(count) for count in counts] == [""] * len(counts)


def test_a_method_without_step_counts_supports_any():
    assert [Plain().unsupported(steps) for steps in (1, 7, 999)] == [""] * 3


@pytest.mark.parametrize(
    ("spec", "steps", "nearest"),
    [("ddim", 7, 7), ("knowledge", 7, 1), ("progressive", 7, 8), ("progressive", 100, 32), ("bespoke", 1, 1)],
)
def test_the_nearest_step_count_is_a_supported_one(spec, steps, nearest):
    assert get(spec).nearest_steps(steps) == nearest


def test_an_adaptive_method_has_no_steps_no_grid_and_no_order():
    method = get("flow[solver=dopri5]")
    assert method.adaptive
    assert (method.nearest_steps(7), method.takes_grid, method.order) == (None, False, None)
    assert not get("flow").adaptive


def test_a_method_with_fixed_times_takes_no_grid():
    assert get("ddim").takes_grid
    assert not get("bespoke").takes_grid


def test_the_order_that_is_fitted_is_the_declared_one_unless_the_method_says_otherwise():
    orders = {spec: (get(spec).order, get(spec).convergence) for spec in ("ddim", "ddpm", "ipndm", "unipc", "rk4")}
    assert orders == {"ddim": (1, 1), "ddpm": (None, None), "ipndm": (4, 2), "unipc": (3, 4), "rk4": (4, 4)}


def test_the_checkpoint_may_depend_on_the_number_of_steps():
    assert Plain().checkpoint(5) == "flow"
    assert [get("progressive").checkpoint(steps) for steps in (None, 1, 8)] == [
        "progressive", "progressive", "progressive[steps=8]",
    ]  # fmt: skip
