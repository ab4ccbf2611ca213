"""Two commits in turn: in a small samplerbench whose `bench run` writes the rows that the commit holds."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.errors import InputError
from samplerbench.regression.commits import compare_commits, compare_speed, confirm
from samplerbench.regression.rule import RULES, Rule, merge_rules
from samplerbench.regression.verdicts import Verdict

RUN = """
import sys
from pathlib import Path
from samplerbench import methods
output = Path(sys.argv[sys.argv.index("--output") + 1])
output.mkdir(parents=True)
folder = Path(__file__).resolve().parent
with (folder.parent / "log").open("a") as log:
    log.write(" ".join(sys.argv[1:-2]) + chr(10))
wanted = sys.argv[sys.argv.index("--methods") + 1].split(",") if "--methods" in sys.argv else ["ddim"]
header, *rows = (folder / "rows.csv").read_text().splitlines()
kept = [row for row in rows if row.split(",")[0] in wanted]
(output / "results.csv").write_text(chr(10).join([header, *kept]) + chr(10))
"""
METHODS = """
from pathlib import Path
class SpecError(ValueError): pass
rows = (Path(__file__).resolve().parent.parent / "bench" / "rows.csv").read_text().splitlines()[1:]
def get(spec):
    if spec not in [row.split(",")[0] for row in rows]:
        raise SpecError(f"No method is named {spec!r}.")
def split_specs(text):
    return text.split(",")
