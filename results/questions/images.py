"""Images for docs/questions.md that differ in one treatment alone: `python results/questions/images.py DIR`.

floor, round: the same samples of `flow` at 10 steps, quantised as floor(255 y) and as round(255 y), y in [0, 1].
training: the digits that the networks were trained on.
reference, bicubic, bilinear: real digits enlarged to 32x32; the first are those that the other two are compared with.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from samplerbench.data.dataset import DATASETS
from samplerbench.methods import Sampler, get
from samplerbench.networks.checkpoints import load_network
from samplerbench.sampling.generate import generate
from samplerbench.sampling.noise import ImageNoise

BLOCKS, SAMPLES, SIDE = 5, 1000, 32


def main(folder: Path) -> None:
    """Write all of them as .npy files."""
    digits = DATASETS.get("digits")
    network, sampler = load_network("flow", digits, None, torch.device("cpu")), Sampler(get("flow"), 10)
    for block in range(BLOCKS):
        parts = [range(start, start + 250) for start in range(0, SAMPLES, 250)]
        images = torch.cat([generate(sampler, network, ImageNoise(block, part)).images for part in parts])
        levels = (images.clamp(-1, 1) + 1) / 2 * 255
        np.save(folder / f"floor-{block}.npy", levels.floor().byte().numpy())
        np.save(folder / f"round-{block}.npy", levels.round().byte().numpy())
    real = digits.load()
    np.save(folder / "training.npy", real.train.numpy())
    np.save(folder / "reference.npy", _enlarged(real.train, Image.Resampling.BICUBIC))
    np.save(folder / "bicubic.npy", _enlarged(real.test, Image.Resampling.BICUBIC))
    np.save(folder / "bilinear.npy", _enlarged(real.test, Image.Resampling.BILINEAR))


def _enlarged(images: torch.Tensor, filter_: Image.Resampling) -> np.ndarray:
    whole = [np.asarray(Image.fromarray(image[0].numpy()).resize((SIDE, SIDE), filter_)) for image in images]
    return np.stack(whole)[:, None]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
