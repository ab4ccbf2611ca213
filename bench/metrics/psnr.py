"""How closely images restore those that their conditions were made from."""

from dataclasses import dataclass
from math import nan
from typing import ClassVar

import torch
from torch import Tensor

from samplerbench.data.dataset import displayed
from samplerbench.metrics.base import METRICS, Accumulator, Features, ImageMetric
from samplerbench.metrics.column import BLOCKS, Column

MOST = 100.0  # dB, of equal images


@METRICS.register("psnr")
@dataclass(frozen=True)
class PSNR(ImageMetric):
    """10 log10(255^2 / MSE) of each image against the one that its condition was made from; the mean over images."""

    needs_reference_images = False
    columns: ClassVar = (
        Column(
            "psnr", "PSNR (dB)", "higher", "{:.2f}", spread=BLOCKS,
            meaning="**PSNR**: peak signal-to-noise ratio of restored images (inpainting, super-resolution) against "
            "the originals, the mean over images. Blank for networks that restore nothing.",
        ),
    )  # fmt: skip

    def accumulator(self, real):
        return PSNRState()


class PSNRState(Accumulator):
    """The sum of the ratios, and how many there are."""

    def __init__(self) -> None:
        self.total, self.count = 0.0, 0

    def update(self, batch: Features) -> None:
        targets = batch.asked.conditions.targets if batch.asked else None
        if batch.asked is not None and targets is not None:
            self.total += psnr(displayed(batch.images).cpu(), targets[batch.asked.numbers]).sum().item()
            self.count += len(batch.images)

    def columns(self) -> dict[str, float]:
        return {"psnr": self.total / self.count if self.count else nan}


def psnr(images: Tensor, targets: Tensor) -> Tensor:
    """Of uint8 images (N, C, H, W) against others, in dB (N,); 100 for equal ones."""
    mse = (images.double() - targets.double()).square().flatten(1).mean(1)
    return (10 * torch.log10(255**2 / mse)).clamp(max=MOST)
