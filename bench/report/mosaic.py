"""Many images in one picture."""

import numpy as np

MARGIN = 1  # between images, in their pixels
COLUMNS = 4


def mosaic(images: np.ndarray, columns: int = COLUMNS, scale: int = 1) -> np.ndarray:
    """uint8 images (N, C, H, W) side by side with a white margin, enlarged `scale` times: (height, width, 3)."""
    count, _, height, width = images.shape
    rows = -(-count // columns)
    canvas = np.full((rows * (height + MARGIN) + MARGIN, columns * (width + MARGIN) + MARGIN, 3), 255, np.uint8)
    for index, image in enumerate(images):
        top = MARGIN + index // columns * (height + MARGIN)
        left = MARGIN + index % columns * (width + MARGIN)
        canvas[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    return canvas.repeat(scale, axis=0).repeat(scale, axis=1)
