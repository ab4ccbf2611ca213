"""The rows of one run or of several, each with the facts of the run it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from samplerbench.errors import InputError
from samplerbench.store.labels import names
from samplerbench.store.place import Place
from samplerbench.store.provenance import fingerprint
from samplerbench.store.raw import read_raw
from samplerbench.store.sessions import read_facts, sessions
from samplerbench.store.stored_rows import read_merged


@dataclass(frozen=True, eq=False)  # by identity, so that what is made of it can be cached
class Results:
    """Rows with the columns of results.csv and three more, and the run.json of every run by its name.

    run: the name of the row's run; "" if there is only one. machine: where that run was made. name: the row's method,
    with whatever distinguishes it from the others.
    """

    folder: Place
    rows: pd.DataFrame
    facts: Mapping[str, dict]

    @property
    def groups(self) -> list["Results"]:
        """The results by protocol: only within one are metrics comparable."""
        protocols = self.rows["protocol"].unique()
        return [self] if len(protocols) < 2 else [self._within(protocol) for protocol in protocols]

    def _within(self, protocol: str) -> "Results":
        rows = self.rows[self.rows["protocol"] == protocol]
        facts = {name: self.facts[name] for name in rows["run"].unique()}
        return replace(self, rows=rows.assign(name=names(rows)), facts=facts)

    @property
    def quality(self) -> dict:
        """The protocol's facts, for one group; empty if no metrics were measured."""
        return next(iter(self.facts.values()))["quality"] or {}

    @property
    def recorded_columns(self) -> list[dict]:
        """The metrics' columns as run.json describes them; none for runs from before it did."""
        recorded = (column for facts in self.facts.values() for column in facts.get("columns", ()))
        return [*{column["name"]: column for column in recorded}.values()]

    @property
    def scored(self) -> pd.DataFrame:
        """The rows with a FID."""
        return self.rows[(self.rows["status"] == "ok") & self.rows["fid"].notna()]

    @property
    def solved(self) -> pd.DataFrame:
        """The rows with an error against the exact solution of the ODE, or a fine one."""
        if "trajectory_rmse" not in self.rows:
            return self.rows.iloc[:0]
        return self.rows[(self.rows["status"] == "ok") & (self.rows["trajectory_rmse"] > 0)]

    @property
    def timed(self) -> pd.DataFrame:
        """The rows with a FID and a latency."""
        return self.scored[self.scored["latency_s"].notna()]

    def arrays(self, cell: str) -> dict[str, np.ndarray]:
        """What the row of this `cell` was made from: seconds of each round, values per seed block, first images.

        images: uint8 (n, C, H, W). latency_s, inside_s, forward_s: (rounds,). Each metric's name: (blocks,).
        Empty if nothing was kept. Raises InputError if the file is damaged, or no row has this cell.
        """
        runs = self.rows.loc[self.rows["cell"] == cell, "run"]
        if runs.empty:
            raise InputError(f"No row has the cell {cell!r}: take it from the column `cell`.")
        return self.raw(runs.iloc[0], cell)

    def raw(self, run: str, stem: str) -> dict:
        """The raw data that a run stored under `stem`; a merged report has one folder for each run.

        Raises InputError, naming the file, if it is damaged.
        """
        key = f"{run}/{stem}" if run else stem
        try:
            arrays = read_raw(self.folder, key)
        except Exception as error:  # numpy, zipfile and zlib each have their own
            raise InputError(f"raw/{key}.npz is damaged ({type(error).__name__}).") from error
        images = arrays.get("images")
        if images is not None and (images.ndim != 4 or images.dtype != np.uint8 or not images.size):
            raise InputError(f"raw/{key}.npz is damaged (its images are {images.dtype} {images.shape}).")
        return arrays


def load(folder: Place) -> Results:
    """The results in a run directory, or in one that `bench report` merged. Raises InputError for anything else."""
    (rows, runs), facts = read_merged(folder), read_facts(folder)
    if "runs" not in facts:
        return assemble(folder, {"": rows}, {"": facts})
    if runs is None or not set(runs) <= facts["runs"].keys():
        raise InputError(f"{str(folder)!r} has rows of runs that its run.json does not name: merge them again.")
    return assemble(folder, {name: rows[runs == name] for name in facts["runs"]}, facts["runs"])


def assemble(folder: Place, rows: Mapping[str, pd.DataFrame], facts: Mapping[str, dict]) -> Results:
    """The results of several runs, by name."""
    parts = [frame.assign(run=name, machine=_machines(frame, facts[name])) for name, frame in rows.items()]
    filled = [part for part in parts if len(part)] or parts[:1]
    joined = pd.concat(filled, ignore_index=True)
    joined["machine"] += _environments(joined)
    return Results(folder, joined.assign(name=names(joined)), facts)


def machine(facts: Mapping) -> str:
    """The device and its number of threads: latencies compare only on the same machine."""
    environment = facts["environment"]
    threads = environment.get("threads", "?")
    return f"{environment.get('device', 'unknown')}, {threads} thread" + "s" * (threads != 1)


def _machines(rows: pd.DataFrame, facts: Mapping) -> pd.Series:
    """The machine that each row was measured on: that of its session, which may not be the last."""
    known = {fingerprint(session["environment"]): machine(session) for session in sessions(facts)}
    return rows["environment"].map(lambda environment: known.get(environment, machine(facts))).astype(object)


def _environments(rows: pd.DataFrame) -> pd.Series:
    """The hash of the whole environment, where machines of the same description differ in it."""
    several = rows["environment"].groupby(rows["machine"]).transform("nunique") > 1
    return rows["environment"].map(lambda text: f" ({text[:6] or 'unknown'})").where(several, "").astype(object)
