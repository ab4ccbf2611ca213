"""Features of uint8 images in memory, through torch-fidelity's extractors, and those of the real images."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, TypeVar

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY, register_feature_extractor
from torch_fidelity.utils import create_feature_extractor

from samplerbench.data.datasets import Images, to_float
from samplerbench.errors import InputError
from samplerbench.metrics.accumulators import Seen
from samplerbench.metrics.dinov2 import DinoV2Extractor
from samplerbench.metrics.frechet import Reference, Statistics
from samplerbench.metrics.neighbours import mean_distance, nearest_distances, radii
from samplerbench.metrics.transport import transport_distance
from samplerbench.models import CheckpointError, load, shipped
from samplerbench.models.digits_cnn import DIGITS, FEATURES, DigitsCNN

T = TypeVar("T")
INCEPTION = "inception-v3-compat"
INCEPTION_WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
BATCH = 256  # images that an extractor sees at once


class DigitsCNNExtractor(FeatureExtractorBase):
    """torch-fidelity's view of the digits classifier: uint8 images (B, 1, 8, 8) -> 64 features, 10 logits."""

    width = FEATURES

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
        return "64", "logits"

    @staticmethod
    def get_default_feature_layer_for_metric(metric):
        return "logits" if metric == "isc" else "64"

    @staticmethod
    def can_be_compiled():
        return True

    @staticmethod
    def get_dummy_input_for_compile():
        return torch.zeros(2, 1, 8, 8, dtype=torch.uint8)

    def forward(self, input):
        features = self.net.features(to_float(input))
        layers = {"64": features, "logits": self.net.classify(features)[:, :DIGITS]}
        return tuple(layers[name] for name in self.features_list)


for name, cls in (("digits-cnn", DigitsCNNExtractor), ("dinov2", DinoV2Extractor)):
    if name not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor(name, cls)


class Extractor:
    """A feature extractor of torch-fidelity, by name, applied to uint8 images (N, C, H, W) in memory.

    `width` is the number of its features, `digest` the hash of its weights. `weights` is the path of DINOv2's; those of
    Inception lie where torch.hub keeps them. Raises InputError if they do not.
    """

    LAYERS: ClassVar = {"digits-cnn": ("64", "logits"), INCEPTION: ("2048", "logits_unbiased"), "dinov2": ("dinov2",)}

    def __init__(
        self,
        name: str,
        device: torch.device,
        download: bool = False,
        logits: bool = False,
        weights: str | None = None,
    ):
        if name == INCEPTION and not download:
            _find_inception()
        self.name, self.device = name, device
        layers = list(self.LAYERS[name][: 1 + logits])

        net = create_feature_extractor(name, layers, cuda=False, verbose=False, feature_extractor_weights_path=weights)
        self.width, self.digest = (2048, INCEPTION_WEIGHTS[-12:-4]) if name == INCEPTION else (net.width, net.digest)
        self.net = net.to(device)

    @torch.inference_mode()
    def see(self, images: Tensor) -> Seen:
        """Features (N, D), and logits (N, classes) if they were asked for, in float64 on the CPU.

        All but the digits' classifier see grey images as three equal channels.
        """
        if self.name != "digits-cnn":
            images = images.expand(-1, 3, -1, -1)
        batches = [self.net(batch.to(self.device)) for batch in images.split(BATCH)]
        return Seen(*(torch.cat([part.double().cpu() for part in parts]) for parts in zip(*batches, strict=True)))

    def __call__(self, images: Tensor) -> Tensor:
        """Features (N, D) in float64 on the CPU."""
        return self.see(images).features


class Pixels:
    """No extractor at all: the pixels themselves, for data that is known exactly."""

    name, digest = "pixels", "none"

    def __init__(self, width: int):
        self.width = width

    def see(self, images: Tensor) -> Seen:
        """Images (N, C, H, W) as vectors (N, D) in float64 on the CPU."""
        return Seen(self(images))

    def __call__(self, images: Tensor) -> Tensor:
        """The same, alone."""
        return images.flatten(1).double().cpu()


def _find_inception() -> None:
    path = Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_WEIGHTS
    if not path.exists():
        raise InputError(
            f"FID on this data needs Inception's weights (91 MB): put {INCEPTION_WEIGHTS} from torch-fidelity's "
            f"releases into {path.parent}, or add --download, or measure speed alone with --no-quality."
        )


