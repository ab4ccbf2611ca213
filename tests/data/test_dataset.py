import pytest
import torch

from samplerbench.data.dataset import Images, digest, displayed, quantised, to_float, to_uint8


def test_quantisation_rounds_clips_and_inverts():
    levels = torch.arange(256, dtype=torch.uint8)
    torch.testing.assert_close(to_uint8(to_float(levels)), levels)
    assert to_uint8(torch.tensor([-1.5, -1.0, 0.0, 0.999, 1.0, 7.0])).tolist() == [0, 0, 128, 255, 255, 255]


def test_exact_images_are_scored_unquantised_and_displayed_as_uint8():
    images = torch.tensor([-1.5, -0.2501, 0.3333])
    assert torch.equal(quantised(images, exact=True), images.double())
    assert torch.equal(quantised(images, exact=False), to_uint8(images))
    for exact in (True, False):
        assert torch.equal(displayed(quantised(images, exact)), to_uint8(images))


def test_hash_covers_every_pixel():
    a = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    b = a.clone()
    b[2, 0, 1, 1] = 1
    assert digest(a) != digest(b)


@pytest.mark.parametrize("part", range(4))
def test_hash_of_a_data_set_covers_both_splits_and_their_labels(part):
    parts = [torch.zeros(2, dtype=torch.int64) for _ in range(4)]
    before = Images(*parts).digest
    parts[part] = torch.tensor([0, 1])
    assert Images(*parts).digest != before


def test_reference_and_floor_are_opposite_splits():
    train, test, labels = torch.zeros(3), torch.ones(2), torch.zeros(0)
    usual, swapped = (Images(train, labels, test, labels, held_out) for held_out in (False, True))
    assert (usual.reference is train, usual.floor is test) == (True, True)
    assert (swapped.reference is test, swapped.floor is train) == (True, True)
