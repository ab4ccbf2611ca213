"""Classifier guidance, with the exact classifier of two Gaussian classes."""

from dataclasses import replace

import pytest
import torch

from samplerbench.methods import (
    METHODS,
    VE,
    Cosine,
    DiscreteVP,
    Guides,
    Linear,
    Sampler,
    get,
    get_guidance,
    get_recipe,
)
from samplerbench.methods.core.guidance.classifier import log_gradient
from samplerbench.testing.exact import normal
from samplerbench.testing.small_net import seeded_noise

LABELS = torch.tensor([0, 1, 1, 0])
PATHS = [(DiscreteVP(), "eps"), (Linear(), "velocity"), (Cosine(), "v"), (VE(), "score"), (Linear(), "x0")]


@pytest.mark.parametrize(("path", "target"), PATHS, ids=str)
def test_scale_1_turns_the_unconditional_score_into_the_conditional_one(classes, path, target):
    conditional, mixture = (classes.field(path, target, label) for label in (LABELS, None))
    guided = get_guidance("classifier").guide(conditional, Guides(classes.classifier))
    for now in path.along(torch.tensor([0.05, 0.3, 0.7, 0.99])):
        x = now.sigma * normal(4, 1, 2, 2) + 0.3 * now.alpha
        with torch.inference_mode():
            found, expected = guided(x, now), conditional(x, now)
        torch.testing.assert_close(found.eps, expected.eps, rtol=1e-6, atol=1e-7)
        assert (mixture(x, now).eps - expected.eps).abs().max() > 1e-4


def test_on_the_conditional_score_it_adds_to_that(classes):
    path, x, (now,) = DiscreteVP(), normal(4, 1, 2, 2), DiscreteVP().along(torch.tensor([0.4]))
    conditional = classes.field(path, "eps", LABELS)
    plain = conditional(x, now).score
    once, thrice = (
        get_guidance(f"classifier[on={on},scale={scale}]").guide(conditional, Guides(classes.classifier))(x, now).score
        for on, scale in (("unconditional", 1), ("conditional", 3))
    )
    unconditional = replace(conditional, label=None)(x, now).score
    torch.testing.assert_close(thrice - plain, 3 * (once - unconditional))


@pytest.mark.parametrize("name", [name for name in METHODS.names() if not get_recipe(get(name).recipe).distilled])
@pytest.mark.parametrize("path", [DiscreteVP(), Linear()], ids=["signal", "no signal at the start"])
def test_every_method_samples_the_class_with_the_exact_classifier(classes, name, path):
    method, target = get(name), "eps" if isinstance(path, DiscreteVP) else "velocity"
    field = classes.field(path, target, LABELS)
    if "variance" in method.requires:
        field = replace(field, net=lambda x, *rest, net=field.net: torch.cat((net(x, *rest), torch.zeros_like(x)), 1))
    steps, guides = None if method.adaptive else 6, Guides(classes.classifier)
    plain = Sampler(method, steps, learned_path=path)
    guided = replace(plain, guidance=get_guidance("classifier"))
    images = [each.sample(field, normal(4, 1, 2, 2), seeded_noise(1), guides) for each in (plain, guided)]
    # Without signal, the limit is evaluated at a signal of 1e-3.
    torch.testing.assert_close(*images, rtol=0, atol=1e-6 if target == "eps" else 5e-3)


def test_the_gradient_is_that_of_each_images_own_label():
    weights = normal(3, 4)

    def classifier(x, log_snr):
        return log_snr[:, None] * x.flatten(1) @ weights.T

    x, label = normal(5, 1, 2, 2), torch.tensor([0, 2, 1, 1, 0])
    found = log_gradient(classifier, x, -0.7, label)
    p = torch.softmax(-0.7 * x.flatten(1) @ weights.T, 1)
    expected = -0.7 * (weights[label] - p @ weights)
    torch.testing.assert_close(found, expected.view_as(x))
