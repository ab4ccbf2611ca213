import numpy as np
import pytest
import torch
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.data import cache
from samplerbench.data.dataset import Images
from samplerbench.metrics.base import Features
from samplerbench.metrics.reference import RealFeatures


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMPLERBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Counting:
    """An extractor that counts how many images it has seen."""

    name, label, width, exact = "counting", "counting", 2, False

    def __init__(self, digest: str):
        self.digest, self.seen = digest, 0

    def extract(self, images):
        self.seen += len(images)
        return Features(images.double().flatten(1)[:, :2] + 0.5)

    def __call__(self, images):
        return self.extract(images).features


def images(seed: int) -> Images:
    generator = torch.Generator().manual_seed(seed)
    train, test = (torch.randint(256, (5, 1, 4, 4), generator=generator, dtype=torch.uint8) for _ in range(2))
    labels = torch.zeros(5, dtype=torch.int64)
    return Images(train, labels, test, labels)


def features(seed: int, digest: str) -> tuple[torch.Tensor, int]:
    extractor = Counting(digest)
    real = RealFeatures(images(seed), extractor)
    return torch.cat((real.train, real.test)), extractor.seen


def test_features_are_computed_once_for_the_same_images_and_weights():
    first, again, other_images, other_weights = (
        features(0, "a"), features(0, "a"), features(1, "a"), features(0, "b")
    )  # fmt: skip
    assert [seen for _, seen in (first, again, other_images, other_weights)] == [10, 0, 10, 10]
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], other_images[0])


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY half", b"text"])
def test_a_damaged_file_is_computed_again(place, damage):
    expected, _ = features(0, "a")
    for file in place.glob("*.npy"):
        file.write_bytes(damage)
    found, seen = features(0, "a")
    assert seen == 10
    assert torch.equal(found, expected)
    assert features(0, "a")[1] == 0


def test_a_folder_that_cannot_be_written_keeps_nothing(place):
    place.write_text("a file, not a folder")
    assert [features(0, "a")[1] for _ in range(2)] == [10, 10]


def test_features_without_weights_are_not_kept(place):
    assert features(0, "none")[1] == 10
    assert not list(place.glob("*"))


def test_the_least_recently_used_go_first(place, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 500)
    for number in range(4):
        cache.kept((number,), lambda: torch.zeros(10, 2, dtype=torch.float64))
    assert sum(entry.size for entry in cache.entries()) <= 500
    again = cache.kept((3,), lambda: torch.ones(10, 2, dtype=torch.float64))
    assert np.array_equal(again, np.zeros((10, 2)))


def test_the_command_shows_and_clears(place):
    features(0, "a")
    shown = CliRunner().invoke(main, ["cache"]).output
    assert f"{place}: features of 2 sets of images" in shown
    assert "2 removed" in CliRunner().invoke(main, ["cache", "clear"]).output
    assert cache.entries() == []
