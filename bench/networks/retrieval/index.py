"""Exact nearest neighbours, by faiss where it is installed and by scikit-learn elsewhere."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

SPARE = 8  # neighbours beyond those asked for, among which rounding may have changed the order
BATCH = 256  # queries ranked at once


class Search(Protocol):
    """The numbers (Q, count) of the nearest of the indexed vectors, in float32."""

    def __call__(self, queries: np.ndarray, count: int) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Index:
    """Vectors (N, D), to be searched by Euclidean distance.

    faiss and scikit-learn round differently, so their candidates are ranked again in float64, by distance and then by
    number: the neighbours are the same from both.
    """

    vectors: Tensor

    def nearest(self, queries: Tensor, count: int) -> Tensor:
        """The numbers (Q, count) of the vectors nearest to each query (Q, D), the nearest first."""
        candidates = min(count + SPARE, len(self.vectors))
        found = torch.cat([self._ranked(batch, candidates) for batch in queries.split(BATCH)])
        return found[:, :count]

    def _ranked(self, queries: Tensor, candidates: int) -> Tensor:
        found = torch.from_numpy(self._search(queries.float().numpy(), candidates).astype(np.int64)).sort(1).values
        distances = (self.vectors[found].double() - queries[:, None].double()).square().sum(2)
        return found.gather(1, distances.argsort(dim=1, stable=True))

    @cached_property
    def _search(self) -> Search:
        vectors = np.ascontiguousarray(self.vectors.float().numpy())
        try:
            import faiss
        except ImportError:
            return _by_sklearn(vectors)
        return _by_faiss(faiss, vectors)


def _by_faiss(faiss: Any, vectors: np.ndarray) -> Search:
    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(vectors)
    return lambda queries, count: index.search(np.ascontiguousarray(queries), count)[1]


def _by_sklearn(vectors: np.ndarray) -> Search:
    from sklearn.neighbors import NearestNeighbors  # takes a second to import

    fitted = NearestNeighbors(algorithm="brute").fit(vectors)
    return lambda queries, count: fitted.kneighbors(queries, count, return_distance=False)
