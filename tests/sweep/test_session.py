from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

import samplerbench
from samplerbench.errors import InputError, WriteError
from samplerbench.metrics.column import Column
from samplerbench.models import load, save, shipped
from samplerbench.sampling.timing import PeakMemory
from samplerbench.store.sessions import read_facts
from samplerbench.store.stored_rows import read_results
from samplerbench.store.units import Units
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.session import CellFinished, CellStarted, Session

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def options(quick) -> dict:
    return quick | {"timing": False, "output": "run"}


def test_a_cell_starts_and_finishes_and_its_progress_ends_where_it_was_expected_to(options):
    events = list(Session(Sweep(methods="flow,ddim", **options)).execute())
    assert [type(event) for event in events] == [CellStarted, CellFinished] * 2
    started = events[0]
    assert (started.progress.evaluations, started.progress.expected) == (160, 160)
    assert (events[1].row["method"], events[1].row["status"]) == ("flow", "ok")


def test_the_same_run_resumes_and_skips_what_is_done(options):
    first = samplerbench.run(methods="ddim,flow", **options)
    assert Session(Sweep(methods="ddim,flow", **options)).pending == []
    more = Session(Sweep(methods="ddim,flow,pf_ode", **options))
    assert [str(job) for job in more.pending] == ["pf_ode 2 steps"]
    for _ in more.execute():
        pass
    pd.testing.assert_frame_equal(more.store.frame().iloc[:2], first.iloc[:2])


def test_a_changed_sampler_is_measured_again_in_place_of_its_old_row(options, monkeypatch):
    first = samplerbench.run(methods="ddim,flow", **options)
    monkeypatch.setattr("samplerbench.sweep.cell_key.code_digest", lambda *roots: "changed")
    second = samplerbench.run(methods="ddim,flow", **options)
    assert len(second) == 2
    assert set(second["cell"]).isdisjoint(first["cell"])


def test_failed_cells_are_tried_again_and_measured_ones_are_not(broken, options):
    samplerbench.run(methods="raises,ddim", **options)
    assert [str(job) for job in Session(Sweep(methods="raises,ddim", **options)).pending] == ["raises 2 steps"]


def test_another_protocol_does_not_mix_into_a_run(options):
    samplerbench.run(methods="ddim", **options)
    with pytest.raises(InputError, match=r"another protocol \(samples \(80 and 90\)\)"):
        Session(Sweep(methods="ddim", **options | {"samples": 90}))


def test_an_interrupt_keeps_what_is_done(broken, options):
    with pytest.raises(KeyboardInterrupt):
        samplerbench.run(methods="ddim,interrupted,flow", **options)
    assert read_results(Path("run"))["method"].tolist() == ["ddim"]
    assert Path("run/report.md").exists()
    pending = Session(Sweep(methods="ddim,interrupted,flow", **options)).pending
    assert [str(job) for job in pending] == ["interrupted 2 steps", "flow 2 steps"]


def test_two_writers_lose_no_row(options):
    """The second one is refused while the first one runs; then it adds its rows to those of the first."""
    first, second = (Session(Sweep(methods=methods, **options)) for methods in ("ddim,pf_ode", "flow,ddim"))
    for event in first.execute():
        if isinstance(event, CellFinished):
            with pytest.raises(InputError, match=r"'run' is being written by process \d+ on .*`bench report`"):
                list(second.execute())
    rows = [event.row["method"] for event in second.execute() if isinstance(event, CellFinished)]
    assert rows == ["flow"], "ddim was measured by the first one after the second one had looked"
    assert read_results(Path("run"))["method"].tolist() == ["ddim", "pf_ode", "flow"]


def test_every_session_and_the_weights_of_every_row_are_recorded(options, elsewhere, monkeypatch):
    monkeypatch.setattr("sys.argv", ["bench", "run", "--methods", "ddim", "--output", str(Path("run").resolve())])
    samplerbench.run(methods="ddim", **options | {"output": Path("run").resolve()})
    stage = load(shipped("digits", "flow"))
    save(Path("own/digits/flow.safetensors"), stage.weights, stage.metadata)
    own = {"weights": str(Path("own").resolve())}
    for _ in range(2):  # nothing is left to do in the second one
        frame = samplerbench.run(methods="flow", **options | own)
    ddim, flow = frame["weights"]
    assert ddim.startswith("ddpm: shipped ")
    assert flow.startswith("flow: own/digits/flow.safetensors ")
    facts = read_facts(Path("run"))
    assert [each["sweep"]["methods"] for each in facts["sessions"]] == [["ddim"], ["flow"]]
    assert facts["sessions"][0]["command"] == "bench run --methods ddim --output run"
    assert list(facts["checkpoints"]) == ["ddpm", "flow"]
    assert str(Path.cwd()) not in Path("run/run.json").read_text(), "another clone lies elsewhere"


def test_a_failed_write_is_no_failed_cell(options, monkeypatch, make_student):
    """Also of the raw data that are written with it: the row is in the error, and the cell is measured again."""

    def full(*_):
        raise OSError(28, "No space left on device")

    session = Session(Sweep(methods="flow,ddim", save_images=True, **options))
    events = session.execute()
    next(events)
    monkeypatch.setattr("samplerbench.store.images.SavedImages._start", full)
    with pytest.raises(WriteError, match="No space left on device"):
        next(events)
    assert read_results(Path("run")).empty
    assert not Path("run/run.lock").exists()


