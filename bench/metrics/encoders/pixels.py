"""The pixels of small copies of the images."""

from dataclasses import dataclass

import torch
from torch import Tensor

from samplerbench.data.dataset import to_float
from samplerbench.data.small_copies import small_copies, small_shape
from samplerbench.metrics.encoders.base import ENCODERS, Encoder, Encoding


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
        size = list(small_shape(*sides))
        label = f"pixels {'x'.join(map(str, size))}"

        def encode(images: Tensor) -> Tensor:
            return small_copies(to_float(images).double() if images.dtype == torch.uint8 else images.double())

        return Encoding(channels * size[0] * size[1], "none", encode, device, label, exact=size == sides)
