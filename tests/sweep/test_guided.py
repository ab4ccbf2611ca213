"""Runs with guidance."""

import pytest

import samplerbench

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_a_run_has_guidance_as_an_axis_and_as_a_column():
    options = {"methods": "flow", "steps": "2", "samples": 80, "metrics": "fid,class_accuracy", "timing": False}
    specs = ["1.0", "cfg[weight=4]", "auto", "classifier[scale=3,on=conditional]"]
    frame = samplerbench.run(**options, guidance=specs)
    assert frame["guidance"].tolist() == [
        "1", "4", "auto[weight=2.0]", "classifier[scale=3.0,on=conditional]",
    ]  # fmt: skip
    assert (frame["status"] == "ok").all(), frame["error"].tolist()
    assert frame["nfe"].tolist() == [2, 4, 4, 2]
    assert frame["cell"].nunique() == 4
    assert (frame["class_accuracy_floor"] > 0.98).all()

    unguided = samplerbench.run(**options)
    assert unguided["guidance"].tolist() == [""]
    assert unguided["scores_per_seed"][0] == frame["scores_per_seed"][0], "weight 1 is the conditional network"
