from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def pictures():
    """Writes random square images into a folder: pictures(folder, count, mode="RGB", size=8, names="{:03}.png")."""

    def write(folder: Path, count: int, mode: str = "RGB", size: int = 8, names: str = "{:03}.png") -> np.ndarray:
        folder.mkdir(parents=True, exist_ok=True)
        shape = (count, size, size, 3) if mode == "RGB" else (count, size, size)
        pixels = np.random.default_rng(count + size).integers(0, 256, shape, dtype=np.uint8)
        for index, image in enumerate(pixels):
            Image.fromarray(image).save(folder / names.format(index))
        return pixels

    return write
