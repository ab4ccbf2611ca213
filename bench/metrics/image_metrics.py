"""The figures of quality, by name: these see features batch after batch, and `bench.replays` are the others."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import Tensor

import samplerbench.metrics.replays  # noqa: F401 - registers them
from samplerbench.methods import Between
from samplerbench.metrics.accumulators import Classes, Hit, Kept, Moments, Right
from samplerbench.metrics.base import FALL_IS_WORSE, METRICS, NO_VERDICT, RISE_IS_WORSE, Metric
from samplerbench.metrics.frechet import Statistics
from samplerbench.metrics.neighbours import balls_around, nearest_distances, radii
from samplerbench.metrics.transport import transport_distance


@METRICS.register("fid")
@dataclass(frozen=True)
class FID(Metric):
    """Frechet distance to the reference (arXiv 1706.08500), with its floor, the floor's spread, and its ceiling."""

    columns: ClassVar = {
        "fid": RISE_IS_WORSE,
        "fid_floor": NO_VERDICT,
        "fid_floor_sd": NO_VERDICT,
        "fid_ceiling": NO_VERDICT,
    }

    def start(self, real):
        def score(samples: Statistics) -> dict[str, float]:
            count = samples.count
            anchors = (real.floor(count), real.floor_sd(count), real.ceiling(count))
            return dict(zip(self.columns, (real.distance(samples), *anchors), strict=True))

        return Moments(real.width, score)


@METRICS.register("fd_dinov2")
@dataclass(frozen=True)
class FDDinoV2(Metric):
    """Frechet distance in DINOv2's features (arXiv 2306.04675) as torch-fidelity prepares images, and its floor.

    weights: the path of dinov2_vitl14_pretrain.pth, without commas and brackets; else it is sought where torch.hub
    keeps checkpoints.
    """

    weights: str | None = None

    columns: ClassVar = {"fd_dinov2": RISE_IS_WORSE, "fd_dinov2_floor": NO_VERDICT}

    def start(self, real):
        def score(samples: Statistics) -> dict[str, float]:
            return {"fd_dinov2": real.distance(samples), "fd_dinov2_floor": real.floor(samples.count)}

        return Moments(real.width, score)

    def extractor(self, device):
        from samplerbench.metrics.features import Extractor

        return Extractor("dinov2", device, weights=self.weights)


@METRICS.register("fid_inf")
@dataclass(frozen=True)
class FIDInfinity(Metric):
    """FID against 1/N, fitted by least squares over random subsets of N/4 to N samples, at 1/N = 0 (arXiv 1911.07023).

    It takes away the bias of a finite number of samples, not that of a finite reference. The smallest subset must
    outnumber the features: below that the distance is not linear in 1/N.
    """

    sizes: Annotated[int, Between(3, 50)] = 8

    columns: ClassVar = {"fid_inf": RISE_IS_WORSE}

    def start(self, real):
        def score(features: Tensor) -> dict[str, float]:
            generator = torch.Generator().manual_seed(0)
            counts = np.linspace(len(features) / 4, len(features), self.sizes).round().astype(int)
            subsets = (features[torch.randperm(len(features), generator=generator)[:count]] for count in counts)
            distances = [real.frechet(subset) for subset in subsets]
            return {"fid_inf": float(np.polyfit(1 / counts, distances, 1)[1])}

        return Kept(score)

    def least(self, width):
        return 4 * (width + 1)


