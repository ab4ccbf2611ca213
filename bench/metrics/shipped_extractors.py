"""The classifiers that come with the package, as feature extractors of torch-fidelity."""

from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

from samplerbench.data.dataset import to_float
from samplerbench.models import Checkpoint, digits_cnn, encoder, load, shipped


class ShippedExtractor(FeatureExtractorBase):
    """uint8 images (B, C, H, W) of one shape -> features (B, width), and the logits (B, classes) of the data's classes.

    dataset: whose images it was trained on.
    """

    dataset: ClassVar[str]
    shape: ClassVar[tuple[int, int, int]]
    width: ClassVar[int]
    classes: ClassVar[int]

    def __init__(self, name, features_list, **kwargs):
        super().__init__(name, features_list)
        checkpoint = load(shipped(self.dataset, name))
        self.net, self.digest = self.network(checkpoint), checkpoint.digest

    @staticmethod
    @abstractmethod
    def network(checkpoint: Checkpoint) -> Any:
        """The classifier, which has `features` and `classify`. Raises CheckpointError if the file holds another."""

    @classmethod
    def get_provided_features_list(cls):
        return str(cls.width), "logits"

    @classmethod
    def get_default_feature_layer_for_metric(cls, metric):
        return "logits" if metric == "isc" else str(cls.width)

    @staticmethod
    def can_be_compiled():
        return True

    @classmethod
    def get_dummy_input_for_compile(cls):
        return torch.zeros(2, *cls.shape, dtype=torch.uint8)

    def forward(self, input):
        features = self.net.features(to_float(input))
        layers = {str(self.width): features, "logits": self.net.classify(features)[:, : self.classes]}
        return tuple(layers[name] for name in self.features_list)


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
