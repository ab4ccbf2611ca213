"""Features of uint8 images in memory, through torch-fidelity's extractors, and those of the real images."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor
from torch_fidelity.utils import create_feature_extractor

from bench.classifier import DigitsCNN
from bench.data import Images, to_float
from bench.errors import InputError
from models import CheckpointError, load, shipped

INCEPTION_WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"


class DigitsCNNExtractor(FeatureExtractorBase):
    """torch-fidelity's view of the digits classifier: uint8 images (B, 1, 8, 8) -> 64 features."""

    def __init__(self, name, features_list, **kwargs):
        super().__init__(name, features_list)
        checkpoint = load(shipped("digits", "digits-cnn"))
        self.net = DigitsCNN()
        try:
            self.net.load_state_dict(checkpoint.weights)
        except RuntimeError as error:
            raise CheckpointError(f"{checkpoint.path} does not hold the weights of digits-cnn: restore it.") from error
        self.digest = checkpoint.digest

    @staticmethod
    def get_provided_features_list():
        return ("64",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric):
        return "64"

    @staticmethod
    def can_be_compiled():
        return True

    @staticmethod
    def get_dummy_input_for_compile():
        return torch.zeros(2, 1, 8, 8, dtype=torch.uint8)

    def forward(self, input):
        return (self.net.features(to_float(input)),)


if "digits-cnn" not in FEATURE_EXTRACTORS_REGISTRY:
    register_feature_extractor("digits-cnn", DigitsCNNExtractor)


class Extractor:
    """A feature extractor of torch-fidelity, by name, applied to uint8 images (N, C, H, W) in memory."""

    LAYERS: ClassVar = {"digits-cnn": "64", "inception-v3-compat": "2048"}

    def __init__(self, name: str, device: torch.device, download: bool = False):
        self.name, self.device = name, device
        self.width = int(self.LAYERS[name])
        weights = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_WEIGHTS
        if name == "inception-v3-compat" and not (weights.exists() or download):
            raise InputError(
                f"FID on this data needs Inception's weights (91 MB): put {INCEPTION_WEIGHTS} from torch-fidelity's "
                f"releases into {weights.parent}, or add --download, or measure speed alone with --no-quality."
            )
        net = create_feature_extractor(name, [self.LAYERS[name]], cuda=False, verbose=False)
        self.net = net.to(device)
        self.digest = getattr(net, "digest", INCEPTION_WEIGHTS[-12:-4])

    @torch.inference_mode()
    def __call__(self, images: Tensor, batch_size: int = 256) -> Tensor:
        """Features (N, D) in float64 on the CPU; Inception sees grey images as three equal channels."""
        if self.name == "inception-v3-compat":
            images = images.expand(-1, 3, -1, -1)
        return torch.cat([self.net(batch.to(self.device))[0].double().cpu() for batch in images.split(batch_size)])


@dataclass(frozen=True)
class RealFeatures:
    """The features (N, D) of the real images: the reference, the floor's, and the two splits."""

    images: Images
    extractor: Extractor
    _floors: dict[int, float] = field(default_factory=dict)

    @cached_property
    def train(self) -> Tensor:
        """Features of the training images."""
        return self.extractor(self.images.train)

    @cached_property
    def test(self) -> Tensor:
        """Features of the held-out images."""
        return self.extractor(self.images.test)

    @property
    def reference(self) -> Tensor:
        """Features of the images that samples are compared with."""
        return self.test if self.images.held_out_reference else self.train

    @cached_property
    def _statistics(self) -> dict:
        return fid_features_to_statistics(self.reference)

    def frechet(self, features: Tensor) -> float:
        """The Frechet distance of features (N, D) to the reference."""
        statistics = fid_features_to_statistics(features)
        return fid_statistics_to_metric(statistics, self._statistics, verbose=False)[KEY_METRIC_FID]

    def floor(self, samples: int) -> float:
        """The Frechet distance of as many real images that are not the reference, or of all if there are fewer."""
        if samples not in self._floors:
            others = self.train if self.images.held_out_reference else self.test
            self._floors[samples] = self.frechet(others[:samples])
        return self._floors[samples]

    @cached_property
    def unseen_distance(self) -> float:
        """The median distance from a held-out image to its nearest training image."""
        return nearest_distances(self.test, self.train).median().item()


def nearest_distances(features: Tensor, others: Tensor) -> Tensor:
    """The Euclidean distance (N,) of each row of features (N, D) to the nearest row of others (M, D)."""
    return torch.cat([torch.cdist(chunk, others).amin(1) for chunk in features.split(512)])
