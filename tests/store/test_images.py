"""All images of a cell, in files that other tools read."""

import os

import numpy as np

from samplerbench.store.images import SavedImages


def test_batches_become_one_array_for_each_block_and_half_a_block_none(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 1, 4, 4), np.uint8)
    with SavedImages(tmp_path / "images", "cell", 5) as saved:
        for block, start, end in [(3, 0, 2), (3, 2, 5), (7, 0, 4)]:
            saved.add(block, images[int(block == 7), start:end])
    assert sorted(os.listdir(tmp_path / "images")) == ["cell-3.npy", "cell-7.partial"]
    np.testing.assert_array_equal(np.load(tmp_path / "images/cell-3.npy"), images[0])
