"""Inpainting: the image without a part, and where that part is."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from samplerbench.data.dataset import to_float
from samplerbench.networks.conditions.base import CONDITIONS, Condition, Conditions, Source, held_out, with_null

COPIES = 4  # masks of each training image
SMALLEST, LARGEST = 0.3, 0.7  # sides of random boxes, in sides of the image


@CONDITIONS.register("inpaint")
@dataclass(frozen=True)
class Inpaint(Condition):
    """The rest of an image, to which a box is missing, and the box as a mask: channels beside the state.

    mask: a box of random size and place, or one half of the image. In latents, the image with a grey box is encoded,
    as in 2112.10752, and the mask is averaged.
    """

    mask: Literal["box", "left", "right", "top", "bottom"] = "box"

    def network(self, space):
        return {"inputs": space.channels + 1}

    def training(self, source):
        images, labels = source.images.train, source.images.train_labels
        masks = torch.cat([self._masks(images, seed) for seed in range(1, 1 + COPIES)])
        return self._table(source, images.repeat(COPIES, 1, 1, 1), labels.repeat(COPIES), masks)

    def sampling(self, source):
        images, labels = held_out(self, source)
        return self._table(source, images, labels, self._masks(images, 0))

    def _table(self, source: Source, images: Tensor, labels: Tensor, masks: Tensor) -> Conditions:
        known = source.space.encode(to_float(images) * (1 - masks))
        masks = F.adaptive_avg_pool2d(masks, known.shape[-1])
        return Conditions(with_null(torch.cat((known, masks), dim=1)), labels, targets=images)

    def _masks(self, images: Tensor, seed: int) -> Tensor:
        """1 where an image is missing (N, 1, H, W), the same for the same number of images."""
        side, count = images.shape[-1], len(images)
        generator = torch.Generator().manual_seed(seed)
        size = SMALLEST + (LARGEST - SMALLEST) * torch.rand(2, count, 1, generator=generator)
        start = (1 - size) * torch.rand(2, count, 1, generator=generator)
        if self.mask != "box":
            start, size = _half(self.mask, count)
        centres = (torch.arange(side) + 0.5) / side
        rows, columns = ((centres > start) & (centres < start + size)).float()
        return (rows[:, :, None] * columns[:, None, :])[:, None]


def _half(mask: str, count: int) -> tuple[Tensor, Tensor]:
    """The starts and sizes (2, N, 1), in rows and columns, of half an image."""
    first = {"top": (0.0, 0.0), "bottom": (0.5, 0.0), "left": (0.0, 0.0), "right": (0.0, 0.5)}[mask]
    size = (0.5, 1.0) if mask in ("top", "bottom") else (1.0, 0.5)
    return tuple(torch.tensor(each).view(2, 1, 1).expand(2, count, 1) for each in (first, size))
