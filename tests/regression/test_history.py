"""Figures over commits: what is kept, and which steps are found."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.regression.history import append
from samplerbench.store.run_directory import COLUMNS, joined, read_results, typed

DAYS = iter(range(1000))


def write_run(folder, commit: str, fid: float = 3.0, nfe: int = 10, overhead: float = 1.0, **changes):
    """A run directory of one cell whose figures are these."""
    fids, rounds = [fid - 0.01, fid, fid + 0.01], [overhead * x for x in (0.99, 1.0, 1.0, 1.01, 1.02, 0.98)]
    row = {
        "method": "ddim", "recipe": "ddpm", "grid": "uniform", "steps": 10, "nfe": nfe, "fid": fid,
        "scores_per_seed": json.dumps({"fid": fids}), "overhead_ratio": overhead, "overhead_per_round": joined(rounds),
        "status": "ok", "protocol": "p", "commit": commit, "utc": f"2026-01-01T00:{next(DAYS):02d}:00+00:00",
        "environment": "e",
    }  # fmt: skip
    folder.mkdir(exist_ok=True)
    typed(pd.DataFrame([row | changes]).reindex(columns=COLUMNS)).to_csv(folder / "results.csv", index=False)
    return folder


def test_steps_are_marked_for_worse_and_for_better_and_noise_is_not(tmp_path):
    figures = {"a": {}, "b": {"fid": 3.02, "overhead": 1.02}, "c": {"fid": 3.5}, "d": {"nfe": 9}, "e": {"nfe": 9}}
    runs = [write_run(tmp_path / commit, commit, **changes) for commit, changes in figures.items()]
    steps = append(tmp_path / "history", tuple(runs))
    assert [(step.field, step.commit, step.after > step.before) for step in steps] == [
        ("fid", "c", True), ("nfe", "d", False), ("fid", "d", False),
    ]  # fmt: skip
    text = (tmp_path / "history/history.md").read_text()
    assert "- ddim, 10 steps, uniform, ddpm: fid worse at c, from 3.02 to 3.5" in text
    assert (tmp_path / "history/pictures/ddim.png").stat().st_size > 10_000


def test_a_run_is_kept_once_and_another_protocol_is_another_series(tmp_path):
    history = tmp_path / "history"
    append(history, (write_run(tmp_path / "a", "a"),))
    assert append(history, (write_run(tmp_path / "a", "a", fid=3.1),)) == []
    assert append(history, (write_run(tmp_path / "b", "b", fid=30.0, protocol="q"),)) == []
    assert read_results(history / "history.csv")["fid"].tolist() == [3.1, 30.0]
    assert append(history, ()) == []


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda folder: [], "There is no history"),
        (lambda folder: [write_run(folder / "a", "a", status="failed")], "no measured rows"),
        (lambda folder: [write_run(folder / "a", "")], "at which commit"),
        (lambda folder: [folder / "nowhere"], "no results"),
    ],
)
def test_wrong_input_is_one_sentence(tmp_path, prepare, words):
    runs = map(str, prepare(tmp_path))
    result = CliRunner().invoke(main, ["history", *runs, "--output", str(tmp_path / "history")])
    assert result.exit_code == 2
    assert words in result.output


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    run = write_run(tmp_path / "a", "a")
    for command in (["history", run], ["baseline", "update", run, "--reason", "first"]):
        result = CliRunner().invoke(main, [*map(str, command), "--output", str(tmp_path / "file" / "below")])
        assert result.exit_code == 2
        assert "Cannot write to" in result.output
