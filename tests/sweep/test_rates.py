"""The rates of a recorded run: seconds by hand, and runs that have none."""

import json

import numpy as np
import pytest

from samplerbench.errors import InputError
from samplerbench.store.sessions import read_facts
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.plan import plan
from samplerbench.sweep.rates import read_rates, recorded
from samplerbench.sweep.session import Session

# A millisecond for each evaluation, and for each image that is scored.
SPENT = {"start_up": 2.0, "loading": 3.0, "network": 150.0, "noise": 1.0, "sampler": 2.6, "features": 11.797,
         "statistics": 5.0, "report": 7.0}  # fmt: skip


@pytest.fixture
def untimed(tmp_path, cell, write_run, add_seconds):
    """A run of 153,600 evaluations (batches are full) and 10,000 images; 1797 real ones were encoded as well."""
    ddim, flow = (
        cell(name, 5.0, steps=steps, recipe=recipe, latency_s=np.nan, dtype="float32")
        for name, steps, recipe in (("ddim", 10, "ddpm"), ("flow", 20, "flow"))
    )
    return add_seconds(write_run(tmp_path / "untimed", ddim, flow), **SPENT)


def test_the_rates_of_an_untimed_run_are_those_of_all_its_work(untimed):
    rates = read_rates(untimed)
    assert dict(rates.by_network) == pytest.approx({"ddpm": 1e-3, "flow": 1e-3})
    assert rates.mean == pytest.approx(1e-3)
    assert (rates.score.image, rates.score.block, rates.score.once) == pytest.approx((1e-3, 0.5, 1.797))
    assert rates.loading == 5
    assert rates.hardware == "cpu (A) with 2 threads, 256 images at a time"


def test_timed_rows_give_each_network_its_own(tmp_path, cell, write_run, add_seconds):
    rows = [cell("ddim", 5.0, steps=10, latency_s=2.56 * scale) for scale in (1, 2, 9)]
    rows += [cell("flow", 5.0, steps=10, recipe="flow", latency_s=7.68)]
    rows = [row | {"options": str(place)} for place, row in enumerate(rows)]
    rates = read_rates(add_seconds(write_run(tmp_path / "timed", *rows), **SPENT))
    assert dict(rates.by_network) == pytest.approx({"ddpm": 2e-3, "flow": 3e-3})


def test_a_plan_multiplies_them(untimed, tmp_path):
    session = Session(Sweep("ddim", steps=10, seeds="0-4", timing=False, output=tmp_path / "run"))
    planned = plan(session, recorded(untimed, session))
    redrawn = 2 * 3 * 1e-3 / 5  # an image, twice, in three steps
    assert [cell.unit for cell in planned.units] == pytest.approx([4 * 10 * 0.256 + redrawn + 1.0 + 0.5] * 5)
    assert planned.schedule(5).wall == pytest.approx(2 * 5 + 1.797 + planned.units[0].unit)
    assert str(untimed) in recorded(untimed, session).source(session)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": "ddim,reflow"}, "does not have the network 'reflow'"),
        ({"methods": "ddim", "dtype": "bfloat16"}, "has dtype float32, and this sweep has bfloat16"),
        ({"methods": "ddim", "data": "mixture"}, "mixture has a closed form"),
    ],
)
def test_rates_of_other_networks_are_refused(untimed, tmp_path, options, message):
    session = Session(Sweep(**options, steps=4, timing=False, output=tmp_path / "run"))
    with pytest.raises(InputError, match=message):
        recorded(untimed, session)


def test_what_has_no_rates_is_refused(untimed, tmp_path, cell, write_run, add_seconds):
    facts = read_facts(untimed)
    merged, old = tmp_path / "merged", write_run(tmp_path / "old", cell("ddim", 5.0))
    merged.mkdir()
    (merged / "run.json").write_text(json.dumps({"command": "bench report", "runs": {"a": facts}}))
    speed = add_seconds(write_run(tmp_path / "speed", cell("ddim", 5.0, samples=None)), **SPENT)
    for folder, message in (
        (tmp_path / "nothing", "has no readable run.json"), (untimed / "results.csv", "has no readable run.json"),
        (merged, "a report of several runs"), (old, "does not record where its time went"),
        (speed, "does not record where its time went"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            read_rates(folder)
