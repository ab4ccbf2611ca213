import gzip
import struct

import numpy as np
import pytest
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.data.real import _tensors
from samplerbench.errors import InputError


def test_digits_have_a_fixed_split(digits):
    assert (len(digits.train), len(digits.test)) == (1000, 797)
    assert digits.digest == "730c54351466"
    assert digits.reference is digits.test
    assert digits.train.shape[1:] == (1, 8, 8)
    assert digits.train.dtype == torch.uint8
    assert len(digits.train.unique()) == 17
    both = torch.cat((digits.train, digits.test)).flatten(1)
    assert len(both.unique(dim=0)) == 1797, "no held-out image is also a training image"


@pytest.mark.parametrize("options", [{"root": "here"}, {"download": True}])
def test_digits_reject_options_about_files(options):
    with pytest.raises(InputError, match="leave out --data-root and --download"):
        DATASETS.get("digits").load(**options)


@pytest.mark.parametrize("name", ["cifar10", "mnist", "fashion-mnist"])
def test_a_missing_data_set_is_an_error_that_says_what_to_run(name, tmp_path):
    with pytest.raises(InputError, match=f"{name} is not in .*--download.*--data-root"):
        DATASETS.get(name).load(str(tmp_path))


def test_torchvision_files_are_read_from_the_given_folder(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    for split in ("train", "t10k"):
        with gzip.open(folder / f"{split}-images-idx3-ubyte.gz", "wb") as file:
            file.write(struct.pack(">IIII", 0x803, 5, 28, 28) + images.tobytes())
        with gzip.open(folder / f"{split}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(struct.pack(">II", 0x801, 5) + bytes(range(5)))
        for kind in ("images-idx3", "labels-idx1"):
            (folder / f"{split}-{kind}-ubyte").write_bytes(
                gzip.decompress((folder / f"{split}-{kind}-ubyte.gz").read_bytes())
            )
    data = DATASETS.get("mnist").load(str(tmp_path))
    assert data.reference is data.train
    torch.testing.assert_close(data.train[:, 0], torch.from_numpy(images))
    assert data.test_labels.tolist() == [0, 1, 2, 3, 4]


def test_colour_channels_come_first():
    class Split:
        data = np.arange(2 * 3 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3, 3)
        targets = (4, 7)

    images, labels = _tensors(Split)
    assert torch.equal(images, torch.from_numpy(Split.data).permute(0, 3, 1, 2))
    assert labels.tolist() == [4, 7]


def test_digits_of_a_scikit_learn_that_keeps_them_elsewhere_are_the_same(monkeypatch, digits):
    monkeypatch.setattr("samplerbench.data.real.find_spec", lambda name: None)
    assert DATASETS.get("digits").load().digest == digits.digest
