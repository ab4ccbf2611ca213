"""Runs on data with a closed form."""

from pathlib import Path

import numpy as np
import pytest

import samplerbench
from samplerbench.errors import InputError


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    """Read only."""
    folder = tmp_path_factory.mktemp("exact") / "run"
    return samplerbench.run(
        dataset="mixture", methods="ddim,unipc,ddpm", steps=[10, 40], samples=200, output=str(folder)
    )


def test_a_run_on_exact_data_has_its_columns(frame):
    assert (frame["status"] == "ok").all(), frame["error"].tolist()
    assert frame["latency_s"].isna().all()
    assert (frame["dtype"] == "float64").all()
    error = frame.set_index(["method", "steps"])["trajectory_rmse"]
    assert error["ddim", 10] / error["ddim", 40] == pytest.approx(4, rel=0.35)
    assert error["unipc", 40] < error["ddim", 40] / 10
    assert np.isnan(error["ddpm", 10])
    order = frame.set_index(["method", "steps"])["order"]
    assert order["ddim", 10] == pytest.approx(1, abs=0.05)
    assert order["unipc", 40] == pytest.approx(4, abs=0.2)


def test_its_report_shows_errors_with_orders(frame):
    folder = Path(frame.attrs["output"])
    text = (folder / "report.md").read_text()
    assert "Frechet distance against evaluations" in text
    assert (folder / "pictures" / "error.png").exists()
    page = (folder / "report.html").read_text()
    assert "ddim, order 1.00 (of 1)" in page
    assert "trajectory RMSE against evaluations" in page


@pytest.mark.parametrize(
    ("options", "word"),
    [({"dtype": "bfloat16"}, "--dtype"), ({"weights": "x"}, "--weights"), ({"compile": True}, "--compile"),
     ({"quality": False}, "--no-quality"), ({"metrics": "inception_score"}, "classifier"),
     ({"download": True}, "--download"), ({"guidance": "auto"}, "--guidance")],
)  # fmt: skip
def test_options_about_a_network_are_rejected(options, word, tmp_path):
    with pytest.raises(InputError, match=word):
        samplerbench.run(dataset="mixture", methods="ddim", output=str(tmp_path / "run"), **options)


def test_an_order_needs_exact_data(tmp_path):
    with pytest.raises(InputError, match="mixture"):
        samplerbench.run(methods="ddim", metrics="order", timing=False, output=str(tmp_path / "run"))
