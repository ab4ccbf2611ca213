"""Super-resolution: the image at a quarter of its resolution."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from samplerbench.data.dataset import to_float
from samplerbench.networks.conditions.base import CONDITIONS, Condition, Conditions, Source, held_out, with_null

FACTOR = 4


@CONDITIONS.register("superres")
@dataclass(frozen=True)
class SuperResolution(Condition):
    """The means of blocks of 4x4 pixels, as channels beside the state: repeated over the pixels of each block, or as
    they are where the state has that resolution, as in latents of a factor of 4."""

    def network(self, space):
        return {"inputs": space.base.channels}

    def training(self, source):
        return _table(source, source.images.train, source.images.train_labels)

    def sampling(self, source):
        return _table(source, *held_out(self, source))


def _table(source: Source, images: Tensor, labels: Tensor) -> Conditions:
    small = F.avg_pool2d(to_float(images), FACTOR)
    rows = F.interpolate(small, size=source.space.resolution, mode="nearest")
    return Conditions(with_null(rows), labels, targets=images)
