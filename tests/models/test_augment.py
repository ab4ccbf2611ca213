import pytest
import torch

from samplerbench.models.augment import blur, damaged, turned


def test_blur_spreads_a_point_binomially_on_a_black_background():
    image = torch.full((1, 1, 8, 8), -1.0)
    torch.testing.assert_close(blur(image), image, rtol=0, atol=1e-6)
    image[0, 0, 4, 4] = 15.0
    expected = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    torch.testing.assert_close(blur(image)[0, 0, 3:6, 3:6] + 1, expected)
    assert (blur(image) + 1).sum().item() == pytest.approx(16)


def test_an_extended_blur_keeps_edges_and_mixes_no_channels():
    image = torch.stack([torch.full((8, 8), 0.5), torch.arange(8.0).expand(8, 8)])[None]
    blurred = blur(image, extended=True)
    torch.testing.assert_close(blurred[:, 0], image[:, 0])
    torch.testing.assert_close(blurred[0, 1, :, 1:7], image[0, 1, :, 1:7], msg="a ramp is its own blur")


def test_turned_images_are_turned_by_the_quarters_that_they_are_labelled_with():
    torch.manual_seed(0)
    images = torch.randn(200, 2, 5, 5)
    found, quarters = turned(images)
    assert quarters.unique().tolist() == [0, 1, 2, 3]
    back = torch.stack([each.rot90(-int(count), (1, 2)) for each, count in zip(found, quarters, strict=True)])
    assert torch.equal(back, images)


def test_damage_is_of_the_given_degree():
    images, degree = torch.rand(3, 1, 8, 8) * 2 - 1, torch.tensor([0.3, 0.0, 0.5])
    found = damaged(images, torch.tensor([2, 1, 2]), degree=degree)
    torch.testing.assert_close(found[0], 0.7 * images[0] + 0.3 * blur(images[:1])[0])
    torch.testing.assert_close(found[1], images[1])
    many = damaged(torch.zeros(1000, 1, 8, 8), torch.ones(1000, dtype=torch.long), degree=torch.full((1000,), 0.4))
    assert many.std().item() == pytest.approx(0.2, rel=0.02)
