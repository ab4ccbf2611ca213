"""Noise that belongs to an image: the same at any batch size, on any device, with any number of workers."""

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

# What noise and labels are drawn for. Each purpose has streams of its own, so that a student is never evaluated on
# noise that it was trained on, nor a grid on noise that it was tuned on.
SAMPLING, PAIRS, SEARCH, HOLDOUT, LIKELIHOOD = "sampling", "pairs", "grid search", "grid holdout", "likelihood"

BLOCKS = 2**12  # seed blocks that the command line accepts
IMAGES_PER_BLOCK = 2**20


class ImageNoise:
    """The `Noise` of a batch: one CPU generator per image, seeded by the purpose, the block and the image's index.

    draws: how often it was called; a deterministic sampler calls it once, for its initial state. seconds: what its
    calls took.
    """

    def __init__(self, block: int, indices: Sequence[int], purpose: str = SAMPLING):
        self.block, self.indices, self.purpose, self.draws, self.seconds = block, indices, purpose, 0, 0.0
        self.generators = [np.random.Generator(stream) for stream in _streams(purpose, block, indices)]

    def __call__(self, x: Tensor) -> Tensor:
        """Standard normal numbers in the shape, dtype and device of x (B, C, H, W), the next of each image."""
        began = time.perf_counter()
        drawn = np.empty(x.shape, np.float32)
        for image, generator in zip(drawn, self.generators, strict=True):
            generator.standard_normal(out=image, dtype=np.float32)
        noise = torch.from_numpy(drawn).to(x.device, x.dtype)
        self.draws += 1
        self.seconds += time.perf_counter() - began
        return noise


def image_labels(block: int, indices: Iterable[int], classes: int, purpose: str = SAMPLING) -> Tensor:
    """A class label per image, uniform and independent, from the purpose, the block and the index alone: (B,) int64.

    Independent, because evenly dealt classes would score below what as many independent real images score.
    """
    drawn = [int(stream.random_raw()) % classes for stream in _streams(f"labels of {purpose}", block, indices)]
    return torch.tensor(drawn, dtype=torch.int64)


def _streams(purpose: str, block: int, indices: Iterable[int]) -> Iterator[np.random.Philox]:
    """A stream of random bits per image. Philox counts 256 bits: each image begins 2**128 numbers after the last."""
    digest = hashlib.blake2b(f"{purpose}, block {block}".encode(), digest_size=16).digest()
    key = int.from_bytes(digest, "little")
    return (np.random.Philox(key=key, counter=index << 128) for index in indices)
