"""What the encoders have in common that come with the package."""

from abc import ABC

from samplerbench.errors import InputError
from samplerbench.metrics.encoders.base import Encoder, Encoding
from samplerbench.metrics.extractors import Extractor
from samplerbench.metrics.shipped_extractors import SHIPPED


class ShippedEncoder(Encoder, ABC):
    """The features of the shipped classifier of that name, for images of its shape: those of FID on its data."""

    def load(self, shape, device):
        expected = SHIPPED[self.name].shape
        if shape != expected:
            theirs, ours = ("x".join(map(str, each)) for each in (expected, shape))
            raise InputError(
                f"{self.name} takes images of {theirs}, not {ours}: `bench train encoder` trains one for other data, "
                "and pixels fits any."
            )
        extractor = Extractor(self.name, device)
        return Encoding(extractor.width, extractor.digest, lambda images: extractor.net(images)[0], device)
