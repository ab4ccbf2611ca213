"""A method that does not keep the contract of `steps` fails with a sentence, and never hangs."""

from itertools import count

import pytest
import torch

from samplerbench.methods.core.contract import ContractError, Limit, checked_states


def sound(x, times):
    for _ in times[1:]:
        x = x + 1
        yield x


def in_place(x, times):
    for _ in times[1:]:
        yield x.clone()
    x += 1


def times_in_place(x, times):
    yield from sound(x, times.clone())
    times[0] = 2


BROKEN = {
    "returns a tensor": (lambda x, times: x, "m.steps returned a Tensor; it must yield"),
    "returns a list": (lambda x, times: [x, x, x], "m.steps returned a list; it must yield"),
    "returns nothing": (lambda x, times: None, "m.steps returned a NoneType; it must yield"),
    "yields nothing": (lambda x, times: iter(()), "m yields 0 of 3 states in 3 steps"),
    "yields too few": (lambda x, times: iter((x, x)), "m yields 2 of 3 states in 3 steps"),
    "never ends": (lambda x, times: (x for _ in count()), "m yields more than 3 states in 3 steps"),
    "yields a number": (lambda x, times: iter((x, x, 1.0)), "m yields a float instead of a tensor"),
    "another shape": (
        lambda x, times: iter((x, x[:1], x)),
        r"shape \(1, 1, 2, 2\) instead of \(2, 1, 2, 2\)",
    ),
    "another dtype": (lambda x, times: iter((x, x, x.double())), "the dtype torch.float32 into torch.float64"),
    "changes its input": (in_place, "m changes its initial state or its times in place"),
    "changes the times": (times_in_place, "m changes its initial state or its times in place"),
}


def states(make, steps=3):
    x, times = torch.zeros(2, 1, 2, 2), torch.linspace(1, 0, 4)
    return list(checked_states("m", make(x, times), x, times, steps))


@pytest.mark.parametrize(("make", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_contract_is_a_sentence_that_names_the_method(make, message):
    with pytest.raises(ContractError, match=message):
        states(make)


def test_a_sound_run_passes_unchanged():
    assert [state.unique().item() for state in states(sound)] == [1, 2, 3]
    assert len(states(sound, steps=None)) == 3, "an adaptive method yields any number"


def test_an_adaptive_run_yields_at_least_one_state_and_ends():
    with pytest.raises(ContractError, match="yields 0 of 1 states in an adaptive run"):
        states(lambda x, times: iter(()), steps=None)
    with pytest.raises(ContractError, match="yields more than 20000 states in an adaptive run"):
        states(lambda x, times: (x for _ in count()), steps=None)


def test_the_network_is_evaluated_on_images_and_not_without_end():
    limit, images = Limit("m", (1, 2, 2), 6), torch.zeros(3, 1, 2, 2)
    limit.check(images, 6)
    with pytest.raises(ContractError, match=r"m evaluates the network on shape \(3, 4\), not \(1, 2, 2\)"):
        limit.check(images.flatten(1), 3)
    with pytest.raises(ContractError, match="m was stopped: more than 6 evaluations"):
        limit.check(images, 7)
