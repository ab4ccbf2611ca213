"""Classifier guidance (arXiv 2105.05233)."""

from dataclasses import dataclass, field, replace
from math import hypot, inf, log
from typing import Literal

import torch
from torch import Tensor

from samplerbench.methods.core.field import Field, weights
from samplerbench.methods.core.guidance.base import Classifier, Guidance, GuidedField, Level, Strength
from samplerbench.methods.core.registry import register

MIN_SNR = 1e-3  # the smallest alpha / sigma at which the classifier is evaluated


@register("classifier")
@dataclass(frozen=True)
class ClassifierGuidance(Guidance):
    """score + scale grad log p(label | x_t), with a classifier of noisy images (arXiv 2105.05233, section 4).

    on: the score that is guided: the unconditional one, which scale 1 makes conditional, or the conditional one.
    low, high: active only where low < sigma / alpha <= high. The gradient of the classifier does not count as a network
    evaluation; its cost appears in the timings only.
    """

    scale: Strength = field(default=1.0, metadata={"printed": True})
    on: Literal["unconditional", "conditional"] = "unconditional"
    low: Level = 0.0
    high: Level = inf

    needs = "classifier"
    neutral = 0.0
    strength = property(lambda self: self.scale)

    def guide(self, field, guides):
        base = field if self.on == "conditional" else replace(field, label=None)
        return ClassifierGuided(base, guides.classifier, field.label, self)


@dataclass(frozen=True)
class ClassifierGuided(GuidedField):
    """A field whose score is increased by scale grad log p(label | x_t)."""

    field: Field
    classifier: Classifier
    label: Tensor
    guidance: Guidance

    def __call__(self, x, now, then=None):
        prediction, scale = self.field(x, now, then), self.guidance.at(now)
        if not scale or not now.sigma:
            return prediction
        # For fixed x, the gradient g changes eps by -sigma g and x0 by sigma^2 / alpha g, and p = a x0 + b eps by both.
        # g vanishes with the signal, so sigma^2 / alpha g has a limit, which we evaluate at a small remaining signal.
        ratio = max(now.alpha / now.sigma, MIN_SNR)
        a, b = weights(prediction.target, now)
        gradient = log_gradient(self.classifier, x / hypot(now.alpha, now.sigma), 2 * log(ratio), self.label)
        factor = scale * now.sigma / hypot(now.alpha, now.sigma) * (a / ratio - b)
        return replace(prediction, p=torch.add(prediction.p, gradient, alpha=factor))


def log_gradient(classifier: Classifier, x: Tensor, log_snr: float, label: Tensor) -> Tensor:
    """grad_x log p(label | x) (B, C, H, W) of the images x (B, C, H, W) at one log-SNR, for labels (B,)."""
    with torch.inference_mode(False), torch.enable_grad():
        x = x.detach().clone().requires_grad_()
        levels = torch.full((len(x),), log_snr, dtype=x.dtype, device=x.device)
        log_p = classifier(x, levels).log_softmax(1)
        # Not autograd.grad, whose operations PyTorch's FLOP counter does not see.
        log_p.gather(1, label.clone()[:, None]).sum().backward()
        assert x.grad is not None  # for the type checker: backward has just set it
        return x.grad
