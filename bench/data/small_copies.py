"""Small copies of images, as vectors: brightness, colour and coarse layout, nothing learned."""

import torch.nn.functional as F
from torch import Tensor

SIZE = 16  # pixels a side, at most


def small_shape(height: int, width: int) -> tuple[int, int]:
    """The sides of the copies."""
    return min(SIZE, height), min(SIZE, width)


def small_copies(images: Tensor) -> Tensor:
    """Images (N, C, H, W), averaged over areas down to 16x16 where there are more pixels, as vectors (N, D)."""
    return F.interpolate(images, small_shape(*images.shape[2:]), mode="area").flatten(1)
