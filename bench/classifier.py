"""The small classifier whose features measure quality on the digits: `digits-cnn`."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEATURES = 64
KERNEL = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])[None, None] / 16


class DigitsCNN(nn.Module):
    """Three convolutions on 8x8 images and one linear layer of features. forward: images (B, 1, 8, 8) -> logits.

    It learns to tell the ten digits apart and, so that its features see what few-step samplers get wrong, a clean image
    from a noisy and a blurred one: 13 logits, ten for the digit and three for the damage.
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
        self.classify = nn.Linear(FEATURES, 10 + 3)

    def features(self, images: Tensor) -> Tensor:
        """(B, 64) for images (B, 1, 8, 8) in [-1, 1]."""
        return F.silu(self.project(self.convolutions(images).flatten(1)))

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.dropout(self.features(images)))

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The cross-entropies of the digit and of the damage, which is drawn here, of each image (B,)."""
        damage = torch.randint(3, (len(images),), device=images.device)
        strength = torch.rand(len(images), 1, 1, 1, device=images.device)
        noisy = images + 0.5 * strength * torch.randn_like(images)
        blurred = torch.lerp(images, blur(images), strength)
        damaged = torch.stack((images, noisy, blurred))[damage, torch.arange(len(images))]
        logits = self(damaged)
        return F.cross_entropy(logits[:, :10], labels, reduction="none") + F.cross_entropy(
            logits[:, 10:], damage, reduction="none"
        )


def blur(images: Tensor) -> Tensor:
    """A 3x3 binomial blur of images (B, 1, H, W) on a background of -1."""
    return F.conv2d(F.pad(images, (1, 1, 1, 1), value=-1.0), KERNEL.to(images.device))
