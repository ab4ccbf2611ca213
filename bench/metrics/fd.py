"""The Frechet distance in the features of an encoder that the user chooses."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

from samplerbench.metrics.base import METRICS, ImageMetric
from samplerbench.metrics.column import BLOCKS, Column, literal
from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.metrics.fid import frechet


def _meaning(space: str) -> str:
    return (
        "**{label}**: squared Frechet distance between {samples} generated and {reference_images} reference images in "
        f"the space of {space}. Comparable only under the same protocol (`{{protocol}}`)."
    )


@METRICS.register("fd")
@dataclass(frozen=True)
class FD(ImageMetric):
    """Frechet distance to the reference in the features of `encoder`, with its floor and its ceiling as for FID.

    encoder: one of `bench list encoders`. `pixels` needs no file and fits any data.
    """

    encoder: str = field(default="pixels", metadata={"printed": True})

    needs_reference_images = False
    columns: ClassVar = (
        Column(
            "fd", "FD", "lower", spread=BLOCKS,
            floor="fd_floor", floor_spread="fd_floor_sd", ceiling="fd_ceiling",
            meaning=_meaning("its encoder"),
        ),
        Column("fd_floor"),
        Column("fd_floor_sd"),
        Column("fd_ceiling"),
    )  # fmt: skip

    def __post_init__(self):
        super().__post_init__()
        ENCODERS.get(self.encoder)  # an unknown one is an error at once

    @property
    def encoded_by(self):
        return (ENCODERS.get(self.encoder),)

    def described(self, real):
        (encoder,), (first, *others) = self.encoded_by, self.columns
        meaning = _meaning(literal(encoder.meaning))
        return (replace(first, label=f"FD ({real.extractor.label})", meaning=meaning), *others)

    def accumulator(self, real):
        return frechet("fd", real)
