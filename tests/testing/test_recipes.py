"""Each broken plug-in fails the check of recipes that is meant for it, and no other."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from samplerbench.methods import DENOISER, Denoising, Linear, regression_loss, uniform


class SoundRecipe(Denoising):
    """Flow matching: sound, before a test breaks it."""

    path = Linear()
    target = "velocity"


class OneLossForAll(SoundRecipe):
    def loss(self, field, x0, label, noise, teacher):
        return super().loss(field, x0, label, noise, teacher).mean()


class TrainsNothing(SoundRecipe):
    def loss(self, field, x0, label, noise, teacher):
        constant = replace(field, net=lambda *inputs: field.net(*inputs).detach())
        return super().loss(constant, x0.requires_grad_(), label, noise, teacher)


class PredictsAnotherTarget(SoundRecipe):
    def loss(self, field, x0, label, noise, teacher):
        return regression_loss(replace(field, target="v"), x0, label, uniform(noise, x0), noise)


class KeepsItsModules(SoundRecipe):
    critic = nn.Linear(1, 1)

    def modules(self, teacher=None):
        return {"critic": self.critic}

    def loss(self, field, x0, label, noise, teacher):
        critic = sum(each.sum() for each in field.modules["critic"].parameters())
        return super().loss(field, x0, label, noise, teacher) + critic**2


class MisspeltCapability(SoundRecipe):
    provides = DENOISER | {"variences"}


class TeachesItself(SoundRecipe):
    teacher = "broken"


class DrawsItsOwnNoise(SoundRecipe):
    def loss(self, field, x0, label, noise, teacher):
        return super().loss(field, x0, label, torch.randn_like, teacher)


@pytest.mark.parametrize(
    ("recipe", "caught"),
    [
        (SoundRecipe, {}),
        (OneLossForAll, {"returns_a_finite_loss_per_image": "a loss of shape (), not one per image"}),
        (TrainsNothing, {"trains_what_it_says": "does not train its network"}),
        (
            PredictsAnotherTarget,
            {
                "is_lowest_for_the_perfect_network": "have a lower loss than perfect ones",
                "vanishes_for_the_perfect_network": "read in another parametrisation",
            },
        ),
        (KeepsItsModules, {"makes_new_modules": "returns the same 'critic' at every call"}),
        (MisspeltCapability, {"describes_itself": "did you mean 'variance'?"}),
        (TeachesItself, {"ends_its_chain_of_teachers": "form a circle"}),
        (DrawsItsOwnNoise, {"draws_noise_through_its_argument": "call noise(x)", "divides_its_batches": ""}),
    ],
)
def test_a_broken_recipe_fails_the_check_meant_for_it(recipe, caught, assert_caught):
    assert_caught(recipe, caught)
