"""How long scoring will take: features are timed on a batch, Frechet distances on one of random features."""

from dataclasses import dataclass

import torch

from samplerbench.data.dataset import quantised
from samplerbench.methods import Sampler
from samplerbench.metrics.column import Column
from samplerbench.metrics.extractors import BATCH
from samplerbench.metrics.frechet import Reference, Statistics
from samplerbench.metrics.reference import RealFeatures, floor_draws
from samplerbench.metrics.scoring import Scorer, SpeedOnly
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling.timing import timed

CPU = torch.device("cpu")  # where features and distances end up


@dataclass(frozen=True)
class ScoringPace:
    """Seconds of scoring: of each image, of each block of images, and once for the real images, floor and ceiling.

    Other distances between features, as of neighbours, are not in it.
    """

    image: float = 0.0
    block: float = 0.0
    once: float = 0.0


def scoring_pace(scorer: Scorer, samples: int) -> ScoringPace:
    """Time the extractors of a sweep on a batch. Raises whatever they raise."""
    distinct = dict.fromkeys(real for _, reals in scorer.of_images for real in reals)
    paces = [_pace(real, _columns(scorer, real), samples) for real in distinct]
    return ScoringPace(*(sum(getattr(pace, name) for pace in paces) for name in ("image", "block", "once")))


def _columns(scorer: Scorer, real: RealFeatures) -> list[Column]:
    """The columns of the metrics that compare with these real images."""
    return [column for metric, reals in scorer.of_images if real in reals for column in metric.columns]


def _pace(real: RealFeatures, columns: list[Column], samples: int) -> ScoringPace:
    image = _per_image(real)
    floor, ceiling = (any(getattr(column, name) for column in columns) for name in ("floor_spread", "ceiling"))
    distance = _distance(real.extractor.width, samples) if floor or ceiling else 0.0
    images = len(real.images.reference) + floor * len(real.images.floor) + ceiling * samples
    distances = floor * (floor_draws(real.extractor.width) + 1) + ceiling
    return ScoringPace(image, distance, images * image + distances * distance)


def _per_image(real: RealFeatures) -> float:
    noise = torch.randn(BATCH, *real.images.reference.shape[1:], generator=torch.Generator().manual_seed(0))
    images = quantised(noise, real.images.exact)
    real.extractor(images[:2])
    return timed(lambda: real.extractor(images), CPU)[1] / BATCH  # which waits for the features


def _distance(width: int, samples: int) -> float:
    """The seconds of a Frechet distance between features of this width."""
    features = torch.randn(
        min(samples, 2 * width), width, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    reference = Reference(Statistics.of(features))
    reference.distance(Statistics.of(features))
    return timed(lambda: reference.distance(Statistics.of(features)), CPU)[1]


def evaluation_seconds(scorer: Scorer | SpeedOnly, sampler: Sampler, network: LoadedNetwork) -> float:
    """The seconds of the metrics that run the sampler again, for one seed block: they are run."""
    return timed(lambda: scorer.evaluate(sampler, network, [0]), network.device)[1]
