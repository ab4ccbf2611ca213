"""The pixels of small copies of the images."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from samplerbench.data.dataset import to_float
from samplerbench.metrics.encoders.base import ENCODERS, Encoder, Encoding

SIZE = 16  # pixels a side, at most


@ENCODERS.register("pixels")
@dataclass(frozen=True)
class PixelEncoder(Encoder):
    """The pixels, averaged over areas down to 16x16 if there are more: brightness and layout, nothing learned."""

    meaning = (
        "the pixels, averaged over areas down to 16x16 where there are more. They show brightness, colour and "
        "coarse layout, not detail or content"
    )

    def load(self, shape, device):
        channels, *sides = shape
        size = [min(SIZE, side) for side in sides]
        label = f"pixels {'x'.join(map(str, size))}"

        def encode(images: Tensor) -> Tensor:
            floats = to_float(images).double() if images.dtype == torch.uint8 else images.double()
            return F.interpolate(floats, size, mode="area").flatten(1)

        return Encoding(channels * size[0] * size[1], "none", encode, device, label, exact=size == sides)
