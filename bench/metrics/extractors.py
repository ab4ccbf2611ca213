"""Feature extractors, shipped and of torch-fidelity, applied to images in memory."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from samplerbench.errors import InputError
from samplerbench.metrics.base import FeatureExtractor, Features
from samplerbench.metrics.shipped_extractors import SHIPPED

INCEPTION = "inception-v3-compat"
INCEPTION_WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
INCEPTION_DIGEST = INCEPTION_WEIGHTS[-12:-4]
INCEPTION_WIDTH = 2048
BATCH = 256  # images that an extractor sees at once


class Extractor(FeatureExtractor):
    """A feature extractor, shipped or of torch-fidelity, by name, applied to uint8 images (N, C, H, W) in memory."""

    def __init__(
        self,
        name: str,
        device: torch.device,
        download: bool = False,
        logits: bool = False,
        weights: str | None = None,
    ):
        """logits: whether `extract` returns them too. weights: the path of the weights, for extractors that take one.

        Raises InputError if Inception's weights are not where torch.hub keeps them and `download` is not set.
        """
        if name == INCEPTION and not (download or weights):
            _find_inception()
        self.name, self.device = name, device
        net: Any = SHIPPED[name](name, logits) if name in SHIPPED else _of_torch_fidelity(name, logits, weights)
        self.width = INCEPTION_WIDTH if name == INCEPTION else net.width
        self.digest = INCEPTION_DIGEST if name == INCEPTION else net.digest
        self.net = net.to(device)

    @torch.inference_mode()
    def extract(self, images: Tensor) -> Features:
        """Features (N, D), and logits (N, classes) if they were requested, in float64 on the CPU.

        Grey images are repeated to three channels, except for the shipped classifiers.
        """
        if self.name not in SHIPPED:
            images = images.expand(-1, 3, -1, -1)
        batches = [self.net(batch.to(self.device)) for batch in images.split(BATCH)]
        features, *logits = (torch.cat([part.double().cpu() for part in parts]) for parts in zip(*batches, strict=True))
        return Features(features, logits[0] if logits else None)


def _of_torch_fidelity(name: str, logits: bool, weights: str | None) -> Any:
    from torch_fidelity.utils import create_feature_extractor  # which takes as long to import as torch

    layers = ["2048", "logits_unbiased"] if name == INCEPTION else [name]
    return create_feature_extractor(
        name, layers[: 1 + logits], cuda=False, verbose=False, feature_extractor_weights_path=weights
    )


class UnusedInception(FeatureExtractor):
    """Inception where no metric needs it: what the protocol records of the data's extractor, without its weights."""

    name, width, digest = INCEPTION, INCEPTION_WIDTH, INCEPTION_DIGEST

    def extract(self, images: Tensor) -> Features:
        """Raises ValueError: there are no weights."""
        raise ValueError("A metric that sets `features = False` must not use the features of real images.")


class Pixels(FeatureExtractor):
    """No extractor: the pixels themselves, for data with a closed form."""

    name, digest, exact = "pixels", "none", True

    def __init__(self, width: int):
        self.width = width

    def extract(self, images: Tensor) -> Features:
        """Images (N, C, H, W) as vectors (N, D) in float64 on the CPU."""
        return Features(images.flatten(1).double().cpu())


def inception_file() -> Path:
    """Where torch.hub keeps Inception's weights."""
    return Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION_WEIGHTS


def _find_inception() -> None:
    path = inception_file()
    if not path.exists():
        raise InputError(
            f"FID on this data needs Inception's weights (91 MB): put {INCEPTION_WEIGHTS} from torch-fidelity's "
            f"releases into {path.parent}, or add --download, or measure without them by --metrics fd[encoder=pixels], "
            "or speed alone with --no-quality."
        )
