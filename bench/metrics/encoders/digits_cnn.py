"""The digits' own classifier."""

from dataclasses import dataclass

from samplerbench.errors import InputError
from samplerbench.metrics.encoders.base import ENCODERS, Encoder, Encoding
from samplerbench.metrics.extractors import Extractor


@ENCODERS.register("digits-cnn")
@dataclass(frozen=True)
class DigitsEncoder(Encoder):
    """The 64 features of the shipped classifier of the digits, for images of 1x8x8: those of FID (digits-cnn)."""

    meaning = "a small classifier trained on the digits of scikit-learn"

    def load(self, shape, device):
        if shape != (1, 8, 8):
            raise InputError(
                f"digits-cnn takes images of 1x8x8, not {'x'.join(map(str, shape))}: `bench train encoder` trains one "
                "for other data, and pixels fits any."
            )
        extractor = Extractor("digits-cnn", device)
        return Encoding(extractor.width, extractor.digest, lambda images: extractor.net(images)[0], device)
