import numpy as np
import pytest
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.data.reference import read_statistics, replace_reference
from samplerbench.errors import InputError


def test_other_images_are_the_reference_and_the_datas_own_give_the_floor(tmp_path, pictures):
    pictures(tmp_path / "a", 6)
    pictures(tmp_path / "b", 5)
    images = replace_reference(DATASETS.get(f"folder:{tmp_path / 'a'}").load(), f"folder:{tmp_path / 'b'}")
    assert (len(images.reference), len(images.floor)) == (5, 6)


def test_other_sizes_are_refused(tmp_path, pictures):
    pictures(tmp_path / "a", 6)
    pictures(tmp_path / "b", 5, size=16)
    with pytest.raises(InputError, match="--reference has images of 3x16x16, and the data of 3x8x8"):
        replace_reference(DATASETS.get(f"folder:{tmp_path / 'a'}").load(), f"folder:{tmp_path / 'b'}")


def test_statistics_are_read(tmp_path):
    mu, sigma = np.arange(3.0), np.eye(3) * 2
    np.savez(tmp_path / "s.npz", mu=mu, sigma=sigma, other=np.zeros(3))
    found = read_statistics(f"stats:{tmp_path / 's.npz'}")
    torch.testing.assert_close(found.moments.mean, torch.from_numpy(mu))
    torch.testing.assert_close(found.moments.covariance, torch.from_numpy(sigma))
    np.savez(tmp_path / "t.npz", mu=mu, sigma=sigma * 1.01)
    assert read_statistics(f"stats:{tmp_path / 't.npz'}").digest != found.digest


GOOD = np.eye(3)


@pytest.mark.parametrize(
    "arrays",
    [
        {"mu": np.zeros(3)}, {"sigma": GOOD}, {"mu": np.zeros(2), "sigma": GOOD}, {"mu": np.zeros(3), "sigma": GOOD[0]},
        {"mu": np.full(3, np.nan), "sigma": GOOD}, {"mu": np.zeros(3), "sigma": GOOD * np.inf},
        {"mu": np.zeros(3, int), "sigma": GOOD}, {"mu": np.zeros(3), "sigma": -GOOD},
        {"mu": np.zeros(3), "sigma": np.triu(np.ones((3, 3)))}, {"mu": np.array(["a"] * 3), "sigma": GOOD},
        {"mu": np.zeros((1, 3)), "sigma": GOOD}, {"mu": np.zeros(0), "sigma": np.zeros((0, 0))}, {},
    ],
)  # fmt: skip
def test_what_is_no_mean_and_covariance_is_one_sentence(tmp_path, arrays):
    np.savez(tmp_path / "s.npz", **arrays)
    with pytest.raises(InputError) as caught:
        read_statistics(f"stats:{tmp_path / 's.npz'}")
    assert "s.npz" in str(caught.value)
    assert "\n" not in str(caught.value)
