"""The digits' own classifier."""

from dataclasses import dataclass

from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.metrics.encoders.shipped import ShippedEncoder


@ENCODERS.register("digits-cnn")
@dataclass(frozen=True)
class DigitsEncoder(ShippedEncoder):
    """The 64 features of the shipped classifier of the digits, for images of 1x8x8: those of FID (digits-cnn)."""

    meaning = "a small classifier trained on the digits of scikit-learn"
