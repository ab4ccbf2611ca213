"""The kernel distance."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from samplerbench.methods import Between
from samplerbench.metrics.accumulators import Collect
from samplerbench.metrics.base import METRICS, ImageMetric
from samplerbench.metrics.column import Column


@METRICS.register("kid")
@dataclass(frozen=True)
class KID(ImageMetric):
    """Unbiased kernel distance, the mean over disjoint blocks, and its standard error from them (arXiv 1801.01401)."""

    blocks: Annotated[int, Between(2, 1000)] = 10

    columns: ClassVar = (
        Column(
            "kid", "KID", "lower", extractor=True, spread="kid_se",
            meaning="**{label}**: squared kernel distance (unbiased estimate, so it can be negative) ± its standard "
            "error.",
        ),
        Column("kid_se"),
    )  # fmt: skip

    def accumulator(self, real):
        def score(features: Tensor) -> dict[str, float]:
            count = min(self.blocks, len(features) // 2, len(real.reference) // 2)
            pairs = zip(features.tensor_split(count), real.reference.tensor_split(count), strict=True)
            values = torch.stack([polynomial_mmd(x, y) for x, y in pairs])
            return {"kid": values.mean().item(), "kid_se": (values.std() / count**0.5).item()}

        return Collect(score)

    def min_samples(self, width):
        return 4  # two blocks of two


def polynomial_mmd(x: Tensor, y: Tensor) -> Tensor:
    """The unbiased squared maximum mean discrepancy of x (N, D) and y (M, D) under (x.y / D + 1)^3."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def mean_off_diagonal(k: Tensor) -> Tensor:
        return (k.sum() - k.trace()) / (len(k) * (len(k) - 1))

    return mean_off_diagonal(kernel(x, x)) + mean_off_diagonal(kernel(y, y)) - 2 * kernel(x, y).mean()
