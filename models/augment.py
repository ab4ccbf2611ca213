"""What classifiers see of images while they are trained, so that their features fit for measuring samplers."""

import torch
import torch.nn.functional as F
from torch import Tensor

KERNEL = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]])[None, None] / 16
DAMAGES = 3  # none, noise, blur


def blur(images: Tensor, extended: bool = False) -> Tensor:
    """A 3x3 binomial blur of images (B, C, H, W) on a background of -1, or with their edges extended."""
    padded = F.pad(images, (1, 1, 1, 1), "replicate") if extended else F.pad(images, (1, 1, 1, 1), value=-1.0)
    return F.conv2d(padded.flatten(0, 1)[:, None], KERNEL.to(images.device)).view_as(images)


def damaged(images: Tensor, damage: Tensor, extended: bool = False, degree: Tensor | None = None) -> Tensor:
    """Images unchanged (0), with noise (1) or blurred (2), each to its degree (B,) in [0, 1]; None: to a random one."""
    degree = torch.rand(len(images), device=images.device) if degree is None else degree
    degree = degree[:, None, None, None]
    noisy = images + 0.5 * degree * torch.randn_like(images)
    blurred = torch.lerp(images, blur(images, extended), degree)
    return torch.stack((images, noisy, blurred))[damage, torch.arange(len(images), device=images.device)]


def deformed(images: Tensor, fraction: float = 0.8, extended: bool = False) -> Tensor:
    """A random fraction of the images, slightly rotated, scaled, sheared and shifted; the others unchanged."""
    spread = torch.tensor([[0.12, 0.3, 0.12], [0.2, 0.12, 0.12]], device=images.device)
    offsets = (torch.rand(len(images), 2, 3, device=images.device) * 2 - 1) * spread
    grid = F.affine_grid(torch.eye(2, 3, device=images.device) + offsets, list(images.shape), align_corners=False)
    padding = "border" if extended else "zeros"  # which is the background, -1, of the images raised by 1
    moved = F.grid_sample(images + 1, grid, mode="bicubic", padding_mode=padding, align_corners=False) - 1
    chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < fraction
    return torch.where(chosen, moved.clamp(-1, 1), images)


def turned(images: Tensor) -> tuple[Tensor, Tensor]:
    """Square images, each turned by a random number of quarters, and these numbers (B,), from 0 to 3."""
    quarters = torch.randint(4, (len(images),), device=images.device)
    every = torch.stack([images.rot90(count, (2, 3)) for count in range(4)])
    return every[quarters, torch.arange(len(images), device=images.device)], quarters