@METRICS.register("kid")
@dataclass(frozen=True)
class KID(Metric):
    """Unbiased kernel distance, the mean over disjoint blocks, and its standard error from them (arXiv 1801.01401)."""

    blocks: Annotated[int, Between(2, 1000)] = 10

    columns: ClassVar = {"kid": RISE_IS_WORSE, "kid_se": NO_VERDICT}

    def start(self, real):
        def score(features: Tensor) -> dict[str, float]:
            count = min(self.blocks, len(features) // 2, len(real.reference) // 2)
            pairs = zip(features.tensor_split(count), real.reference.tensor_split(count), strict=True)
            values = torch.stack([polynomial_mmd(x, y) for x, y in pairs])
            return {"kid": values.mean().item(), "kid_se": (values.std() / count**0.5).item()}

        return Kept(score)

    def least(self, width):
        return 4  # two blocks of two


def polynomial_mmd(x: Tensor, y: Tensor) -> Tensor:
    """The unbiased squared maximum mean discrepancy of x (N, D) and y (M, D) under (x.y / D + 1)^3."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def mean_off_diagonal(k: Tensor) -> Tensor:
        return (k.sum() - k.trace()) / (len(k) * (len(k) - 1))

    return mean_off_diagonal(kernel(x, x)) + mean_off_diagonal(kernel(y, y)) - 2 * kernel(x, y).mean()


@METRICS.register("precision")
@dataclass(frozen=True)
class Precision(Metric):
    """Share of samples no farther from some real image than that one's neighbours are (arXiv 1904.06991)."""

    neighbours: Annotated[int, Between(1, 100)] = 3

    columns: ClassVar = {"precision": FALL_IS_WORSE}

    def start(self, real):
        reach = real.radii(self.neighbours)
        return Kept(
            lambda inside: {"precision": inside.double().mean().item()},
            lambda features: balls_around(features, real.reference, reach) > 0,
        )


@METRICS.register("recall")
@dataclass(frozen=True)
class Recall(Metric):
    """Share of real images no farther from some sample than that one's neighbours are (arXiv 1904.06991)."""

    neighbours: Annotated[int, Between(1, 100)] = 3

    columns: ClassVar = {"recall": FALL_IS_WORSE}

    def start(self, real):
        def score(features: Tensor) -> dict[str, float]:
            inside = balls_around(real.reference, features, radii(features, self.neighbours)) > 0
            return {"recall": inside.double().mean().item()}

        return Kept(score)

    def least(self, width):
        return self.neighbours + 1


@METRICS.register("density")
@dataclass(frozen=True)
class Density(Metric):
    """In how many real neighbourhoods a sample lies, 1 for real images (arXiv 2002.09797)."""

    neighbours: Annotated[int, Between(1, 100)] = 5

    columns: ClassVar = {"density": FALL_IS_WORSE}

    def start(self, real):
        reach = real.radii(self.neighbours)
        return Kept(
            lambda around: {"density": around.mean().item() / self.neighbours},
            lambda features: balls_around(features, real.reference, reach, torch.lt),
        )


@METRICS.register("coverage")
@dataclass(frozen=True)
class Coverage(Metric):
    """Share of real images whose neighbourhood holds a sample (arXiv 2002.09797)."""

    neighbours: Annotated[int, Between(1, 100)] = 5

    columns: ClassVar = {"coverage": FALL_IS_WORSE}

    def start(self, real):
        return Hit(real.reference, real.radii(self.neighbours))


@METRICS.register("inception_score")
@dataclass(frozen=True)
class InceptionScore(Metric):
    """exp(mean KL(p(y|x) || p(y))) of the data set's classifier: Inception's only where FID is (arXiv 1606.03498).

    splits: the mean over this many parts of the images, as they come in turn.
    """

    splits: Annotated[int, Between(1, 100)] = 1

    columns: ClassVar = {"inception_score": FALL_IS_WORSE}
    logits = True

    def start(self, real):
        return Classes(self.splits)

    def least(self, width):
        return 2 * self.splits


@METRICS.register("class_accuracy")
@dataclass(frozen=True)
class ClassAccuracy(Metric):
    """Share of images that the data set's classifier takes for what they were asked to be, and of held-out real ones.

    The classifier has seen the training images, so that those it has not seen say how far to trust it.
    """

    columns: ClassVar = {"class_accuracy": FALL_IS_WORSE, "class_accuracy_floor": NO_VERDICT}
    logits = labels = True

    def start(self, real):
        return Right(lambda share: {"class_accuracy": share, "class_accuracy_floor": real.accuracy})


@METRICS.register("novelty")
@dataclass(frozen=True)
class Novelty(Metric):
    """Median feature distance to the nearest training image, over that of held-out images: 1 unseen, 0 memorised."""

    columns: ClassVar = {"novelty": FALL_IS_WORSE}

    def start(self, real):
        return Kept(
            lambda distances: {"novelty": distances.median().item() / real.unseen_distance},
            lambda features: nearest_distances(features, real.train),
        )


@METRICS.register("wasserstein")
@dataclass(frozen=True)
class Wasserstein(Metric):
    """W2 of the first samples and as many real images, by exact transport between them, with its floor.

    images: how many of each; the time grows with the cube of it.
    """

    images: Annotated[int, Between(2, 5000)] = 500

    columns: ClassVar = {"wasserstein": RISE_IS_WORSE, "wasserstein_floor": NO_VERDICT}

    def start(self, real):
        def score(features: Tensor) -> dict[str, float]:
            count = min(self.images, len(features), len(real.reference), len(real.others))
            target = real.reference[:count]
            pair = (transport_distance(features[:count], target), real.transport_floor(count))
            return dict(zip(self.columns, pair, strict=True))

        return Kept(score)
