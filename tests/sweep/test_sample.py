import numpy as np
import pytest

import samplerbench
from samplerbench.errors import InputError
from samplerbench.sweep.options import SampleOptions
from samplerbench.sweep.sample import draw_images


@pytest.mark.parametrize(
    ("method", "recipe", "grid"),
    [("flow", None, None), ("ddpm", None, None), ("ddim", "vdm", "logsnr")],
    ids=["flow", "ddpm", "learned path"],
)
def test_the_images_are_those_of_a_cell_of_a_run(method, recipe, grid, tmp_path):
    samplerbench.run(
        methods=method, recipe=recipe, grid=grid, steps=3, samples=70, seeds=5, timing=False, save_images=True,
        metrics="fid", output=tmp_path,
    )  # fmt: skip
    (saved,) = (tmp_path / "images").glob("*-5.npy")
    drawn = draw_images(SampleOptions(method, steps=3, recipe=recipe, grid=grid, count=70, seed=5))
    np.testing.assert_array_equal(drawn.images.numpy(), np.load(saved))
    assert drawn.nfe == 3


def test_by_default_it_takes_ten_steps_or_the_nearest_number_that_is_supported():
    assert [draw_images(SampleOptions(method, count=2)).nfe for method in ("ddim", "dmd")] == [10, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": "uniform,logsnr"}, "one time grid"),
        ({"guidance": "1,2"}, "give --guidance one value"),
        ({"recipe": "meanflow", "dataset": "mixture"}, "cannot be drawn: "),
    ],
)
def test_a_picture_shows_one_sampler(options, message):
    with pytest.raises(InputError, match=message):
        draw_images(SampleOptions("ddim", **options))