@dataclass(frozen=True, eq=False)
class RealFeatures:
    """The features (N, D) of the real images: the two splits, and what is made of them once a run."""

    images: Images
    extractor: Extractor | Pixels
    _made: dict[tuple, object] = field(default_factory=dict)

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

    @property
    def others(self) -> Tensor:
        """Features of the real images that are not the reference."""
        return self.train if self.images.held_out_reference else self.test

    @cached_property
    def accuracy(self) -> float:
        """The share of held-out images that the extractor's classifier knows; it needs logits of their classes."""
        return (self.extractor.see(self.images.test).logits.argmax(1) == self.images.test_labels).double().mean().item()

    @property
    def width(self) -> int:
        """The number of features."""
        return self.reference.shape[1]

    @cached_property
    def _gaussian(self) -> Reference:
        return Reference(self.images.known or Statistics.of(self.reference))

    def distance(self, samples: Statistics) -> float:
        """The Frechet distance of samples to the reference."""
        return self._gaussian.distance(samples)

    def frechet(self, features: Tensor) -> float:
        """The Frechet distance of features (N, D) to the reference."""
        return self.distance(Statistics.of(features))

    def floor(self, samples: int) -> float:
        """The Frechet distance of as many real images that are not the reference, or of all if there are fewer."""
        return self._once("floor", samples, lambda: self.frechet(self.others[:samples]))

    def floor_sd(self, samples: int) -> float:
        """By how much (a standard deviation) the floor would vary with other real images.

        From subsets of n = min(N, M / 2) of the M other images, each without replacement, since duplicates would raise
        the distance; they overlap, so the variance is divided by 1 - n / M. From n to N the standard deviation is taken
        to fall like 1 / N, as that of a distance near zero does. On simulated features like the digits' the result was
        7 to 19 % above the true one for N = M / 2 and from 11 % below to 11 % above it for N = M = 1000, with 800 to
        3000 reference images; 1 / sqrt(N) would have been 25 to 57 % above. Other real images moved it by about 20 %.
        """
        return self._once("floor_sd", samples, lambda: self._floor_sd(min(samples, len(self.others))))

    def _floor_sd(self, count: int) -> float:
        total = len(self.others)
        size = min(count, total // 2)
        repeats = max(16, 2**13 // self.width)  # more where a distance takes a millisecond, not a second
        generator = torch.Generator().manual_seed(0)
        subsets = [torch.randperm(total, generator=generator)[:size] for _ in range(repeats)]
        distances = torch.tensor([self.frechet(self.others[subset]) for subset in subsets])
        return (distances.std() / (1 - size / total) ** 0.5 * size / count).item()

    def ceiling(self, samples: int) -> float:
        """The Frechet distance of as many images of pure noise: the normal numbers that samplers start from."""
        return self._once("ceiling", samples, lambda: self._ceiling(samples))

    def _ceiling(self, samples: int) -> float:
        statistics, generator = Statistics(self.width), torch.Generator().manual_seed(0)
        for start in range(0, samples, BATCH):
            shape = (min(BATCH, samples - start), *self.images.reference.shape[1:])
            statistics.update(self.extractor(self.images.finished(torch.randn(shape, generator=generator))))
        return self.distance(statistics)

    def transport_floor(self, samples: int) -> float:
        """W2 of as many real images that are not the reference."""
        return self._once(
            "transport", samples, lambda: transport_distance(self.others[:samples], self.reference[:samples])
        )

    def radii(self, neighbours: int) -> Tensor:
        """The distance (N,) of each reference image to its `neighbours`-th nearest among the others of them."""
        return self._once("radii", neighbours, lambda: radii(self.reference, neighbours))

    @cached_property
    def unseen_distance(self) -> float:
        """The median distance from a held-out image to its nearest training image."""
        return nearest_distances(self.test, self.train).median().item()

    @cached_property
    def unpaired_distance(self) -> float:
        """The mean distance between two different images of the reference."""
        return mean_distance(self.reference)

    def _once(self, what: str, number: int, make: Callable[[], T]) -> T:
        if (what, number) not in self._made:
            self._made[what, number] = make()
        return self._made[what, number]
