"""A classifier that is trained for its features: what FID's Inception is for photographs, for any other images."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samplerbench.models.augment import DAMAGES, damaged, deformed, turned
from samplerbench.models.residual import Residual

FEATURES = 128
QUARTERS = 4  # classes where rotations are
LARGEST = 4096  # pixels a side
SMOOTHING = 0.1  # of labels, where damage is graded


@dataclass(frozen=True)
class EncoderConfig:
    """The architecture, as stored in a checkpoint.

    channels: width at full resolution; each halving, down to 4 pixels, doubles it, up to 128.
    classes: number of labels. rotations: the labels are not those of the data, but by how much images were turned.
    graded: damage counts as likely to its degree. On a plain background every damage is obvious, and features that
        only tell it from none change abruptly at the slightest one.
    Raises ValueError for an impossible resolution.
    """

    resolution: int = 8
    image_channels: int = 1
    channels: int = 32
    classes: int = 10
    rotations: bool = False
    graded: bool = False

    def __post_init__(self):
        if not 1 <= self.resolution <= LARGEST:
            raise ValueError(f"the resolution must lie between 1 and {LARGEST}, not {self.resolution}")


class Encoder(nn.Module):
    """Residual convolutions, the mean over the image, and a linear layer of features. forward: (B, C, H, W) -> logits.

    It is trained as `DigitsCNN` is: to classify images that are deformed and damaged at random, and to recognise the
    damage, so that its features are sensitive to the errors of few-step samplers. Its logits are those of the classes
    and three for the damage. Images without labels are turned by quarters, which it learns to tell apart (RotNet,
    arXiv 1803.07728).
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        current, resolution = config.channels, config.resolution
        blocks = [nn.Conv2d(config.image_channels, current, 3, padding=1), Residual(current, current)]
        while resolution > 4:
            wider = min(2 * current, FEATURES)
            blocks.append(Residual(current, wider, stride=2))
            current, resolution = wider, (resolution + 1) // 2
        self.convolutions = nn.Sequential(*blocks, Residual(current, current))
        self.project = nn.Linear(current, FEATURES)
        self.dropout = nn.Dropout(0.3)
        self.classify = nn.Linear(FEATURES, config.classes + DAMAGES)

    def features(self, images: Tensor) -> Tensor:
        """(B, 128) for images (B, C, H, W) in [-1, 1]."""
        return F.silu(self.project(F.silu(self.convolutions(images)).mean((2, 3))))

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.dropout(self.features(images)))

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The sum of the losses of class and damage, of each image (B,): cross-entropies."""
        if self.config.rotations:
            images, labels = turned(images)
        damage = torch.randint(DAMAGES, (len(images),), device=images.device)
        if self.config.graded:
            return self._graded_loss(images, labels, damage)
        logits = self(damaged(deformed(images, extended=True), damage, extended=True))
        label = F.cross_entropy(logits[:, : self.config.classes], labels, reduction="none")
        return label + F.cross_entropy(logits[:, self.config.classes :], damage, reduction="none")

    def _graded_loss(self, images: Tensor, labels: Tensor, damage: Tensor) -> Tensor:
        """The cross-entropies of the smoothed label and of the damage, which is likely to its degree."""
        degree = torch.rand(len(images), device=images.device)
        shown = damaged(deformed(images, fraction=1.0, extended=True), damage, extended=True, degree=degree)
        logits, kinds = self(shown), torch.eye(DAMAGES, device=images.device)
        likely = torch.lerp(kinds[0].expand(len(images), -1), kinds[damage], degree[:, None])
        label = F.cross_entropy(logits[:, : self.config.classes], labels, reduction="none", label_smoothing=SMOOTHING)
        return label + F.cross_entropy(logits[:, self.config.classes :], likely, reduction="none")
