"""Distances to nearest neighbours among features, a chunk of rows at a time."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

CHUNK = 512  # rows of distances in memory at once


def nearest_distances(points: Tensor, others: Tensor) -> Tensor:
    """The Euclidean distance (N,) of each of points (N, D) to the nearest of others (M, D)."""
    return torch.cat([distances.amin(1) for distances in _distances(points, others)])


def radii(points: Tensor, neighbours: int) -> Tensor:
    """The distance (N,) of each of points (N, D) to its `neighbours`-th nearest among the other ones."""
    return torch.cat([distances.kthvalue(neighbours + 1).values for distances in _distances(points, points)])


def count_in_balls(
    points: Tensor, centres: Tensor, radii: Tensor, inside: Callable[[Tensor, Tensor], Tensor] = torch.le
) -> Tensor:
    """In how many of the balls with these centres (M, D) and radii (M,) each of points (N, D) lies: (N,) float64.

    `inside` compares a distance with the radius: torch.le for closed balls, torch.lt for open ones.
    """
    return torch.cat([inside(distances, radii).double().sum(1) for distances in _distances(points, centres)])


def covered(points: Tensor, centres: Tensor, radii: Tensor) -> Tensor:
    """Which of the open balls with these centres (M, D) and radii (M,) hold any of points (N, D): (M,) bool."""
    hit = torch.zeros(len(centres), dtype=torch.bool)
    for distances in _distances(points, centres):
        hit |= (distances < radii).any(0)
    return hit


def _distances(points: Tensor, others: Tensor) -> Iterator[Tensor]:
    for chunk in points.split(CHUNK):
        # By products of matrices, distances of equal rows come out as 1e-6 instead of 0, and ties are broken at random.
        yield torch.cdist(chunk, others, compute_mode="donot_use_mm_for_euclid_dist")


def mean_distance(x: Tensor) -> float:
    """The mean distance between two different rows of x (N, D), estimated from 2000 rows if there are more."""
    chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:2000]
    return torch.pdist(x[chosen]).mean().item()
