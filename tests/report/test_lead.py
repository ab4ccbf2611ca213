import json

import pandas as pd
import pytest

from samplerbench.report.content import content
from samplerbench.report.lead import led
from samplerbench.store.results import assemble


@pytest.fixture
def without_fid(tmp_path):
    """A run that measured the Frechet distance of an encoder alone."""
    columns = [
        {"name": "fd", "label": "FD (pixels 16x16)", "better": "lower", "spread": "blocks", "floor": "fd_floor",
         "floor_spread": "fd_floor_sd", "ceiling": "fd_ceiling"},
        {"name": "fd_floor"}, {"name": "fd_floor_sd"}, {"name": "fd_ceiling"},
    ]  # fmt: skip
    text = dict.fromkeys(("options", "guidance", "grid", "own_grid", "error", "dtype", "recipe", "noisy"), "")
    rows = [
        {**text, "method": method, "steps": steps, "nfe": steps, "status": "ok", "protocol": "p", "environment": "",
         "scores_per_seed": json.dumps({"fd": [value, value + 1]}), "fd": value, "fd_floor": 3.0, "fd_floor_sd": 0.2,
         "fd_ceiling": 300.0, "cell": f"{method}{steps}", "compiled": "false", "teacher": "", "seeds": "0,1"}
        for method, value in (("a", 9.0), ("b", 20.0)) for steps in (5, 10)
    ]  # fmt: skip
    from samplerbench.store.columns import typed

    facts = {
        "columns": columns, "quality": {"extractor": "inception-v3-compat", "features": 2048, "samples": 1000,
                                        "encoders of fd": "pixels: 768 features none", "seeds": [0, 1],
                                        "dataset": "own images", "reference_images": 10, "floor_images": 10},
        "sweep": {"dataset": "folder:x"}, "environment": {"device": "cpu", "threads": 1}, "checkpoints": {},
        "grids": {}, "protocol": "p", "commit": "c", "utc": "2026-01-01T00:00:00+00:00", "command": "bench run",
    }  # fmt: skip
    return assemble(tmp_path, {"": typed(pd.DataFrame(rows))}, {"": facts})


def test_it_takes_the_place_of_fid_under_its_own_heading(without_fid):
    results = led(without_fid)
    assert results.rows["fid"].tolist() == without_fid.rows["fd"].tolist()
    assert results.rows["fid_floor"].tolist() == [3.0] * 4
    assert json.loads(results.rows["scores_per_seed"][0]) == {"fid": [9.0, 10.0]}
    assert results.quality["features"] == 768
    assert without_fid.rows["fid"].isna().all()


def test_reports_rank_and_draw_it(without_fid):
    report = content(led(without_fid))
    (section,) = report.sections
    assert section.charts[0].title == "FD (pixels 16x16) against evaluations"
    assert any("`a` (FD (pixels 16x16)" in verdict for verdict in section.verdicts)
    assert "FD (pixels 16x16)" in report.table


def test_a_run_with_fid_is_left_alone(without_fid):
    (facts,) = without_fid.facts.values()
    measured = {**facts, "columns": [{"name": "fid", "label": "FID"}, *facts["columns"]]}
    results = assemble(
        without_fid.folder, {"": without_fid.rows.drop(columns=["run", "machine", "name"])}, {"": measured}
    )
    assert led(results).rows["fid"].isna().all()
