"""Noise that belongs to an image: the same at any batch size, on any device, with any number of workers."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

# torch's CPU generator uses the lower 32 bits of its seed: 4096 blocks of a million images.
IMAGES_PER_BLOCK = 2**20
BLOCKS = 2**12


class ImageNoise:
    """The `Noise` of a batch: one CPU generator per image, seeded by the image's block and index alone.

    draws: how often it was called; a deterministic sampler calls it once, for its initial state.
    """

    def __init__(self, block: int, indices: Sequence[int]):
        self.block, self.indices, self.draws = block, indices, 0
        self.generators = [torch.Generator().manual_seed(block * IMAGES_PER_BLOCK + index) for index in indices]

    def __call__(self, x: Tensor) -> Tensor:
        """Standard normal numbers in the shape, dtype and device of x (B, C, H, W), the next of each image."""
        self.draws += 1
        drawn = torch.empty(x.shape)
        for image, generator in zip(drawn, self.generators, strict=True):
            image.normal_(generator=generator)
        return drawn.to(x.device, x.dtype)


def image_labels(block: int, indices: Iterable[int], classes: int) -> Tensor:
    """A class label per image, uniform and independent, from the image's block and index alone: (B,) int64.

    Independent, because evenly dealt classes would score below what as many independent real images score.
    """
    drawn = [np.random.SeedSequence((block, index)).generate_state(1)[0] % classes for index in indices]
    return torch.tensor(drawn, dtype=torch.int64)
