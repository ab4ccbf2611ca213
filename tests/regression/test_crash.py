"""A small campaign, which must find nothing in runs that were killed or damaged, and everything in a forged one."""

import os
import shutil
import sys
from dataclasses import dataclass, replace

import pytest

from samplerbench.errors import InputError
from samplerbench.regression.crash import process
from samplerbench.regression.crash.campaign import campaign, planned
from samplerbench.regression.crash.faults import FAULTS, Fault, KillRun, KillWorker, TruncatedResults
from samplerbench.regression.crash.outcome import Outcome, Verdict
from samplerbench.regression.crash.process import Process
from samplerbench.regression.crash.report import as_markdown, write
from samplerbench.regression.crash.setting import Size

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="processes are found in /proc")
SMALL = Size(steps=range(2, 5), blocks=2, samples=32)


@dataclass(frozen=True)
class Forged(Fault):
    """A finished run with another FID in its last row, without its first one, and with a lock that nobody holds."""

    def strike(self, trial):
        shutil.copytree(trial.undisturbed.run, trial.run)
        trial.mark()
        results = trial.run / "results.csv"
        header, _, *others, last = results.read_text().splitlines(keepends=True)
        fid = str(trial.undisturbed.rows["fid"].iloc[trial.undisturbed.rows["steps"].argmax()])
        results.write_text("".join([header, *others, last.replace(fid, "0.125")]))
        (trial.run / "raw/old.lock").touch()
        return True


def test_crashed_runs_end_with_the_same_rows_and_a_forged_one_is_found_out():
    faults = [KillRun("kill"), TruncatedResults("truncated"), Forged("forged")]
    found = {each.fault: each for each in campaign(2, 0, device="cpu", size=SMALL, faults=faults)}
    assert found["kill"] == Outcome("kill", planned=2, trials=2, same=2)
    assert found["truncated"] == Outcome("truncated", planned=1, trials=1, same=1)
    assert found["forged"] == Outcome("forged", planned=1, trials=1, same=0, twice=SMALL.blocks, locks=1)


def test_kills_are_dealt_out_among_the_faults_that_can_strike():
    counts = [planned(FAULTS, 41, workers) for workers in (1, 3)]
    kills = [{fault.name: count for fault, count in each.items() if fault.kills} for each in counts]
    assert [list(each.values()) for each in kills] == [[41, 0, 0], [14, 14, 13]]
    assert {count for fault, count in counts[0].items() if not fault.kills} == {3}
    assert KillWorker("a worker").not_run(1) == "it needs --workers 2 or more"


@pytest.mark.parametrize(
    "script", ["sleep 60 &", "true & exec sleep 1"], ids=["a worker that goes on", "a worker that is never collected"]
)
def test_processes_that_a_command_leaves_behind_are_counted_and_ended(script, tmp_path, monkeypatch):
    command = tmp_path / "python"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(command))
    for name, seconds in (("GRACE_S", 0.2), ("WATCH_S", 0.05), ("ZOMBIE_S", 0.2)):
        monkeypatch.setattr(process, name, seconds)
    with Process([], tmp_path, dict(os.environ), tmp_path / "output.log") as running:
        assert running.wait(30) == 0
        assert running.left() == 1
        assert running.left() == ("exec" in script), "what still ran was ended"


@pytest.mark.parametrize(
    "wrong",
    [{"same": 1}, {"trials": 1, "same": 1}, {"twice": 1}, {"processes": 1}, {"locks": 1}, {"problems": ("It hung.",)}],
)
def test_any_trace_of_a_fault_counts(wrong):
    sound = Outcome("kill", planned=2).after(Verdict(True)).after(Verdict(True))
    assert not sound.differs
    assert replace(sound, **wrong).differs


def test_the_table_counts_trials_and_names_what_was_not_run(tmp_path):
    broken = Outcome("kill", planned=2).after(Verdict(True)).after(Verdict(False, 1, 2, 3, problem="It hung."))
    missing = Outcome("full disk", planned=0, not_run="no tmpfs")
    assert not missing.differs
    assert as_markdown([broken, missing]).splitlines()[2:] == [
        "| kill | 2 | 1 of 2 | 1 | 2 | 3 |",
        "| full disk | not run: no tmpfs |  |  |  |  |",
    ]
    written = write(tmp_path / "new", [broken, missing], "bench selftest --crash").read_text()
    assert written.startswith("# Proof by crash\n\n`bench selftest --crash`, at commit ")
    assert written.endswith("|\n\n- kill: It hung.\n")
    assert (tmp_path / "new/crash.csv").read_text().splitlines()[1:] == [
        "kill,2,1 of 2,1,2,3", "full disk,not run: no tmpfs,,,,",
    ]  # fmt: skip
    with pytest.raises(InputError, match="Cannot write to"):
        write(tmp_path / "new/crash.csv", [broken], "")
