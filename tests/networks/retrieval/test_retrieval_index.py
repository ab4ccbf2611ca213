"""The index is exact, whichever library searches."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from samplerbench.networks.retrieval.index import Index


@pytest.fixture(scope="module")
def vectors():
    """(300, 16) with ties: every tenth repeats the first, in another place than the queries."""
    found = torch.randn(300, 16, generator=torch.Generator().manual_seed(0))
    found[::10] = found[0]
    return found


@pytest.fixture(scope="module")
def expected(vectors):
    """The nearest of the vectors to themselves, by distance and then by number."""
    distances = (vectors[None].double() - vectors[:, None].double()).square().sum(2)
    return distances.argsort(dim=1, stable=True)


class BackwardIndex:
    """faiss's interface; it finds the right candidates, and returns them in the wrong order."""

    searches = 0

    def __init__(self, width):
        self.vectors = np.empty((0, width), np.float32)

    def add(self, vectors):
        self.vectors = vectors

    def search(self, queries, count):
        BackwardIndex.searches += 1
        distances = ((queries[:, None] - self.vectors) ** 2).sum(2)
        return None, distances.argsort(1)[:, :count][:, ::-1]


def test_neighbours_without_faiss(monkeypatch, vectors, expected):
    monkeypatch.setitem(sys.modules, "faiss", None)  # its import fails
    assert torch.equal(Index(vectors).nearest(vectors[1:10], 5), expected[1:10, :5])


def test_faiss_searches_where_it_is_installed_and_its_candidates_are_ranked_again(monkeypatch, vectors, expected):
    monkeypatch.setitem(sys.modules, "faiss", SimpleNamespace(IndexFlatL2=BackwardIndex))
    assert torch.equal(Index(vectors).nearest(vectors[1:10], 5), expected[1:10, :5])
    assert BackwardIndex.searches == 1


def test_faiss_and_scikit_learn_find_the_same(monkeypatch, vectors, expected):
    pytest.importorskip("faiss")
    found = Index(vectors).nearest(vectors[1:10], 5)
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert torch.equal(found, Index(vectors).nearest(vectors[1:10], 5))
    assert torch.equal(found, expected[1:10, :5])


def test_all_vectors_can_be_asked_for(vectors, expected):
    assert torch.equal(Index(vectors[:4]).nearest(vectors[:1], 4).sort().values, torch.arange(4)[None])
