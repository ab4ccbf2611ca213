import json

import numpy as np
import pytest
import torch

from samplerbench.data.dataset import DATASETS


def load(folder):
    return DATASETS.get(f"folder:{folder}")


def as_set(images: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


def channels_first(pixels: np.ndarray) -> torch.Tensor:
    pixels = pixels[..., None] if pixels.ndim == 3 else pixels
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("L", 1)])
def test_images_are_read_exactly_and_cut_in_halves(tmp_path, pictures, mode, channels):
    pixels = pictures(tmp_path, 7, mode)
    data = load(tmp_path)
    images = data.load()
    assert (data.channels, data.resolution, data.classes) == (channels, 8, 0)
    assert (len(images.reference), len(images.floor)) == (4, 3)
    assert as_set(images.train) | as_set(images.test) == as_set(channels_first(pixels))
    assert not as_set(images.train) & as_set(images.test)
    assert str(data) == f"folder:{tmp_path}"


def test_folders_named_train_and_test_are_the_parts(tmp_path, pictures):
    train, test = pictures(tmp_path / "train", 5), pictures(tmp_path / "val", 4)
    images = load(tmp_path).load()
    torch.testing.assert_close(images.reference, channels_first(train))
    torch.testing.assert_close(images.floor, channels_first(test))


def test_sub_folders_are_classes_in_alphabetical_order(tmp_path, pictures):
    cats, dogs = pictures(tmp_path / "cats", 5, size=8), pictures(tmp_path / "dogs", 6, size=8)
    data = load(tmp_path)
    whole = data.ordered()
    assert data.classes == 2
    assert as_set(whole.images[whole.labels == 0]) == as_set(channels_first(cats))
    assert as_set(whole.images[whole.labels == 1]) == as_set(channels_first(dogs))


def test_a_dataset_json_has_the_labels(tmp_path, pictures):
    pixels = pictures(tmp_path, 6)
    labels = [[f"{index:03}.png", index % 3] for index in range(6)]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    whole = load(tmp_path).ordered()
    assert load(tmp_path).classes == 3
    expected = {image.numpy().tobytes(): index % 3 for index, image in enumerate(channels_first(pixels))}
    found = zip(whole.images, whole.labels.tolist(), strict=True)
    assert {image.numpy().tobytes(): label for image, label in found} == expected
    (tmp_path / "dataset.json").write_text('{"labels": null}')
    assert load(tmp_path).classes == 0


def test_a_changed_folder_is_read_again(tmp_path, pictures):
    pictures(tmp_path, 4)
    assert len(load(tmp_path).ordered().images) == 4
    pictures(tmp_path, 9)
    assert len(load(tmp_path).ordered().images) == 9


def test_the_halves_do_not_depend_on_the_order_of_files(tmp_path, pictures):
    pictures(tmp_path / "a", 8)
    files = sorted((tmp_path / "a").iterdir())
    (tmp_path / "b").mkdir()
    for file in reversed(files):
        (tmp_path / "b" / file.name).write_bytes(file.read_bytes())
    first, second = load(tmp_path / "a").load(), load(tmp_path / "b").load()
    assert first.digest == second.digest
