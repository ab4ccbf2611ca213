"""Tune images to one encoder: descend the gradient of their FID, in the features of `digits-cnn`, to below its floor.

    python docs/example/tuned.py tuned.npy              # from noise
    python docs/example/tuned.py tuned.npy start.npy    # from images of 1x8x8, as `bench run --save-images` writes them

It is FD-loss (arXiv 2604.28190) on the images themselves, without a generator. Beside the images it writes a picture of
the first ones. `bench score tuned.npy --data digits` scores them; docs/metrics.md has the result.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from samplerbench.data.dataset import DATASETS, to_float, to_uint8
from samplerbench.metrics.extractors import Extractor

COUNT = 797  # images, as many as the digits' reference has
STEPS, RATE = 120, 0.05
SHOWN, ENLARGED = (4, 16), 5  # rows and columns of the picture, and pixels a side for each of an image


def main(output: Path, start: Path | None) -> None:
    images = torch.from_numpy(np.load(start)) if start else noise(COUNT)
    tuned = tune(images, DATASETS.get("digits").load().test, Extractor("digits-cnn", torch.device("cpu")).net.net)
    np.save(output, tuned.numpy())
    picture(tuned).save(output.with_suffix(".png"))


def noise(count: int) -> Tensor:
    """Images (N, 1, 8, 8) of independent uniform pixels."""
    return torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def tune(images: Tensor, reference: Tensor, net: torch.nn.Module, steps: int = STEPS) -> Tensor:
    """Images (N, 1, 8, 8) after Adam has lowered the Frechet distance of their features to those of a reference."""
    with torch.no_grad():
        distance = frechet_to(net.features(to_float(reference)).double())
    free = torch.atanh(to_float(images).clamp(-0.97, 0.97)).clone().requires_grad_()  # so that pixels keep their range
    adam = torch.optim.Adam([free], lr=RATE)
    for _ in range(steps):
        adam.zero_grad()
        distance(net.features(torch.tanh(free)).double()).backward()
        adam.step()
    return to_uint8(torch.tanh(free.detach()))


def frechet_to(reference: Tensor) -> Callable[[Tensor], Tensor]:
    """The squared Frechet distance of features (N, D) to the reference, with a gradient."""
    mean, covariance = reference.mean(0), torch.cov(reference.T)
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp(min=0).sqrt()

    def distance(features: Tensor) -> Tensor:
        ours = torch.cov(features.T)
        products = torch.linalg.eigvalsh(root.T @ ours @ root).clamp(min=1e-12)  # where the root has a gradient
        return (features.mean(0) - mean).square().sum() + (ours + covariance).trace() - 2 * products.sqrt().sum()

    return distance


def picture(images: Tensor) -> Image.Image:
    """The first images, enlarged, a pixel apart from each other."""
    rows, columns = SHOWN
    framed = torch.nn.functional.pad(images[: rows * columns, 0], (0, 1, 0, 1), value=255)  # (N, 9, 9)
    sheet = framed.view(rows, columns, 9, 9).permute(0, 2, 1, 3).reshape(9 * rows, 9 * columns)
    return Image.fromarray(sheet.numpy()).resize(
        (9 * columns * ENLARGED, 9 * rows * ENLARGED), Image.Resampling.NEAREST
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
