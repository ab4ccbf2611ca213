"""Quality: metrics that are functions of features, and the scores of a cell."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from scipy.stats import t as student
from torch import Tensor
from torch_fidelity.metric_prc import calculate_precision_recall_part

from bench.data import DATASETS, digest
from bench.features import Extractor, RealFeatures, nearest_distances
from bench.measure import Cell
from bench.plan import Sweep
from bench.store import joined
from methods import Between, Plugin, Registry

DEFAULT_METRICS = ("fid", "novelty")


class Metric(Plugin, ABC):
    """A figure of quality: features in, columns of the row out."""

    @abstractmethod
    def __call__(self, features: Tensor, real: RealFeatures) -> dict[str, float]:
        """The columns for the features (N, D) of N samples."""


METRICS = Registry("metric", Metric)


@METRICS.register("fid")
@dataclass(frozen=True)
class FID(Metric):
    """Frechet distance to the reference, and the floor: what real images score at the same N (arXiv 1706.08500)."""

    def __call__(self, features, real):
        return {"fid": real.frechet(features), "fid_floor": real.floor(len(features))}


@METRICS.register("kid")
@dataclass(frozen=True)
class KID(Metric):
    """Unbiased kernel distance, the mean over disjoint blocks, and its standard error from them (arXiv 1801.01401)."""

    blocks: Annotated[int, Between(2, 1000)] = 10

    def __call__(self, features, real):
        count = min(self.blocks, len(features) // 2, len(real.reference) // 2)
        pairs = zip(features.tensor_split(count), real.reference.tensor_split(count), strict=True)
        values = torch.stack([polynomial_mmd(x, y) for x, y in pairs])
        return {"kid": values.mean().item(), "kid_se": (values.std() / count**0.5).item() if count > 1 else np.nan}


@METRICS.register("precision-recall")
@dataclass(frozen=True)
class PrecisionRecall(Metric):
    """Share of samples inside the real manifold, and of real images inside the samples' (arXiv 1904.06991)."""

    neighbours: Annotated[int, Between(1, 100)] = 3

    def __call__(self, features, real):
        precision, recall = calculate_precision_recall_part(features, real.reference, self.neighbours)
        return {"precision": precision, "recall": recall}


@METRICS.register("density-coverage")
@dataclass(frozen=True)
class DensityCoverage(Metric):
    """How many real neighbourhoods hold a sample, and how many real images have one near (arXiv 2002.09797)."""

    neighbours: Annotated[int, Between(1, 100)] = 5

    def __call__(self, features, real):
        chunks = (torch.cdist(chunk, real.reference) for chunk in real.reference.split(512))
        radii = torch.cat([distances.kthvalue(self.neighbours + 1).values for distances in chunks])
        inside, covered = 0, torch.zeros(len(radii), dtype=torch.bool)
        for chunk in features.split(512):
            within = torch.cdist(chunk, real.reference) < radii
            inside += within.sum().item()
            covered |= within.any(0)
        return {"density": inside / (self.neighbours * len(features)), "coverage": covered.double().mean().item()}


@METRICS.register("novelty")
@dataclass(frozen=True)
class Novelty(Metric):
    """Median feature distance to the nearest training image, over that of held-out images: 1 unseen, 0 memorised."""

    def __call__(self, features, real):
        return {"novelty": nearest_distances(features, real.train).median().item() / real.unseen_distance}


def polynomial_mmd(x: Tensor, y: Tensor) -> Tensor:
    """The unbiased squared maximum mean discrepancy of x (N, D) and y (M, D) under (x.y / D + 1)^3."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def mean_off_diagonal(k: Tensor) -> Tensor:
        return (k.sum() - k.trace()) / (len(k) * (len(k) - 1))

    return mean_off_diagonal(kernel(x, x)) + mean_off_diagonal(kernel(y, y)) - 2 * kernel(x, y).mean()


class Quality:
    """The reference, its features and the metrics of a sweep."""

    def __init__(self, sweep: Sweep, device: torch.device):
        self.metrics_named = [str(METRICS.get(spec)) for spec in sweep.metrics or DEFAULT_METRICS]
        self.metrics = [METRICS.get(spec) for spec in self.metrics_named]
        dataset = DATASETS.get(sweep.dataset)
        self.images = dataset.load(sweep.data_root, sweep.download)
        self.extractor = Extractor(dataset.extractor, device, sweep.download)
        self.real = RealFeatures(self.images, self.extractor)
        self.facts = {
            "dataset": sweep.dataset,
            "data": self.images.digest,
            "reference": digest(self.images.reference),
            "reference_images": len(self.images.reference),
            "floor_images": min(sweep.samples, len(self.images.floor)),
            "extractor": dataset.extractor,
            "extractor_digest": self.extractor.digest,
            "features": self.extractor.width,
            "samples": sweep.samples,
            "seeds": list(sweep.seeds),
            "quantisation": "round to uint8",
            "labels": "uniform and independent per image",
        }

    def score(self, cell: Cell) -> dict[str, list[float]]:
        """Every metric's columns, one value for each seed block."""
        columns: dict[str, list[float]] = {}
        for images in cell.images.values():
            features = self.extractor(images)
            for metric in self.metrics:
                for name, value in metric(features, self.real).items():
                    columns.setdefault(name, []).append(value)
        return columns

    @staticmethod
    def summarise(scores: dict[str, list[float]]) -> dict[str, float | str]:
        """The columns of a row from the values per seed block: means, and the FID's two-sided 95 % t-interval."""
        row = {name: float(np.mean(values)) for name, values in scores.items()}
        if "kid_se" in scores:
            row["kid_se"] = float(np.linalg.norm(scores["kid_se"]) / len(scores["kid_se"]))
        values = scores.get("fid", [])
        row["fid_per_seed"] = joined(values)
        if len(values) > 1:
            half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
            row |= {"fid_ci_low": row["fid"] - half, "fid_ci_high": row["fid"] + half}
        return row
