"""Each broken plug-in fails the check of guidances that is meant for it, and no other."""

from dataclasses import dataclass, replace

import pytest
import torch

from samplerbench.methods import GuidedField
from samplerbench.methods.core.guidance.base import Extrapolated, WeightedGuidance


class SoundGuidance(WeightedGuidance):
    """Classifier-free guidance: sound, before a test breaks it."""

    guided = Extrapolated

    def guide(self, field, guides):
        return self.guided(field, replace(field, label=None), self)


@dataclass(frozen=True)
class EvaluatesAlways(Extrapolated):
    def __call__(self, x, now, then=None):
        worse, better = self.worse(x, now, then), self.field(x, now, then)
        weight = self.guidance.at(now)
        return better if weight == 1 else replace(better, p=torch.lerp(worse.p, better.p, weight))


@dataclass(frozen=True)
class AddsToThePrediction(Extrapolated):
    def __call__(self, x, now, then=None):
        guided = super().__call__(x, now, then)
        return guided if self.guidance.at(now) in (0, 1) else replace(guided, p=guided.p + 0.1)


@dataclass(frozen=True)
class DropsTheEnd(Extrapolated):
    def __call__(self, x, now, then=None):
        return super().__call__(x, now)


@dataclass(frozen=True)
class CentresTheBatch(Extrapolated):
    def __call__(self, x, now, then=None):
        better, worse = self.field(x, now, then), self.worse
        if self.guidance.at(now) == 1:
            return better
        difference = better.eps - worse(x, now, then).eps
        return replace(better, p=better.eps + difference.mean(0), target="eps")


@dataclass(frozen=True)
class EvaluatesMoreForImages(Extrapolated):
    def __call__(self, x, now, then=None):
        if x.shape[-1] > 1 and self.guidance.at(now) not in (0, 1):
            self.field(x, now, then)
        return super().__call__(x, now, then)


@dataclass(frozen=True)
class FailsWithoutSignal(Extrapolated):
    def __call__(self, x, now, then=None):
        guided = super().__call__(x, now, then)
        return guided if now.alpha else replace(guided, p=guided.p / 0)


class IgnoresItsInterval(SoundGuidance):
    def at(self, now):
        return self.strength


class NoEffect(SoundGuidance):
    def at(self, now):
        return 1.0


class MisspeltRequirement(SoundGuidance):
    requires = frozenset({"label"})


def wrapping(field: type[GuidedField]) -> type[WeightedGuidance]:
    """The sound guidance with another field."""
    return type(field.__name__, (SoundGuidance,), {"guided": field})


@pytest.mark.parametrize(
    ("guidance", "caught"),
    [
        (SoundGuidance, {}),
        (
            wrapping(EvaluatesAlways),
            {"is_free_when_neutral": "costs 2 evaluations", "is_neutral_outside_its_interval": "costs 2 evaluations"},
        ),
        (wrapping(AddsToThePrediction), {"guides_in_every_parametrisation": "otherwise than one of eps"}),
        (wrapping(DropsTheEnd), {"passes_the_end_of_an_interval_on": "does not pass `then` on"}),
        (wrapping(CentresTheBatch), {"guides_each_image_alone": "in another batch"}),
        (wrapping(EvaluatesMoreForImages), {"counts_its_evaluations": "15 times in 5 steps, but 10 times in the dry"}),
        (wrapping(FailsWithoutSignal), {"works_from_noise_to_data": "NaN or infinity at t = 1"}),
        (IgnoresItsInterval, {"is_neutral_outside_its_interval": "costs 2 evaluations, not 1"}),
        (NoEffect, {"has_an_effect": "changes nothing"}),
        (MisspeltRequirement, {"describes_itself": "requires 'label'"}),
    ],
)
def test_a_broken_guidance_fails_the_check_meant_for_it(guidance, caught, assert_caught):
    assert_caught(guidance, caught)
