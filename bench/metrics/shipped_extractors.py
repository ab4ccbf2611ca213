"""The classifiers that come with the package, as feature extractors."""

from abc import abstractmethod
from typing import Any, ClassVar

from torch import Tensor, nn

from samplerbench.data.dataset import to_float
from samplerbench.models import Checkpoint, digits_cnn, encoder, load, shipped


class ShippedExtractor(nn.Module):
    """uint8 images (B, C, H, W) of one shape -> features (B, width), and the logits (B, classes) of the data's classes.

    dataset: whose images it was trained on. digest: the hash of its weights.
    """

    dataset: ClassVar[str]
    shape: ClassVar[tuple[int, int, int]]
    width: ClassVar[int]
    classes: ClassVar[int]

    def __init__(self, name: str, logits: bool):
        """logits: whether `forward` returns them too."""
        super().__init__()
        checkpoint = load(shipped(self.dataset, name))
        self.net, self.digest, self.logits = self.network(checkpoint), checkpoint.digest, logits
        self.eval().requires_grad_(False)

    @staticmethod
    @abstractmethod
    def network(checkpoint: Checkpoint) -> Any:
        """The classifier, which has `features` and `classify`. Raises CheckpointError if the file holds another."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        features = self.net.features(to_float(images))
        return (features, self.net.classify(features)[:, : self.classes]) if self.logits else (features,)


class DigitsCNNExtractor(ShippedExtractor):
    """The classifier of the digits: 64 features."""

    dataset, shape, width, classes = "digits", (1, 8, 8), digits_cnn.FEATURES, digits_cnn.DIGITS

    @staticmethod
    def network(checkpoint):
        return checkpoint.digits_cnn()


class MNISTCNNExtractor(ShippedExtractor):
    """The classifier of MNIST's digits: 128 features."""

    dataset, shape, width, classes = "mnist5k", (1, 28, 28), encoder.FEATURES, 10

    @staticmethod
    def network(checkpoint):
        return checkpoint.encoder()


SHIPPED: dict[str, type[ShippedExtractor]] = {"digits-cnn": DigitsCNNExtractor, "mnist-cnn": MNISTCNNExtractor}
