"""What an encoder is: it turns images into features, for metrics that take one, as `fd[encoder=pixels]`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from samplerbench.errors import InputError
from samplerbench.methods import Plugin, Registry, import_files, load_entry_points
from samplerbench.metrics.base import FeatureExtractor, Features, Shape
from samplerbench.metrics.extractors import BATCH


@dataclass(frozen=True, eq=False)
class Encoding(FeatureExtractor):
    """An encoder made ready for images of one shape.

    encode: uint8 images (B, C, H, W) on `device` -> features (B, width).
    digest: the hash of its weights, which makes runs with others incomparable. label: how headings name it; by default
        as the encoder is called.
    """

    width: int
    digest: str
    encode: Callable[[Tensor], Tensor]
    device: torch.device
    label: str = ""
    exact: bool = False
    name: str = ""

    @torch.inference_mode()
    def extract(self, images: Tensor) -> Features:
        """Features (N, D) in float64 on the CPU."""
        batches = (self.encode(batch.to(self.device)).double().cpu() for batch in images.split(BATCH))
        return Features(torch.cat(list(batches)))


class Encoder(Plugin, ABC):
    """A source of features.

    meaning: what they are, as it reads after "in the space of".
    Its spec stands inside the brackets of a metric, so it has no options of its own; a field with
    metadata={"argument": "FILE"} is written after a colon, as in `fd[encoder=trained:FILE]`.
    """

    meaning: ClassVar[str]

    @abstractmethod
    def load(self, shape: Shape, device: torch.device) -> Encoding:
        """The encoder for images of this shape (C, H, W).

        Raises InputError, which says what to do, if they do not fit or a file is missing or damaged.
        """


def prepared(encoder: Encoder, shape: Shape, device: torch.device) -> Encoding:
    """The encoder for images of this shape (C, H, W), with the name that the protocol has. Raises InputError."""
    made = encoder.load(shape, device)
    return replace(made, name=encoder.name, label=made.label or encoder.name)


def check_colours(shape: Shape, encoder: str) -> None:
    """Raises InputError unless images of this shape are grey or RGB, for encoders of photographs."""
    if shape[0] not in (1, 3):
        raise InputError(
            f"{encoder} takes grey or RGB images, not {shape[0]} channels: choose another encoder, such as pixels."
        )


def _load_encoders() -> None:
    import_files("samplerbench.metrics.encoders")
    load_entry_points()


ENCODERS: Registry[Encoder] = Registry("encoder", Encoder, _load_encoders)
