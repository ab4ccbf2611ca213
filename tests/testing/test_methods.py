"""Each broken plug-in fails the check of methods that is meant for it, and no other."""

from itertools import pairwise

import pytest
import torch

from samplerbench.methods import Method

COUNTED = ("evaluations_are_counted", "keeps_to_a_budget")  # need a run that keeps the contract


class SoundMethod(Method):
    """Euler's method in the noise level: sound, before a test breaks it."""

    recipe = "ddpm"
    order = 1

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            x = self.step(field(x, now), then)
            yield x

    def step(self, p, then):
        return p.mix(then.alpha, then.sigma)


class WrongOrder(SoundMethod):
    order = 2


class OwnRandomness(SoundMethod):
    def step(self, p, then):
        x = super().step(p, then)
        return x + 1e-9 * torch.randn(x.shape, dtype=x.dtype)


class ChangesItsInput(SoundMethod):
    def steps(self, field, x, times, noise):
        start = x.clone()
        x.zero_()
        yield from super().steps(field, start, times, noise)


class ReusesItsStates(SoundMethod):
    def steps(self, field, x, times, noise):
        state = torch.empty_like(x)
        for made in super().steps(field, x, times, noise):
            yield state.copy_(made)


class Returns(SoundMethod):
    def steps(self, field, x, times, noise):
        *_, last = super().steps(field, x, times, noise)
        return last


class YieldsTheLastStateOnly(SoundMethod):
    def steps(self, field, x, times, noise):
        *_, last = super().steps(field, x, times, noise)
        yield last


class NeverEnds(SoundMethod):
    def steps(self, field, x, times, noise):
        yield from super().steps(field, x, times, noise)
        while True:
            yield torch.zeros_like(x)


class AnotherDtype(SoundMethod):
    def step(self, p, then):
        x = super().step(p, then)
        return x if then.sigma else x.double()


class NoiseAtTheEnd(SoundMethod):
    order = None

    def steps(self, field, x, times, noise):
        for state in super().steps(field, x, times, noise):
            yield state + 1e-3 * noise(x)


class EvaluatesMoreOnImages(SoundMethod):
    def steps(self, field, x, times, noise):
        if x.shape[-1] > 1:
            field(x, field.path.along(times[:1])[0])
        yield from super().steps(field, x, times, noise)


class EvaluatesMoreInASingleStep(SoundMethod):
    def steps(self, field, x, times, noise):
        for _ in range(20 if len(times) == 2 else 0):
            field(x, field.path.along(times[:1])[0])
        yield from super().steps(field, x, times, noise)


class DependsOnTheBatch(SoundMethod):
    def step(self, p, then):
        x = super().step(p, then)
        return x if then.sigma else x + 1e-2 * x.mean(0)


class ReadsItsState(SoundMethod):
    def step(self, p, then):
        x = super().step(p, then)
        return x if x.abs().max() < 1e9 else x.clamp(-1e9, 1e9)


class Biased(SoundMethod):
    order = None

    def step(self, p, then):
        return super().step(p, then) * (1 if then.sigma else 1.5)


class NotANumberWithoutSignal(SoundMethod):
    def step(self, p, then):
        return super().step(p, then) * (1 if p.now.alpha else float("nan"))


class NoDocstring(SoundMethod):
    __doc__ = ""


class WrongCapability(SoundMethod):
    requires = frozenset({"variance"})


@pytest.mark.parametrize(
    ("method", "caught"),
    [
        (SoundMethod, {}),
        (WrongOrder, {"declared_order_is_reached": "declares order 2, but its error falls with order 1.0"}),
        (OwnRandomness, {"draws_noise_through_its_argument": "call noise", "never_reads_its_state": "device meta"}),
        (
            ChangesItsInput,
            {"leaves_its_input_alone": "changes its initial state in place"} | dict.fromkeys(COUNTED, ""),
        ),
        (ReusesItsStates, {"leaves_its_states_alone": "overwrites states"}),
        (
            Returns,
            {"yields_a_state_per_step": "returned a Tensor: yield the states"} | dict.fromkeys(COUNTED, "must yield"),
        ),
        (
            YieldsTheLastStateOnly,
            {"yields_a_state_per_step": "yielded 1 states in 2 steps"} | dict.fromkeys(COUNTED, ""),
        ),
        (AnotherDtype, {"keeps_shape_and_dtype": "turns torch.float32 into torch.float64"}),
        (NoiseAtTheEnd, {"last_step_draws_no_noise": "draws noise on the last of 1 steps"}),
        (EvaluatesMoreOnImages, {"evaluations_are_counted": "2 times per image in 1 steps, but 1 times"}),
        (EvaluatesMoreInASingleStep, {"keeps_to_a_budget": "leaves a budget of 2 unused: 2 steps fit"}),
        (DependsOnTheBatch, {"same_image_in_any_batch": "other images in batches of 1"}),
        (ReadsItsState, {"never_reads_its_state": "reads a value of its state"}),
        (Biased, {"many_steps_reproduce_the_data": "is off by", "starts_without_signal": ""}),
        (NotANumberWithoutSignal, {"starts_without_signal": "the mean is off by nan"}),
        (NoDocstring, {"describes_itself": "needs a docstring"}),
        (WrongCapability, {"describes_itself": "it needs a predicted variance"}),
    ],
)
def test_a_broken_method_fails_the_check_meant_for_it(method, caught, assert_caught):
    assert_caught(method, caught)


def test_a_method_that_never_ends_is_stopped(failures):
    found = failures(NeverEnds)
    assert "yielded more states in 1 steps" in found["yields_a_state_per_step"]
