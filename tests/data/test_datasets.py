import gzip
import struct

import numpy as np
import pytest
import torch

from samplerbench.data.datasets import DATASETS, digest, to_float, to_uint8
from samplerbench.errors import InputError
from samplerbench.sampling.noise import ImageNoise, image_labels


def test_the_digits_are_split_once_and_for_all(digits):
    assert (len(digits.train), len(digits.test)) == (1000, 797)
    assert digits.digest == "730c54351466"
    assert digits.reference is digits.test
    assert digits.train.shape[1:] == (1, 8, 8)
    assert digits.train.dtype == torch.uint8
    assert len(digits.train.unique()) == 17
    both = torch.cat((digits.train, digits.test)).flatten(1)
    assert len(both.unique(dim=0)) == 1797, "no held-out image is also a training image"


def test_quantisation_rounds_clips_and_inverts():
    levels = torch.arange(256, dtype=torch.uint8)
    torch.testing.assert_close(to_uint8(to_float(levels)), levels)
    assert to_uint8(torch.tensor([-1.5, -1.0, 0.0, 0.999, 1.0, 7.0])).tolist() == [0, 0, 128, 255, 255, 255]


@pytest.mark.parametrize("name", ["cifar10", "mnist", "fashion-mnist"])
def test_a_missing_data_set_says_what_to_run(name, tmp_path):
    with pytest.raises(InputError, match=f"{name} is not in .*--download.*--data-root"):
        DATASETS.get(name).load(str(tmp_path))


def test_torchvision_files_are_read_where_they_lie(tmp_path):
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


def test_the_hash_sees_every_pixel():
    a = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    b = a.clone()
    b[2, 0, 1, 1] = 1
    assert digest(a) != digest(b)


def test_noise_belongs_to_the_image():
    x = torch.empty(4, 1, 8, 8)
    noise, alone = ImageNoise(0, range(4)), ImageNoise(0, [2])
    first, second = noise(x), noise(x)
    torch.testing.assert_close(alone(x[:1])[0], first[2], rtol=0, atol=0)
    torch.testing.assert_close(alone(x[:1])[0], second[2], rtol=0, atol=0)
    # A seed beyond 32 bits would be cut off, and the blocks would be one and the same.
    drawn = torch.stack([ImageNoise(block, [index])(x[:1]) for block in (0, 1, 4095) for index in (0, 1, 2**20 - 1)])
    assert len(drawn.flatten(1).unique(dim=0)) == 9
    before = torch.get_rng_state()
    ImageNoise(0, range(4))(x)
    assert torch.equal(before, torch.get_rng_state()), "the global generator is left alone"


def test_labels_belong_to_the_image_and_are_uniform():
    labels = image_labels(3, range(5000), 10)
    assert torch.equal(image_labels(3, range(100, 200), 10), labels[100:200])
    counts = labels.bincount(minlength=10).double()
    assert ((counts - 500) ** 2 / 500).sum() < 27.9, "chi-square of 9 degrees of freedom, p = 0.001"
