"""The classifier of mnist5k."""

from dataclasses import dataclass

from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.metrics.encoders.shipped import ShippedEncoder


@ENCODERS.register("mnist-cnn")
@dataclass(frozen=True)
class MNISTEncoder(ShippedEncoder):
    """The 128 features of the shipped classifier of mnist5k, for images of 1x28x28: those of FID (mnist-cnn)."""

    meaning = "a small classifier trained on 4000 digits of MNIST"
