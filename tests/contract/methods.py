"""What every method keeps. Each check takes a method and raises AssertionError with the reason."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import cast

import torch
from torch import Tensor, nn

from samplerbench.methods import Method, Sampler, get, get_grid, get_recipe, unmet
from samplerbench.sampling.noise import ImageNoise
from samplerbench.testing.accuracy import (
    declared_order_is_reached,
    many_steps_reproduce_the_data,
    starts_without_signal,
)
from samplerbench.testing.exact import normal
from samplerbench.testing.runs import (
    ADAPTIVE_STATES,
    evaluations,
    final,
    fixed_counts,
    random_state,
    recipe_of,
    small_field,
    step_counts,
    trajectory,
)
from samplerbench.testing.small_net import seeded_noise
from samplerbench.testing.variants import Variant, docstring

BUDGETS = (1, 2, 5, 11)


def checks(variant: Variant) -> Iterator[Callable[[Method], str | None]]:
    """The checks that apply to a variant of a method."""
    method = variant.plugin
    yield from (prints_and_parses, describes_itself, yields_a_state_per_step, keeps_shape_and_dtype)
    yield from (leaves_its_input_alone, leaves_its_states_alone, draws_noise_through_its_argument)
    yield same_image_in_any_batch
    if not method.adaptive:
        yield from (evaluations_are_counted, keeps_to_a_budget, last_step_draws_no_noise, never_reads_its_state)
    if method.convergence and not variant.extreme:
        yield declared_order_is_reached
    if not recipe_of(method).distilled and not variant.extreme:
        yield many_steps_reproduce_the_data
        if variant.first:
            yield starts_without_signal


def prints_and_parses(method: Method) -> None:
    """`get(str(method))` is the method."""
    assert get(str(method)) == method, f"{method!r} prints as {str(method)!r}, which parses as {get(str(method))!r}"


def describes_itself(method: Method) -> None:
    """It has a docstring, and its recipe and its grid exist and suit it."""
    assert docstring(method), f"{method} needs a docstring: `bench list` prints it"
    for steps in step_counts(method):
        recipe = recipe_of(method, steps)
        reason = unmet(method.requires, recipe.provides, f"the recipe {recipe}")
        assert not reason, f"{method} does not suit its own recipe: {reason}"
    get_recipe(method.recipe)
    get_grid(method.grid or "uniform")


def yields_a_state_per_step(method: Method) -> None:
    """`steps` is a generator of one finite state per interval."""
    for steps in step_counts(method):
        times, limit = Sampler(method, steps).times, ADAPTIVE_STATES if steps is None else steps + 1
        made = method.steps(small_field(method, steps), normal(2, 1, 8, 8), times, seeded_noise(0))
        assert isinstance(made, Iterator), f"{method}.steps returned a {type(made).__name__}: yield the states instead"
        states = list(islice(made, limit))
        if steps is None:
            assert states, f"{method} yielded no state: yield at least the last one"
        else:
            found = "more" if len(states) > steps else len(states)
            assert len(states) == steps, f"{method} yielded {found} states in {steps} steps: yield one after each step"
        assert all(state.isfinite().all() for state in states), f"{method} yields NaN or infinity in {steps} steps"


def keeps_shape_and_dtype(method: Method) -> None:
    """States have the shape and the dtype of the initial state."""
    steps = step_counts(method)[-1]
    for dtype in (torch.float32, torch.float64):
        x = normal(2, 3, 8, 8).to(dtype)
        for state in trajectory(method, small_field(method, steps, 3, dtype), x, steps, seeded_noise(0)):
            assert state.dtype == dtype, f"{method} turns {dtype} into {state.dtype}"
            assert state.shape == x.shape, f"{method} yields {tuple(state.shape)} from {tuple(x.shape)}"


def leaves_its_input_alone(method: Method) -> None:
    """Neither the initial state nor the times are changed in place."""
    steps = step_counts(method)[-1]
    x, times = normal(2, 1, 8, 8), Sampler(method, steps).times
    before, times_before = x.clone(), times.clone()
    list(islice(method.steps(small_field(method, steps), x, times, seeded_noise(0)), ADAPTIVE_STATES))
    assert torch.equal(x, before), f"{method} changes its initial state in place: work on a new tensor"
    assert torch.equal(times, times_before), f"{method} changes the times in place: work on a new tensor"


def leaves_its_states_alone(method: Method) -> None:
    """A state that was yielded is not changed in place by a later step."""
    steps = step_counts(method)[-1]
    states, copies = [], []
    for state in trajectory(method, small_field(method, steps), normal(2, 1, 8, 8), steps, seeded_noise(0)):
        states.append(state)
        copies.append(state.clone())
    assert all(map(torch.equal, states, copies)), f"{method} overwrites states that it yielded: make new tensors"


def draws_noise_through_its_argument(method: Method) -> str:
    """Two runs with the same `noise` agree to the bit, and no global generator is used."""
    steps, before = step_counts(method)[-1], random_state()
    x, field = normal(2, 1, 8, 8), small_field(method, step_counts(method)[-1])
    draws: list[Tensor] = []

    def run() -> Tensor:
        seeded = seeded_noise(0)

        def noise(x: Tensor) -> Tensor:
            draws.append(x)
            return seeded(x)

        return final(method, field, x, steps, noise)

    first, second = run(), run()
    assert random_state() == before, f"{method} draws from a global generator: call noise(x) for its randomness"
    assert torch.equal(first, second), f"{method} differs between two runs with the same noise: call noise(x) for it"
    return f"{len(draws) // 2} draws in {steps or 'adaptive'} steps" if draws else "deterministic"


def same_image_in_any_batch(method: Method) -> str:
    """Image i depends on its own noise alone. An adaptive method's steps depend on the batch: up to its tolerance."""
    steps, count = step_counts(method)[-1], 6
    field = small_field(method, steps, dtype=torch.float32)

    def images(batch_size: int) -> Tensor:
        made = []
        for start in range(0, count, batch_size):
            noise = ImageNoise(0, range(start, min(start + batch_size, count)))
            made.append(final(method, field, noise(torch.empty(len(noise.indices), 1, 8, 8)), steps, noise))
        return torch.cat(made)

    together, tolerance, largest = images(count), 5e-3 if method.adaptive else 1e-4, 0.0
    for batch_size in (3,) if method.adaptive else (1, 4):
        difference = ((images(batch_size) - together).abs().max() / together.abs().max()).item()
        assert difference <= tolerance, (
            f"{method} makes other images in batches of {batch_size} (relative difference {difference:.1g}): "
            "an image may depend on its own state and its own noise only"
        )
        largest = max(largest, difference)
    return f"relative difference {largest:.1g}"


