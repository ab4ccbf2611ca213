"""Metrics over commits: which rows are kept, and which steps are found."""

import json
from itertools import count

import pytest
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.errors import InputError
from samplerbench.regression.history import append
from samplerbench.store.columns import joined
from samplerbench.store.stored_rows import read_results


@pytest.fixture
def run(tmp_path, make_frame):
    """Writes a run directory of one cell, each later than the one before."""
    minutes = count()

    def write(commit: str, fid: float = 3.0, nfe: int = 10, overhead: float = 1.0, **changes):
        fids, rounds = [fid - 0.01, fid, fid + 0.01], [overhead * x for x in (0.99, 1.0, 1.0, 1.01, 1.02, 0.98)]
        row = {
            "method": "ddim", "recipe": "ddpm", "grid": "uniform", "steps": 10, "nfe": nfe, "fid": fid,
            "scores_per_seed": json.dumps({"fid": fids}), "overhead_ratio": overhead,
            "overhead_per_round": joined(rounds), "status": "ok", "protocol": "p", "commit": commit,
            "utc": f"2026-01-01T00:{next(minutes):02d}:00+00:00", "environment": "e",
        }  # fmt: skip
        folder = tmp_path / f"run-{commit}"
        folder.mkdir(exist_ok=True)
        make_frame(row | changes).to_csv(folder / "results.csv", index=False)
        return folder

    return write


def test_steps_are_marked_for_worse_and_for_better_and_noise_is_not(tmp_path, run):
    changes = {"a": {}, "b": {"fid": 3.02, "overhead": 1.02}, "c": {"fid": 3.5}, "d": {"nfe": 9}, "e": {"nfe": 9}}
    steps = append(tmp_path / "history", tuple(run(commit, **change) for commit, change in changes.items()))
    assert [(step.field, step.commit, step.after > step.before) for step in steps] == [
        ("fid", "c", True), ("nfe", "d", False), ("fid", "d", False),
    ]  # fmt: skip
    text = (tmp_path / "history/history.md").read_text()
    assert "- ddim, 10 steps, uniform, ddpm: fid worse at c, from 3.02 to 3.5" in text
    assert (tmp_path / "history/pictures/ddim.png").stat().st_size > 10_000


def test_no_steps_are_said_to_be_none(tmp_path, run):
    assert append(tmp_path, (run("a"), run("b"))) == []
    assert "None: no metric changed" in (tmp_path / "history.md").read_text()


def test_runs_are_sorted_by_time(tmp_path, run):
    older, newer = run("a"), run("b", nfe=11)
    append(tmp_path, (newer,))
    (step,) = append(tmp_path, (older,))
    assert (step.commit, step.before, step.after) == ("b", 10, 11)


def test_a_row_replaces_an_earlier_one_of_its_commit_and_machine(tmp_path, run):
    append(tmp_path, (run("a"),))
    assert append(tmp_path, (run("a", fid=3.1),)) == []
    append(tmp_path, (run("a", fid=3.2, environment="other"),))
    assert read_results(tmp_path / "history.csv")["fid"].tolist() == [3.1, 3.2]


def test_another_protocol_is_another_series(tmp_path, run):
    assert append(tmp_path, (run("a"), run("b", fid=30.0, protocol="q"))) == []
    assert len(read_results(tmp_path / "history.csv")) == 2
    assert append(tmp_path, ()) == [], "it is drawn again without new runs"


def test_the_commit_is_that_of_the_users_repository(tmp_path, run):
    """That of the row is samplerbench's own: empty for an installed one, and the same for all commits of the user."""
    folders = [run(commit, nfe=nfe) for commit, nfe in (("", 10), ("ours", 11))]
    for folder, commit in zip(folders, ("abc", "def"), strict=True):
        facts = {"repository": {"name": "mine", "commit": commit, "dirty": commit == "def"}}
        (folder / "run.json").write_text(json.dumps(facts))
    (step,) = append(tmp_path / "history", tuple(folders))
    assert step.commit == "def+"
    assert read_results(tmp_path / "history/history.csv")["commit"].tolist() == ["abc", "def+"]


@pytest.mark.parametrize(
    ("commit", "changes", "words"),
    [("a", {"status": "failed"}, "no measured rows"), ("", {}, "does not record a commit")],
)
def test_rows_without_a_place_in_the_history_are_refused(tmp_path, run, commit, changes, words):
    with pytest.raises(InputError, match=words):
        append(tmp_path / "history", (run(commit, **changes),))


def test_an_empty_history_and_a_folder_without_a_run_are_refused(tmp_path):
    with pytest.raises(InputError, match="There is no history"):
        append(tmp_path / "history", ())
    with pytest.raises(InputError, match="no results"):
        append(tmp_path / "history", (tmp_path / "nowhere",))


def test_a_folder_that_cannot_be_written_is_a_usage_error(tmp_path, run):
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(main, ["history", str(run("a")), "--output", str(tmp_path / "file" / "below")])
    assert result.exit_code == 2
    assert "Cannot write to" in result.output
