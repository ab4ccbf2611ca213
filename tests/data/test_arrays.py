import numpy as np
import pytest
import torch

from samplerbench.data.dataset import DATASETS

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize("names", [("arr_0", "arr_1"), ("images", "labels")])
def test_npz_of_adm(tmp_path, names):
    labels = np.arange(6) % 3
    np.savez(tmp_path / "a.npz", **dict(zip(names, (PIXELS, labels), strict=True)))
    data = DATASETS.get(f"npz:{tmp_path / 'a.npz'}")
    assert (data.channels, data.resolution, data.classes) == (3, 8, 3)
    whole = data.ordered()
    order = [PIXELS.tolist().index(image.permute(1, 2, 0).tolist()) for image in whole.images]
    assert sorted(order) == list(range(6))
    assert whole.labels.tolist() == labels[order].tolist()


@pytest.mark.parametrize("channels_first", [True, False])
def test_npy_with_colours_on_either_axis(tmp_path, channels_first):
    np.save(tmp_path / "a.npy", PIXELS.transpose(0, 3, 1, 2) if channels_first else PIXELS)
    images = DATASETS.get(f"npy:{tmp_path / 'a.npy'}").ordered().images
    expected = {image.tobytes() for image in PIXELS}
    assert {image.permute(1, 2, 0).contiguous().numpy().tobytes() for image in images} == expected


def test_grey_arrays_need_no_axis_of_colours(tmp_path):
    np.save(tmp_path / "a.npy", PIXELS[..., 0])
    assert DATASETS.get(f"npy:{tmp_path / 'a.npy'}").ordered().images.shape == torch.Size([6, 1, 8, 8])
