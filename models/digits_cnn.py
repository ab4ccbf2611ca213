"""The small classifier whose features FID and other metrics use on the digits: `digits-cnn`."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEATURES = 64
DIGITS = 10
KERNEL = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])[None, None] / 16


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
        self.classify = nn.Linear(FEATURES, DIGITS + 3)

    def features(self, images: Tensor) -> Tensor:
        """(B, 64) for images (B, 1, 8, 8) in [-1, 1]."""
        return F.silu(self.project(self.convolutions(images).flatten(1)))

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.dropout(self.features(images)))

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The sum of both cross-entropies of each image (B,), for images that are deformed and damaged at random."""
        damage = torch.randint(3, (len(images),), device=images.device)
        logits = self(_damaged(_deformed(images), damage))
        digit = F.cross_entropy(logits[:, :DIGITS], labels, reduction="none")
        return digit + F.cross_entropy(logits[:, DIGITS:], damage, reduction="none")


def blur(images: Tensor) -> Tensor:
    """A 3x3 binomial blur of images (B, 1, H, W) on a background of -1."""
    return F.conv2d(F.pad(images, (1, 1, 1, 1), value=-1.0), KERNEL.to(images.device))


def _damaged(images: Tensor, damage: Tensor) -> Tensor:
    """Images unchanged (0), with noise (1) or blurred (2), each to a random degree."""
    degree = torch.rand(len(images), 1, 1, 1, device=images.device)
    noisy = images + 0.5 * degree * torch.randn_like(images)
    blurred = torch.lerp(images, blur(images), degree)
    return torch.stack((images, noisy, blurred))[damage, torch.arange(len(images), device=images.device)]


def _deformed(images: Tensor, fraction: float = 0.8) -> Tensor:
    """A random fraction of the images, slightly rotated, scaled, sheared and shifted; the others unchanged."""
    spread = torch.tensor([[0.12, 0.3, 0.12], [0.2, 0.12, 0.12]], device=images.device)
    offsets = (torch.rand(len(images), 2, 3, device=images.device) * 2 - 1) * spread
    grid = F.affine_grid(torch.eye(2, 3, device=images.device) + offsets, list(images.shape), align_corners=False)
    deformed = (F.grid_sample(images + 1, grid, mode="bicubic", align_corners=False) - 1).clamp(-1, 1)
    chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < fraction
    return torch.where(chosen, deformed, images)
