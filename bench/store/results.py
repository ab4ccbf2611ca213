"""What a report is about: the rows of one run or of several, each with the facts of the run it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from samplerbench.errors import InputError
from samplerbench.store.labels import fid_name, names
from samplerbench.store.run_directory import read_facts, read_raw, read_results

NEEDED = "command sweep environment checkpoints protocol quality commit utc".split()


@dataclass(frozen=True)
class Results:
    """Rows with the columns of the store and three more, and the run.json of every run by its name.

    run: the name of the row's run, "" where there is one run only. machine: where that run was made.
    name: the row's method, with what else it takes to tell it from the others.
    """

    folder: Path
    rows: pd.DataFrame
    facts: Mapping[str, dict]

    @property
    def groups(self) -> list["Results"]:
        """The results taken apart by protocol: within one, figures of quality compare."""
        protocols = self.rows["protocol"].unique()
        return [self] if len(protocols) < 2 else [self._within(protocol) for protocol in protocols]

    def _within(self, protocol: str) -> "Results":
        rows = self.rows[self.rows["protocol"] == protocol]
        facts = {name: self.facts[name] for name in rows["run"].unique()}
        return replace(self, rows=rows.assign(name=names(rows)), facts=facts)

    @property
    def quality(self) -> dict:
        """The facts of the protocol of one group; empty if quality was not measured."""
        return next(iter(self.facts.values()))["quality"] or {}

    @property
    def fid(self) -> str:
        """FID as it is called in one group: with its extractor."""
        return fid_name(self.quality)

    @property
    def scored(self) -> pd.DataFrame:
        """The rows that have a FID."""
        return self.rows[(self.rows["status"] == "ok") & self.rows["fid"].notna()]

    @property
    def solved(self) -> pd.DataFrame:
        """The rows that have an error against the exact solution, or a fine one."""
        return self.rows[(self.rows["status"] == "ok") & (self.rows["trajectory_rmse"] > 0)]

    @property
    def timed(self) -> pd.DataFrame:
        """The rows that have a FID and a latency."""
        return self.scored[self.scored["latency_s"].notna()]

    def raw(self, run: str, stem: str) -> dict:
        """What a run kept under `stem`; a merged report has one folder for each run.

        Raises InputError, naming the file, if that is damaged.
        """
        key = f"{run}/{stem}" if run else stem
        try:
            return read_raw(self.folder, key)
        except Exception as error:  # numpy, zipfile and zlib each have their own
            raise InputError(f"raw/{key}.npz is damaged ({type(error).__name__}).") from error


def load(folder: Path) -> Results:
    """The results in a run directory, or in one that `bench report` merged. Raises InputError for anything else."""
    rows, facts = read_results(folder), _facts(folder)
    if "runs" not in facts:
        return assemble(folder, {"": rows}, {"": facts})
    runs = pd.read_csv(folder / "results.csv", usecols=lambda column: column == "run", dtype=str).get("run")
    if runs is None or not set(runs) <= facts["runs"].keys():
        raise InputError(f"{str(folder)!r} holds rows of runs that its run.json does not name: merge them again.")
    return assemble(folder, {name: rows[runs == name] for name in facts["runs"]}, facts["runs"])


def assemble(folder: Path, rows: Mapping[str, pd.DataFrame], facts: Mapping[str, dict]) -> Results:
    """Results of runs by name."""
    parts = [frame.assign(run=name, machine=machine(facts[name])) for name, frame in rows.items()]
    filled = [part for part in parts if len(part)] or parts[:1]
    joined = pd.concat(filled, ignore_index=True)
    joined["machine"] += _environments(joined)
    return Results(folder, joined.assign(name=names(joined)), facts)


def _environments(rows: pd.DataFrame) -> pd.Series:
    """What tells machines of the same description apart: the hash of the whole environment."""
    several = rows["environment"].groupby(rows["machine"]).transform("nunique") > 1
    return rows["environment"].map(lambda text: f" ({text[:6] or 'unknown'})").where(several, "").astype(object)


def machine(facts: dict) -> str:
    """The device and its threads: seconds compare only within one."""
    environment = facts["environment"]
    threads = environment.get("threads", "?")
    return f"{environment.get('device', 'unknown')}, {threads} thread" + "s" * (threads != 1)


def _facts(folder: Path) -> dict:
    facts = read_facts(folder)
    runs = facts.get("runs", {"": facts}) if isinstance(facts, dict) else {"": {}}
    missing = [key for run in runs.values() for key in NEEDED if key not in run]
    if missing:
        raise InputError(f"{str(folder / 'run.json')!r} was not written by `bench run`: it has no {missing[0]!r}.")
    return facts
