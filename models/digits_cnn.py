"""The small classifier whose features FID and other metrics use on the digits: `digits-cnn`."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samplerbench.models.augment import DAMAGES, damaged, deformed

FEATURES = 64
DIGITS = 10


class DigitsCNN(nn.Module):
    """Three convolutions on 8x8 images and a linear layer of features. forward: (B, 1, 8, 8) -> logits (B, 13).

    It is trained to classify the ten digits and, to make its features sensitive to the errors of few-step samplers,
    whether an image is clean, noisy or blurred: ten logits for the digit and three for the damage. Small random
    deformations keep it from memorising the training images, whose features would then differ from those of held-out
    images.
    """

    def __init__(self):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.GroupNorm(8, 32), nn.SiLU(),
            nn.Conv2d(32, 64, 3, padding=1, stride=2), nn.GroupNorm(8, 64), nn.SiLU(),
            nn.Conv2d(64, 64, 3, padding=1), nn.GroupNorm(8, 64), nn.SiLU(),
        )  # fmt: skip
        self.project = nn.Linear(64 * 4 * 4, FEATURES)
        self.dropout = nn.Dropout(0.3)
        self.classify = nn.Linear(FEATURES, DIGITS + DAMAGES)

    def features(self, images: Tensor) -> Tensor:
        """(B, 64) for images (B, 1, 8, 8) in [-1, 1]."""
        return F.silu(self.project(self.convolutions(images).flatten(1)))

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.dropout(self.features(images)))

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The sum of both cross-entropies of each image (B,), for images that are deformed and damaged at random."""
        damage = torch.randint(DAMAGES, (len(images),), device=images.device)
        logits = self(damaged(deformed(images), damage))
        digit = F.cross_entropy(logits[:, :DIGITS], labels, reduction="none")
        return digit + F.cross_entropy(logits[:, DIGITS:], damage, reduction="none")
