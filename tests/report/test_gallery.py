"""The images of a report: which are shown, in which order, and how they are put together."""

import numpy as np
import pytest

from samplerbench.report.gallery import gallery
from samplerbench.report.mosaic import mosaic
from samplerbench.store.results import load


@pytest.fixture
def raw(tmp_path):
    """raw(**brightness): store two images of this brightness under each name."""
    (tmp_path / "raw").mkdir()

    def store(**brightness: int) -> None:
        for stem, value in brightness.items():
            images = np.full((2, 1, 3, 4), value, np.uint8)
            np.savez(tmp_path / "raw" / f"{stem.replace('__', '-')}.npz", images=images)

    return store


def test_lines_are_teachers_methods_by_nfe_and_real_images(tmp_path, raw, write_run, cell):
    rows = [cell("b", 6.0, steps=10, teacher="flow"), cell("a", 5.0, steps=4), cell("a", 7.0, steps=2)]
    raw(b10=1, a4=2, a2=3, reference=4, teacher__flow=5)
    lines = gallery(load(write_run(tmp_path, *rows))).lines
    assert [*lines] == ["teacher: flow", "b", "a", "real images"]
    assert [int(tile.images[0, 0, 0, 0]) for line in lines.values() for tile in line] == [5, 1, 3, 2, 4]
    assert [tile.caption for tile in lines["a"]] == [
        "2 steps, NFE 2\nFID (digits-cnn) 7.00", "4 steps, NFE 4\nFID (digits-cnn) 5.00",
    ]  # fmt: skip


def test_images_made_elsewhere_have_no_evaluations(tmp_path, raw, write_run, cell):
    raw(mine=1)
    row = cell("mine", 5.0) | {"steps": None, "nfe": None, "cell": "mine"}
    (tile,) = gallery(load(write_run(tmp_path, row))).lines["mine"]
    assert tile.caption == "made elsewhere\nFID (digits-cnn) 5.00"


def test_only_what_was_kept_is_shown(tmp_path, raw, write_run, cell, failed):
    raw(a10=1)
    found = gallery(load(write_run(tmp_path, cell("a", 5.0), cell("b", 6.0), failed("c", "no"))))
    assert [*found.lines] == ["a"]
    assert found.damaged == []
    (tmp_path / "raw/a10.npz").write_bytes(b"")
    assert gallery(load(tmp_path)).damaged == ["raw/a10.npz is damaged (EOFError)."]


def test_a_mosaic_fills_rows_of_images_between_white_margins():
    images = np.arange(3, dtype=np.uint8).repeat(2 * 3).reshape(3, 1, 2, 3)
    images[0, 0, 0, 2] = 9
    picture = mosaic(images, columns=2)
    assert picture.shape == (1 + 2 * (2 + 1), 1 + 2 * (3 + 1), 3)
    assert picture[:, :, 0].tolist() == [
        [255] * 9,
        [255, 0, 0, 9, 255, 1, 1, 1, 255],
        [255, 0, 0, 0, 255, 1, 1, 1, 255],
        [255] * 9,
        [255, 2, 2, 2, 255, 255, 255, 255, 255],
        [255, 2, 2, 2, 255, 255, 255, 255, 255],
        [255] * 9,
    ]
    assert np.array_equal(mosaic(images, columns=2, scale=2)[::2, ::2], picture)


def test_colours_stay_apart():
    red = np.zeros((1, 3, 1, 1), np.uint8)
    red[:, 0] = 200
    assert mosaic(red)[1, 1].tolist() == [200, 0, 0]


def test_a_teacher_has_a_tile_for_each_guidance(tmp_path, raw, write_run, cell, bench_report):
    rows = [cell("a", 5.0, cell=f"a{weight}", teacher="flow", guidance=weight) for weight in ("1", "2")]
    raw(a1=1, a2=2, reference=3, teacher__flow__1=4, teacher__flow__2=5)
    lines = gallery(load(write_run(tmp_path, *rows))).lines
    assert [tile.caption for tile in lines["teacher: flow"]] == [
        "fine solution\nguidance 1", "fine solution\nguidance 2",
    ]  # fmt: skip
    assert [int(tile.images[0, 0, 0, 0]) for tile in lines["teacher: flow"]] == [4, 5]
    assert bench_report(tmp_path).exit_code == 0
    assert "alt='teacher: flow, fine solution" in (tmp_path / "report.html").read_text()


def test_a_teacher_whose_images_were_not_kept_has_no_line(tmp_path, raw, write_run, cell):
    raw(a10=1, reference=2)
    found = gallery(load(write_run(tmp_path, cell("a", 5.0, teacher="edm"))))
    assert [*found.lines] == ["a", "real images"]
    assert found.damaged == []