def test_a_run_describes_itself(options):
    session = Session(Sweep(methods="ddim", metrics="fid,kid", **options))
    list(session.execute())
    facts = read_facts(Path("run"))
    columns = {column.name: column for column in map(Column.from_json, facts["columns"])}
    assert list(columns) == ["fid", "fid_floor", "fid_floor_sd", "fid_ceiling", "kid", "kid_se"]
    assert columns["fid"].better == columns["kid"].better == "lower"
    assert facts["sweep"]["methods"] == ["ddim"]
    assert facts["checkpoints"]["ddpm"].startswith("shipped ")
    assert set(facts["sweep"]) == set(asdict(Sweep()))


def test_a_missing_stage_skips_its_row_alone(tmp_path):
    """A network under another name serves for the stages."""
    stage = load(shipped("digits", "flow"))
    save(tmp_path / "digits/progressive.safetensors", stage.weights, stage.metadata | {"recipe": "progressive"})
    options = {"samples": 70, "timing": False, "weights": str(tmp_path), "output": str(tmp_path / "run")}
    session = Session(Sweep("progressive", steps="1,16", **options))
    assert [bool(job.skip) for job in session.jobs] == [False, True]
    assert "bench train progressive[steps=16] --dataset digits" in session.jobs[1].skip
    with pytest.raises(InputError, match=r"no checkpoint .*progressive.steps=16..safetensors"):
        Session(Sweep("progressive", steps="16", **options))


def test_an_interrupted_session_keeps_where_its_time_went(broken, options):
    with pytest.raises(KeyboardInterrupt):
        samplerbench.run(methods="ddim,interrupted", **options)
    seconds = read_facts(Path("run"))["sessions"][0]["seconds"]
    assert {"loading", "network", "features", "files"} <= seconds.keys()
    samplerbench.run(methods="ddim", **options | {"output": "run", "steps": "1,2"})
    first, second = (each["seconds"] for each in read_facts(Path("run"))["sessions"])
    assert first == seconds
    assert second["report"] > 0


def test_an_interrupted_cell_keeps_its_finished_blocks(options, monkeypatch):
    """Without workers, too; a quick block is not worth a file."""
    monkeypatch.setattr("samplerbench.sweep.engine.serial.KEPT_S", 0.0)
    options |= {"methods": "flow", "seeds": "0-2"}
    whole = samplerbench.run(**options | {"output": "whole"})
    add, added = Units.add, []

    def add_and_interrupt(units, cell, block, arrays):
        add(units, cell, block, arrays)
        added.append(block)
        if len(added) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Units, "add", add_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        samplerbench.run(**options)
    assert sorted(path.stem[-2:] for path in Path("run/units").iterdir()) == ["-0", "-1"]
    events = list(Session(Sweep(**options)).execute())
    assert events[0].progress.evaluations == 80 * 2, "of the third block alone"
    assert events[1].row["fid"] == whole["fid"].item()
    assert not Path("run/units").exists()


def test_memory_of_extractors_is_not_the_samplers(options, monkeypatch):
    held = iter((100.0, 340.0))  # before and after the scorer has loaded its extractors
    made = []
    monkeypatch.setattr("samplerbench.metrics.scoring.allocated_mb", lambda device: next(held))
    monkeypatch.setattr(
        "samplerbench.sampling.measure.PeakMemory", lambda *given: made.append(PeakMemory(*given)) or made[-1]
    )
    samplerbench.run(methods="ddim", **options)
    assert [memory.besides for memory in made] == [240.0]


def test_a_network_is_warmed_up_for_its_first_cell_alone(options, monkeypatch):
    warmed = []
    monkeypatch.setattr("samplerbench.sampling.measure.warm_up", lambda *given: warmed.append(given) or [0.0])
    samplerbench.run(methods="ddim,flow", **options | {"steps": "1,2", "timing": True})
    assert len(warmed) == 2, "ddpm's network and flow's"


def test_the_largest_batch_is_kept_and_the_same_command_resumes(options, monkeypatch):
    found = iter([24, 7])  # another program has taken memory in the meantime
    monkeypatch.setattr("samplerbench.sweep.prepare.largest_batch", lambda *_: next(found))
    auto = options | {"batch_size": "auto"}
    first = Session(Sweep(methods="ddim,flow", **auto))
    monkeypatch.setattr(first, "_pending", lambda: first.jobs[:1])  # it is ended after a cell
    list(first.execute())
    second = Session(Sweep(methods="ddim,flow", **auto))
    assert [str(job.sampler.method) for job in second.pending] == ["flow"]
    list(second.execute())
    rows = second.store.frame()
    assert rows["batch_size"].tolist() == [24, 24]
    assert "--batch-size 24" in rows["command"][0]
    assert Session(Sweep(methods="ddim,flow", **auto)).pending == []
    assert next(found) == 7, "it was not looked for again"
    facts = read_facts(Path(options["output"]))
    assert (facts["batch_size"], facts["layout"]) == (24, "channels_last")


def test_cells_are_replayed_where_their_methods_allow_it(options, monkeypatch):
    monkeypatch.setattr("samplerbench.sweep.prepare.require_cuda", lambda *_: None)
    monkeypatch.setattr("samplerbench.sweep.block.cuda_graph", lambda run, device: run)
    methods = "ddpm,flow[solver=dopri5,rtol=0.1,atol=0.1]"
    plain = Session(Sweep(methods=methods, **options))
    list(plain.execute())
    session = Session(Sweep(methods=methods, cuda_graph=True, **options | {"output": "graphs"}))
    list(session.execute())
    frame, expected = session.store.frame(), plain.store.frame()
    assert frame["cuda_graph"].tolist() == ["true", "false"]
    assert expected["cuda_graph"].tolist() == ["", ""]
    assert frame["fid"].tolist() == expected["fid"].tolist()
    assert frame["nfe"].tolist() == expected["nfe"].tolist()
