"""Real images of which only the mean and covariance of their features are here."""

from dataclasses import dataclass, field, replace

import torch

from samplerbench.data.dataset import DATASETS, OWN_IMAGES, Dataset, Images
from samplerbench.errors import InputError

LARGEST = 2**14  # pixels a side


@DATASETS.register("stats")
@dataclass(frozen=True)
class Unseen(Dataset):
    """With --reference: a mean and covariance of features (`mu`, `sigma`), as ADM and EDM publish them; no floor.

    shape: of the images, as in 3x64x64; by default, that of those compared with them.
    """

    file: str = field(metadata={"argument": "FILE.npz"})
    shape: str | None = None

    preset, classes, metrics, known_as = "", 0, ("fid",), OWN_IMAGES

    def __post_init__(self):
        super().__post_init__()
        sides = self.shape.split("x") if self.shape else ["1"] * 3
        if len(sides) != 3 or not all(side.isdecimal() and 0 < int(side) <= LARGEST for side in sides):
            raise InputError(f"The shape of images is written as in 3x64x64, not {self.shape[:50]!r}.")

    def of_shape(self, shape):
        return self if self.shape else replace(self, shape="x".join(map(str, shape)))

    @property
    def _sizes(self) -> list[int]:
        return [int(side) for side in (self.shape or "").split("x")]

    @property
    def resolution(self):
        return self._sizes[-1]

    @property
    def channels(self):
        return self._sizes[0]

    def load(self, root=None, download=False):
        images, labels = torch.zeros(0, *self._sizes, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64)
        return Images(images, labels, images, labels)
