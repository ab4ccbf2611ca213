import pytest

from samplerbench.data.dataset import DATASETS
from samplerbench.methods import SpecError


def test_it_takes_the_shape_of_what_is_compared_with_it():
    data = DATASETS.get("stats:x.npz").of_shape((3, 64, 64))
    assert str(data) == "stats[shape=3x64x64]:x.npz"
    assert (data.channels, data.resolution, data.classes) == (3, 64, 0)
    assert data.load().reference.shape == (0, 3, 64, 64)
    assert data.of_shape((1, 8, 8)) == data
    assert DATASETS.get("digits").of_shape((1, 4, 4)) == DATASETS.get("digits")


@pytest.mark.parametrize("shape", ["3x6", "3x-1x4", "axbxc", "3x64x99999999"])
def test_other_shapes_are_refused(shape):
    with pytest.raises(SpecError, match="written as in 3x64x64"):
        DATASETS.get(f"stats[shape={shape}]:x.npz")
