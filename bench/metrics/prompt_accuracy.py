"""Whether images show what their prompts ask for."""

from dataclasses import dataclass
from math import nan
from typing import ClassVar

import torch
from torch import Tensor

from samplerbench.data.captions import captions, parse, satisfied
from samplerbench.data.dataset import displayed
from samplerbench.metrics.base import METRICS, Accumulator, Features, ImageMetric
from samplerbench.metrics.column import BLOCKS, Column
from samplerbench.metrics.reference import RealFeatures

TRAITS = ("digit", "slant", "stroke", "size")  # in the order of captions.Asked


@METRICS.register("prompt_accuracy")
@dataclass(frozen=True)
class PromptAccuracy(ImageMetric):
    """Fraction of images that show all that their prompt asks for, and of those that show each trait it asks for.

    The class is that of the data set's classifier; slant, stroke width and size are measured on the pixels.
    """

    needs_reference_images = False
    columns: ClassVar = (
        Column(
            "prompt_accuracy", "prompt accuracy", "higher", "{:.3f}", spread=BLOCKS, floor="prompt_accuracy_floor",
            meaning="**prompt accuracy**: fraction of samples that show all that their prompt asks for: the class, by "
            "the classifier `{extractor}`, and slant, stroke width and size, as measured. For real images, that of the "
            "held-out ones under their own captions. Blank for networks without prompts.",
        ),
        *(Column(f"prompt_{trait}", better="higher") for trait in TRAITS),
        Column("prompt_accuracy_floor"),
    )  # fmt: skip
    requires = frozenset({"logits", "labels"})

    def accumulator(self, real):
        return PromptState(real.once("prompt accuracy", lambda: accuracy_of_real(real)))


class PromptState(Accumulator):
    """Whether each image shows each trait. floor: the accuracy of real images."""

    def __init__(self, floor: float):
        self.floor = floor
        self._shown: list[Tensor] = []

    def update(self, batch: Features) -> None:
        if batch.asked is None or not batch.asked.conditions.prompts:
            return
        prompts = [batch.asked.conditions.prompts[number] for number in batch.asked.numbers.tolist()]
        images = displayed(batch.images).cpu()
        self._shown.append(satisfied([parse(prompt) for prompt in prompts], images, batch.logits.argmax(1)))

    def columns(self) -> dict[str, float]:
        if not self._shown:
            return {"prompt_accuracy": nan, "prompt_accuracy_floor": self.floor} | {f"prompt_{t}": nan for t in TRAITS}
        shown = torch.cat(self._shown)
        traits = dict(zip((f"prompt_{trait}" for trait in TRAITS), shown.nanmean(0).tolist(), strict=True))
        return {"prompt_accuracy": all_shown(shown), "prompt_accuracy_floor": self.floor} | traits


def all_shown(shown: Tensor) -> float:
    """The fraction of images (N, traits) of 1, 0 and NaN, for a trait left open, that lack none."""
    return (~(shown == 0).any(1)).double().mean().item()


def accuracy_of_real(real: RealFeatures) -> float:
    """The accuracy of held-out images under their own captions: that of the classifier, since traits are as measured."""
    images, labels = real.images.test, real.images.test_labels
    asked = [parse(prompt) for prompt in captions(images, labels)]
    return all_shown(satisfied(asked, images, real.extractor.extract(images).logits.argmax(1)))