def evaluations_are_counted(method: Method) -> str:
    """A run evaluates the network as often as `Sampler.nfe`, which is counted on one pixel, says."""
    for steps in fixed_counts(method):
        field = small_field(method, steps)
        evaluated: list[int] = []

        def net(x: Tensor, *rest: Tensor, net=field.net, evaluated=evaluated) -> Tensor:
            evaluated.append(len(x))
            return net(x, *rest)

        run = trajectory(method, replace(field, net=net), normal(2, 1, 8, 8), steps, seeded_noise(0))
        assert len(list(run)) <= steps, f"{method} yields more states than steps, so its evaluations have no number"
        per_image, nfe = sum(evaluated) / 2, evaluations(method, steps)
        assert per_image == nfe, (
            f"{method} evaluates the network {per_image:g} times per image in {steps} steps, but {nfe} times in the "
            "dry run that fills the column nfe: the number of evaluations must not depend on the images"
        )
    counts = fixed_counts(method)
    spent = ", ".join(str(evaluations(method, steps)) for steps in counts)
    return f"{spent} evaluations in {', '.join(map(str, counts))} steps"


def keeps_to_a_budget(method: Method) -> None:
    """`Sampler.within(budget)` takes the most steps that do not exceed the budget."""
    first = fixed_counts(method)[0]
    states = list(trajectory(method, small_field(method, first), normal(1, 1, 8, 8), first, seeded_noise(0)))
    assert len(states) <= first, f"{method} yields more states than steps, so its evaluations have no number"
    for budget in BUDGETS:
        chosen = Sampler(method).within(budget)
        taken = chosen.steps or 0 if chosen else 0
        spent = evaluations(method, taken) if taken else 0
        assert spent <= budget, f"{method} spends {spent} evaluations on a budget of {budget}"
        more = [steps for steps in method.step_counts or range(1, budget + 1) if steps > taken]
        fitting = [steps for steps in more if evaluations(method, steps) <= budget]
        assert not fitting, (
            f"{method} leaves a budget of {budget} unused: {fitting[0]} steps fit; evaluations must rise with the steps"
        )


def last_step_draws_no_noise(method: Method) -> None:
    """No noise is added on the interval that ends at data."""
    for steps in fixed_counts(method):
        seeded = seeded_noise(0)
        draws: list[torch.Size] = []

        def noise(x: Tensor, seeded=seeded, draws=draws) -> Tensor:
            draws.append(x.shape)
            return seeded(x)

        field = small_field(method, steps)
        drawn = [0, *(len(draws) for _ in trajectory(method, field, normal(2, 1, 8, 8), steps, noise))]
        assert drawn[-1] == drawn[-2], f"{method} draws noise on the last of {steps} steps: it would stay in the images"


def never_reads_its_state(method: Method) -> None:
    """No step waits for the device: it runs on tensors without values, as no Python code needs one of the state's.

    An adaptive method is not checked, since it chooses its steps by the error of its state.
    """
    steps = step_counts(method)[-1]
    field = small_field(method, steps)
    net = copy.deepcopy(cast(nn.Module, field.net)).to("meta")
    x = normal(2, 1, 8, 8).to("meta")
    try:
        list(trajectory(method, replace(field, net=net), x, steps, torch.randn_like))
    except (RuntimeError, NotImplementedError) as error:
        raise AssertionError(
            f"{method} reads a value of its state, for which each step waits on a GPU: use tensor operations ({error})"
        ) from error
