"""Slant, stroke width and size of handwritten digits, measured on their pixels."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from samplerbench.errors import InputError

BACKGROUND = 32  # pixels up to this brightness are no ink: samples are rarely black around the digit
BATCH = 4096  # images that are measured at once, in float64


class Quarters(NamedTuple):
    """The quartiles of a trait: below `low` lies a quarter of the training images of mnist5k, above `high` another."""

    low: float
    high: float


QUARTERS = {"slant": Quarters(-3.05, 18.76), "stroke": Quarters(2.02, 2.71), "size": Quarters(15.42, 18.31)}


class Handwriting(NamedTuple):
    """Traits of N images, each (N,) in float64; NaN for an image without ink.

    They are measured on the ink i(y, x) in [0, 1], the brightness above that of the background.
    slant: degrees by which the vertical is sheared to the right, atan(-mu11 / mu02) of the central moments of the ink,
        with y pointing down.
    stroke: mean width of the strokes in pixels, 2 area / perimeter = 2 sum(i) / sum |grad i|: by the coarea formula the
        mean over all thresholds, so neither binary pixels nor a skeleton limit its resolution. Both ends of a
        stroke count as perimeter: for a bar of width w and length l, it is w / (1 + w / l).
    size: sqrt(height * width) of the bounding box in pixels. The height is the sum over rows of max(i): grey edges
        count in part, and a stray pixel adds 1 instead of extending the box to itself.
    """

    slant: Tensor
    stroke: Tensor
    size: Tensor


def measured(images: Tensor) -> Handwriting:
    """The traits of uint8 images (N, 1, H, W) of bright digits on black. Raises InputError for other images."""
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 1:
        raise InputError(
            f"Handwriting is measured on grey uint8 images (N, 1, H, W), not {images.dtype} {tuple(images.shape)}."
        )
    batches = [_ink(batch) for batch in images.split(BATCH)]
    return Handwriting(*(torch.cat([trait(ink) for ink in batches]) for trait in (_slant, _stroke, _size)))


def sides(handwriting: Handwriting) -> Tensor:
    """Where a trait is clear, as int64 (N, 3): -1 in its lowest quarter, 1 in its highest, 0 between and for NaN."""
    pairs = zip(handwriting, QUARTERS.values(), strict=True)
    return torch.stack([(value > high).long() - (value < low).long() for value, (low, high) in pairs], dim=1)


def _ink(images: Tensor) -> Tensor:
    """Brightness above the background, (N, H, W) in [0, 1]."""
    return ((images[:, 0].double() - BACKGROUND) / (255 - BACKGROUND)).clamp(min=0)


def _slant(ink: Tensor) -> Tensor:
    _, height, width = ink.shape
    y, x = (torch.arange(side, dtype=ink.dtype, device=ink.device) for side in (height, width))
    area = ink.sum((1, 2))
    dy = y - (ink.sum(2) @ y / area)[:, None]  # (N, H)
    dx = x - (ink.sum(1) @ x / area)[:, None]  # (N, W)
    mu11 = torch.einsum("nyx,ny,nx->n", ink, dy, dx)
    mu02 = torch.einsum("nyx,ny->n", ink, dy.square())
    return torch.rad2deg(torch.atan(-mu11 / mu02))


def _stroke(ink: Tensor) -> Tensor:
    padded = F.pad(ink, (1, 1, 1, 1))
    # The two diagonal differences of 2x2 pixels (Roberts' cross), which treat all directions nearly alike.
    falling = padded[:, 1:, 1:] - padded[:, :-1, :-1]
    rising = padded[:, :-1, 1:] - padded[:, 1:, :-1]
    gradient = ((falling.square() + rising.square()) / 2).sqrt()
    return 2 * ink.sum((1, 2)) / gradient.sum((1, 2))


def _size(ink: Tensor) -> Tensor:
    height, width = (ink.amax(across).sum(1) for across in (2, 1))
    size = (height * width).sqrt()
    return size.where(size > 0, torch.nan)
