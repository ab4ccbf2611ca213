import pytest
import torch
import torch.nn.functional as F

from samplerbench.data.dataset import to_float
from samplerbench.networks.conditions.base import CONDITIONS, Source
from samplerbench.networks.conditions.inpaint import COPIES, LARGEST, SMALLEST
from samplerbench.networks.latent import latent_space


@pytest.fixture
def source(few):
    return Source(few, few.load())


def parts(table):
    """The known pixels and the masks (N, 1, H, W)."""
    return table.rows[:-1, :1], table.rows[:-1, 1:]


def test_known_pixels_are_those_of_the_image_and_missing_ones_grey(source):
    table = CONDITIONS.get("inpaint").sampling(source)
    known, masks = parts(table)
    assert set(masks.unique().tolist()) == {0, 1}
    torch.testing.assert_close(known, to_float(source.images.test) * (1 - masks))
    assert torch.equal(table.targets, source.images.test)
    assert torch.equal(table.classes, source.images.test_labels)


def test_boxes_have_random_sides_between_their_limits(source):
    _, masks = parts(CONDITIONS.get("inpaint").training(source))
    rows, columns = masks.amax(3).sum(2), masks.amax(2).sum(2)
    torch.testing.assert_close(masks.sum((1, 2, 3)), (rows * columns)[:, 0], msg="a rectangle")
    sides = torch.cat((rows, columns)) / 28
    assert SMALLEST - 1 / 28 <= sides.min() < 0.35
    assert 0.65 < sides.max() <= LARGEST + 1 / 28
    assert sides.mean().item() == pytest.approx((SMALLEST + LARGEST) / 2, abs=0.02)


@pytest.mark.parametrize(
    ("mask", "missing"),
    [
        ("left", (slice(None), slice(0, 14))),
        ("right", (slice(None), slice(14, 28))),
        ("top", (slice(0, 14), slice(None))),
        ("bottom", (slice(14, 28), slice(None))),
    ],
)
def test_a_half_is_exactly_that(mask, missing, source):
    _, masks = parts(CONDITIONS.get(f"inpaint[mask={mask}]").sampling(source))
    expected = torch.zeros(28, 28)
    expected[missing] = 1
    assert torch.equal(masks, expected.expand_as(masks))


def test_each_training_image_comes_under_several_masks(source):
    table = CONDITIONS.get("inpaint").training(source)
    assert torch.equal(table.classes, source.images.train_labels.repeat(COPIES))
    _, masks = parts(table)
    first, second = masks[:120], masks[120:240]
    assert (first != second).flatten(1).any(1).float().mean() > 0.9


def test_in_latents_the_masked_image_is_encoded_and_the_mask_averaged(source, few, few_weights):
    space = latent_space(few, "kl", str(few_weights), torch.device("cpu"))
    table = CONDITIONS.get("inpaint").sampling(Source(space, source.images))
    known, masks = parts(CONDITIONS.get("inpaint").sampling(source))
    torch.testing.assert_close(table.rows[:-1, :4], space.encode(known))
    torch.testing.assert_close(table.rows[:-1, 4:], F.avg_pool2d(masks, 4))
