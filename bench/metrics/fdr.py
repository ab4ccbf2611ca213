"""The Frechet distance ratio: how many times as far as held-out real images, on average over several encoders."""

from dataclasses import dataclass, field, replace
from math import inf
from typing import ClassVar

from samplerbench.methods import SpecError
from samplerbench.metrics.base import METRICS, Accumulator, Features, ImageMetric
from samplerbench.metrics.column import BLOCKS, Column
from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.metrics.frechet import Statistics
from samplerbench.metrics.reference import RealFeatures


@METRICS.register("fdr")
@dataclass(frozen=True)
class FDR(ImageMetric):
    """Frechet distance over that of as many held-out real images, mean over encoders (FDr^k, arXiv 2604.28190).

    encoders: from `bench list encoders`, joined by "+" (so that a path must not contain one). With several, the columns
        fdr_1, fdr_2, ... hold the ratio in each, in this order.
    """

    encoders: str = field(default="pixels", metadata={"printed": True})

    needs_floor = True
    columns: ClassVar = (
        Column(
            "fdr", "FDr", "lower", spread=BLOCKS,
            meaning="**{label}**: Frechet distance to {reference_images} reference images, divided by that of as many "
            "held-out real images, and averaged over the encoders: 1 is as close as real images are.",
        ),
    )  # fmt: skip

    def __post_init__(self):
        super().__post_init__()
        if len(set(self.encoded_by)) < len(self.encoded_by):
            raise SpecError(f"{self.encoders!r} names an encoder twice.")

    @property
    def encoded_by(self):
        return tuple(ENCODERS.get(spec) for spec in self.encoders.split("+"))

    def described(self, *reals):
        labels = [real.extractor.label for real in reals]
        mean = replace(self.columns[0], label=f"FDr ({', '.join(labels)})")
        ratios = [
            replace(
                mean, name=name, label=f"FDr ({label})", wide=True, meaning="**{label}**: the ratio in that encoder."
            )
            for name, label in zip(_names(len(reals)), labels, strict=True)
        ]
        return (mean, *ratios) if len(ratios) > 1 else (mean,)

    def accumulator(self, *reals):
        return Ratios(reals)


class Ratios(Accumulator):
    """The statistics of a block's images in the features of each encoder.

    Where there are fewer held-out images than generated ones, the block's first images are used, as many as those: the
    bias of the distance depends on their number, and must cancel in the ratio.
    """

    def __init__(self, reals: tuple[RealFeatures, ...]):
        self.reals, self.statistics = reals, [Statistics(real.width) for real in reals]

    def update(self, *batches: Features) -> None:
        for real, statistics, batch in zip(self.reals, self.statistics, batches, strict=True):
            statistics.update(batch.features[: len(real.images.floor) - statistics.count])

    def columns(self) -> dict[str, float]:
        ratios = [_ratio(real, statistics) for real, statistics in zip(self.reals, self.statistics, strict=True)]
        mean = {"fdr": sum(ratios) / len(ratios)}
        return mean | dict(zip(_names(len(ratios)), ratios, strict=True)) if len(ratios) > 1 else mean


def _ratio(real: RealFeatures, statistics: Statistics) -> float:
    floor = real.floor(statistics.count)
    return real.distance(statistics) / floor if floor > 0 else inf  # 0 where the held-out images are the reference


def _names(count: int) -> list[str]:
    return [f"fdr_{number}" for number in range(1, count + 1)]