"""


@pytest.fixture
def rows(make_frame):
    def make(latency: float, nfe: int = 10, fid: float = 3.0):
        scores = json.dumps({"fid": [fid, fid + 0.1]})
        row = {"method": "ddim", "recipe": "ddpm", "steps": 10, "nfe": nfe, "fid": fid + 0.05, "status": "ok",
               "scores_per_seed": scores, "latency_s": latency, "inner_ratio": 1.0, "protocol": "p"}  # fmt: skip
        return make_frame(row)

    return make


@pytest.fixture
def change(git):
    """Writes the rows that `bench run` finds in the working tree."""
    Path("bench").mkdir()
    Path("bench/__init__.py").write_text("")
    Path("bench/__main__.py").write_text(RUN)
    Path("methods").mkdir()
    Path("methods/__init__.py").write_text(METHODS)
    Path("setup.py").write_text('FOLDERS = {"samplerbench": "bench"}\n')
    Path(".gitignore").write_text("log\ncheckpoints\n")
    return lambda frame: frame.to_csv("bench/rows.csv", index=False)


@pytest.fixture
def commit(git, change):
    def make(frame) -> None:
        change(frame)
        git("add", ".")
        git("commit", "-m", "rows")

    return make


def test_the_working_tree_is_compared_with_a_commit(commit, change, rows):
    commit(rows(1.0))
    change(rows(1.02))
    assert [verdict.status for verdict in compare_commits("HEAD", None, RULES)] == ["ok"] * 4
    assert len(Path("log").read_text().splitlines()) == 2, "the other two runs were made in the commit's checkout"


def test_a_slower_cell_is_measured_again(commit, change, rows):
    commit(rows(1.0))
    change(rows(1.5, nfe=11, fid=4.0))
    found = {verdict.field: verdict for verdict in compare_commits("HEAD", "--steps 5", RULES)}
    assert {field for field, verdict in found.items() if verdict.status == "regression"} == {"nfe", "fid", "latency_s"}
    assert "rose from 10 to 11" in found["nfe"].reason
    assert "3.05 became 4.05" in found["fid"].reason
    assert "1.500 and 1.500 times that of the other commit" in found["latency_s"].reason
    assert "measured again: 1.500 and 1.500" in found["latency_s"].reason
    assert len(Path("log").read_text().splitlines()) == 4


def test_without_timings_each_side_is_measured_once(commit, change, rows):
    commit(rows(float("nan")))
    change(rows(float("nan"), nfe=11))
    statuses = {verdict.field: verdict.status for verdict in compare_commits("HEAD", "--no-timing", RULES)}
    assert (statuses["nfe"], statuses["fid"]) == ("regression", "ok")
    assert len(Path("log").read_text().splitlines()) == 1


def both(rows, **of_the_second: str) -> pd.DataFrame:
    """The rows of ddim and brand_new."""
    return pd.concat([rows(1.0), rows(1.0).assign(method="brand_new", **of_the_second)])


@pytest.mark.parametrize(
    ("methods", "statuses"), [("ddim,brand_new", ["new", "ok", "ok", "ok", "ok"]), ("brand_new", ["new"])]
)
def test_a_method_that_the_commit_lacks_is_new(commit, change, rows, methods, statuses):
    commit(rows(1.0))
    change(both(rows))
    verdicts = compare_commits("HEAD", f"--methods {methods} --steps 10", RULES)
    assert sorted(verdict.status for verdict in verdicts) == statuses
    assert "brand_new" in next(verdict.cell for verdict in verdicts if verdict.status == "new")


def test_a_new_method_that_fails_is_a_regression(commit, change, rows):
    commit(rows(1.0))
    change(both(rows, status="failed", error="boom"))
    (verdict,) = (v for v in compare_commits("HEAD", "--methods ddim,brand_new", RULES) if v.status != "ok")
    assert (verdict.status, verdict.reason) == ("regression", "the cell failed: boom")


@pytest.mark.parametrize("methods", ["ddim,brand_new", "brand_new"])
def test_a_method_that_the_working_tree_lost_is_missing(commit, change, rows, methods):
    commit(both(rows))
    change(rows(1.0))
    (verdict,) = (v for v in compare_commits("HEAD", f"--methods {methods}", RULES) if v.status != "ok")
    assert (verdict.cell, verdict.status) == ("brand_new", "missing")
    assert verdict.reason == "No method is named 'brand_new'"


def test_a_method_that_neither_side_knows_is_refused(commit, rows):
    commit(rows(1.0))
    with pytest.raises(InputError, match=r"^No method is named 'dimm'\.$"):
        compare_commits("HEAD", "--methods ddim,dimm", RULES)


def test_thresholds_apply_to_both_kinds_of_fields(commit, change, rows):
    commit(rows(1.0))
    change(rows(1.5, nfe=11, fid=4.0))
    verdicts = compare_commits("HEAD", "", merge_rules(["latency_s:60%", "nfe:1", "fid:50%"]))
    assert {verdict.status for verdict in verdicts} == {"ok"}


def test_a_commit_from_before_the_package_had_its_name_is_refused(git, commit, change, rows, monkeypatch, tmp_path):
    """It would import the installed samplerbench, and pass whatever it does."""
    Path("setup.py").unlink()
    change(rows(1.0))
    git("add", ".")
    git("commit", "-m", "no set-up")
    package = tmp_path / "site" / "samplerbench"
    package.parent.mkdir()
    package.symlink_to(Path("bench").resolve())
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    with pytest.raises(InputError, match=r"on HEAD imported .* belongs to the working tree"):
        compare_commits("HEAD", None, RULES)


@pytest.mark.parametrize(("sweep", "words"), [("--steps '5", "cannot be read"), ("--output=x", "takes no --output")])
def test_options_that_make_no_sense_are_refused(commit, rows, sweep, words):
    commit(rows(1.0))
    with pytest.raises(InputError, match=words):
        compare_commits("HEAD", sweep, RULES)


def test_the_command_exits_with_the_documented_codes(commit, change, rows):
    commit(rows(1.0))
    assert CliRunner().invoke(main, ["compare", "--against", "HEAD"]).exit_code == 0
    change(rows(1.0, nfe=11))
    assert CliRunner().invoke(main, ["compare", "--against", "HEAD"]).exit_code == 1
    Path("bench/__main__.py").write_text("raise SystemExit('No method is named ddmi.')")
    result = CliRunner().invoke(main, ["compare", "--against", "HEAD"])
    assert result.exit_code == 2
    assert "failed on the working tree: No method is named ddmi." in " ".join(result.output.split())


def test_a_cell_is_slower_if_it_is_in_every_pair(rows):
    rule = Rule("latency_s", relative=0.15)
    slow, mixed, equal = ([rows(1.2), rows(1.3)], [rows(1.2), rows(1.0)], [rows(1.1), rows(0.9)])
    found = [compare_speed([rows(1.0), rows(1.0)], after, [rule])[0].status for after in (slow, mixed, equal)]
    assert found == ["regression", "inconclusive", "ok"]


def test_a_cell_that_only_one_commit_measured_is_not_timed(rows):
    other = rows(9.0).assign(method="flow")
    assert compare_speed([rows(1.0)] * 2, [other] * 2, [Rule("latency_s")]) == []


@pytest.mark.parametrize("again", ["ok", "inconclusive", "regression"])
def test_a_regression_has_to_be_confirmed(again):
    first = [Verdict("ddim", "latency_s", 1, 2, "regression", "a"), Verdict("flow", "latency_s", 1, 1, "ok", "b")]
    second = [Verdict("ddim", "latency_s", 1, 2, again, "c"), Verdict("flow", "latency_s", 1, 1, "regression", "d")]
    confirmed = confirm(first, second)
    assert [verdict.status for verdict in confirmed] == [again, "ok"]
    assert confirmed[0].reason == "a; measured again: c"


def test_a_regression_that_was_not_measured_again_remains():
    first = [Verdict("ddim", "latency_s", 1, 2, "regression", "a")]
    assert confirm(first, []) == first
