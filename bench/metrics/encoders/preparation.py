"""How images are made ready for vision transformers, as those who publish features do it: by PIL, then normalised."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from samplerbench.errors import InputError
from samplerbench.methods import FAULTS
from samplerbench.metrics.encoders.base import Encoding
from samplerbench.networks.published.folder import read_config

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
AT_ONCE = 32  # images, since hundreds at 224x224 fill the memory
LARGEST = 2048  # pixels a side


@dataclass(frozen=True)
class Preparation:
    """Resizing of 8-bit images by PIL, which low-pass filters and rounds to 8 bits, a central crop, normalisation.

    size: (height, width), or that of the shorter side, at which the proportions stay. crop: side of the square that is
    cut out then. mean, std: of the three channels of images in [0, 1]. down: whether half a pixel of margin is rounded
    down, as by transformers, or to the even number, as by torchvision.
    """

    size: tuple[int, int] | int
    crop: int | None = None
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    filter: Image.Resampling = Image.Resampling.BICUBIC
    down: bool = False

    def __str__(self) -> str:
        size = "x".join(map(str, self.size)) if isinstance(self.size, tuple) else f"shorter side {self.size}"
        crop = f", centre {self.crop}x{self.crop}{' rounded down' * self.down}" if self.crop else ""
        mean, std = (" ".join(f"{value:g}" for value in each) for each in (self.mean, self.std))
        return f"PIL {self.filter.name.lower()} {size}{crop}, mean {mean}, std {std}"

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (B, 1 or 3, H, W) -> float32 (B, 3, h, w), on the device of the images."""
        resized = np.stack([self._resized(image) for image in images.permute(0, 2, 3, 1).cpu().numpy()])
        pixels = torch.from_numpy(resized).to(images.device).permute(0, 3, 1, 2).expand(-1, 3, -1, -1)
        mean, std = (torch.tensor(each, device=images.device).view(3, 1, 1) for each in (self.mean, self.std))
        return (pixels / 255 - mean) / std

    def _resized(self, image: np.ndarray) -> np.ndarray:
        """uint8 (H, W, 1 or 3) -> (h, w, the same)."""
        height, width = self._size(*image.shape[:2])
        pixels = Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)
        found = np.asarray(pixels.resize((width, height), self.filter)).reshape(height, width, -1)
        if not self.crop:
            return found
        margins = (height - self.crop, width - self.crop)
        top, left = (margin // 2 if self.down else round(margin / 2) for margin in margins)
        return found[top : top + self.crop, left : left + self.crop]

    def _size(self, height: int, width: int) -> tuple[int, int]:
        if isinstance(self.size, tuple):
            return self.size
        shorter = min(height, width)
        return int(self.size * height / shorter), int(self.size * width / shorter)


def read_preparation(file: Path, make: Callable[[dict[str, Any]], Preparation]) -> Preparation:
    """What `make` reads from the JSON object in a file. Raises InputError if that is no possible preparation."""
    config = read_config(file)
    try:
        preparation = make(config)
    except FAULTS as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{file} does not say how images are prepared: {type(error).__name__}: {reason}") from error
    _check(preparation, file)
    return preparation


def _check(preparation: Preparation, file: Path) -> None:
    """Raises InputError for an impossible preparation."""
    sizes = preparation.size if isinstance(preparation.size, tuple) else (preparation.size, preparation.size)
    numbers = (*preparation.mean, *preparation.std)
    if not all(isinstance(side, int) and 1 <= side <= LARGEST for side in sizes):
        raise InputError(f"{file} resizes images to {preparation.size}, which is no size in pixels up to {LARGEST}.")
    if preparation.crop is not None and not 1 <= preparation.crop <= min(sizes):
        raise InputError(f"{file} cuts {preparation.crop} pixels a side out of {min(sizes)}.")
    if [len(preparation.mean), len(preparation.std)] != [3, 3] or not np.isfinite(numbers).all():
        raise InputError(f"{file} has no mean and standard deviation of three channels.")
    if min(preparation.std) <= 0:
        raise InputError(f"{file} has a standard deviation of {min(preparation.std)}.")


def encoding_of(
    net: Callable[[Tensor], Tensor],
    preparation: Preparation,
    digest: str,
    device: torch.device,
    label: str,
    source: Path,
) -> Encoding:
    """The encoding by a network from prepared images to features (B, D).

    Its digest contains the preparation, since other pixels have other features. source: where the network comes from.
    Raises InputError if it fails, or does not return the same finite vectors twice.
    """

    def encode(images: Tensor) -> Tensor:
        return torch.cat([net(preparation(part)) for part in images.split(AT_ONCE)])

    tried = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            first, second = (encode(tried.to(device)) for _ in range(2))
    except FAULTS as error:
        reason = " ".join(str(error).split())[:150]
        raise InputError(f"The network of {source} cannot encode images: {type(error).__name__}: {reason}") from error
    if first.ndim != 2 or not first.isfinite().all():
        raise InputError(f"The network of {source} returns no finite vectors for images: its weights may be damaged.")
    if not torch.equal(first, second):
        raise InputError(f"The network of {source} draws random numbers, so its features are never the same.")
    return Encoding(first.shape[1], f"{digest} of images by {preparation}", encode, device, label)
