"""A sweep in its run directory: what is pending is measured, cell by cell, and every cell becomes a row."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields, replace

from torch import nn

from samplerbench.data.dataset import displayed
from samplerbench.errors import InputError, WriteError
from samplerbench.metrics.base import METRICS
from samplerbench.sampling.breakdown import FILES, LOADING, REPORT, Breakdown
from samplerbench.sampling.measure import PICTURED, Measurement
from samplerbench.store.place import as_place
from samplerbench.store.protocol import differences
from samplerbench.store.provenance import commit, utc_now
from samplerbench.store.repository import repository
from samplerbench.store.run_directory import RunDirectory
from samplerbench.store.sessions import found_batch, read_facts
from samplerbench.sweep.cell_key import cell_key, sweep_key
from samplerbench.sweep.command import own_command, relative, sources_of
from samplerbench.sweep.dealing import identity, steps_of
from samplerbench.sweep.engine.base import Setup
from samplerbench.sweep.engine.serial import measure_cell
from samplerbench.sweep.events import CellFinished, CellStarted, Event, Note
from samplerbench.sweep.exclusive import Alone
from samplerbench.sweep.jobs import Job
from samplerbench.sweep.normalise import default_output, engine_of, with_text
from samplerbench.sweep.options import AUTO, Sweep
from samplerbench.sweep.parallel import Parallel
from samplerbench.sweep.prepare import prepare
from samplerbench.sweep.same_sweep import check_same
from samplerbench.sweep.shard import placed
from samplerbench.sweep.share import Joined, Whole

PATHS = ("output", "weights", "data_root", "dataset", "reference")  # options of a sweep


class Session:
    """A prepared sweep in its run directory. Raises InputError, SpecError or CheckpointError for wrong input.

    spent: where the wall time goes. in_process: whether this process measures, without any worker.
    """

    def __init__(self, sweep: Sweep, suite: Mapping[str, str] | None = None, spent: Breakdown | None = None):
        """suite: the name and the hash of the suite that it comes from, for run.json. spent: the time before."""
        self.suite, self.spent = suite, spent or Breakdown()
        self.options = sweep
        with self.spent.part(LOADING):
            self._open(sweep)

    def _open(self, sweep: Sweep) -> None:
        self.prepared = prepare(sweep, self.spent)
        checked = self.prepared.sweep
        self.engine = engine_of(checked)
        # A unit that hangs can be ended in a process of its own alone, and several sessions share units.
        own = self.engine.in_process(self.prepared.device)
        self.in_process = own and checked.cell_timeout is None and not checked.join
        self.jobs = self.prepared.jobs
        registered = [column.name for name in METRICS.names() for column in METRICS.lookup(name).columns]
        measured = [column.name for column in self.prepared.scorer.columns]
        sweep = self.prepared.sweep
        folder = placed(as_place(sweep.output or default_output(sweep)), sweep.shard)
        self.store = RunDirectory(folder, dict.fromkeys([*registered, *measured]), checked.join)
        if checked.join:
            check_same(folder, self)
        if sweep.batch_size == AUTO:
            before = read_facts(folder) if self.store.described else {}
            self.prepared = replace(self.prepared, found_batch=found_batch(before, self.asked()))
            _ = self.prepared.settled  # found now, while nothing else needs the memory
        self.pending = self._pending()

    def execute(self) -> Iterator[Event]:
        """Measure the pending cells; each row is written as soon as it is measured.

        Raises InputError if another process writes to the run directory, and WriteError if it cannot be written.
        """
        with self.store:
            yield from map(Note, self.store.notes)
            with self.spent.part(LOADING):
                self.pending = self._pending()  # another process may have written in the meantime
            try:
                yield from self._measure()
            except WriteError:
                raise
            except BaseException:  # an interrupted session keeps its times, too
                self._keep_seconds()
                raise
            self._keep_seconds()

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """A block after `execute` that writes the report: its time is added to run.json."""
        with self.spent.part(REPORT), self.store.turn():
            yield
        if self.store.session is not None:
            with suppress(InputError), self.store:  # another process may write there by now, or have deleted it
                self._keep_seconds()

    def _keep_seconds(self) -> None:
        seconds = self.spent.read()
        if self.store.session is not None:  # otherwise nothing was left to measure
            self.store.add_seconds(seconds)

    def _measure(self) -> Iterator[Event]:
        with self.spent.part(FILES), self.store.turn():
            if self.prepared.sweep.join:
                check_same(self.store.folder, self)  # another session may have begun in the meantime
            self._describe()
        yield from self._in_process() if self.in_process else self._by_workers()

    def _in_process(self) -> Iterator[CellStarted | CellFinished]:
        warm: set[nn.Module] = set()
        alone = Alone(self.store.folder, self.prepared.sweep.shard)
        for job in self.pending:
            found = Measurement(
                self.prepared.batch_size, spent=self.spent, warm=warm, scorer_mb=self.prepared.scorer.memory_mb
            )
            yield CellStarted(job, found.progress)
            row, raw = measure_cell(job, self.prepared, self.store, found, alone)
            with self.spent.part(FILES):
                self.store.add(row, raw)
            yield CellFinished(row, job)

    def _by_workers(self) -> Iterator[Event]:
        folder = str(self.store.folder.resolve())
        batch_size = int(self.prepared.settled.batch_size)
        setup = Setup(with_text(self.options), folder, sweep_key(self.prepared), os.getcwd(), batch_size)
        sweep = self.prepared.sweep
        share = Joined(self.store) if sweep.join else Whole(self.store, sweep.shard)
        return Parallel(self.prepared, self.store, self.engine, setup, self.spent, share).measure()

    def _describe(self) -> None:
        if self.pending or not self.store.described:
            self.store.describe(self.facts())
        self.store.write()
        images = self.prepared.scorer.images
        if images and len(images.reference):
            self.store.add_raw("reference", {"images": displayed(images.reference[:PICTURED]).numpy()})

    def facts(self) -> dict[str, object]:
        """What run.json records: the request, the environment, the hashes, the metrics' columns."""
        prepared = self.prepared
        facts: dict[str, object] = {
            "command": own_command("samplerbench.run"),
            **self.asked(),
            "layout": prepared.layout,
            "checkpoints": {key: text for each in prepared.networks.values() for key, text in sources_of(each).items()},
            "grids": prepared.grid_files,
            "protocol": prepared.protocol,
            "quality": prepared.scorer.facts,
            "columns": [column.to_json() for column in prepared.scorer.columns],
            "commit": commit(),
            "repository": repository(),
            "utc": utc_now(),
            "planned": self.planned(),
        }
        if prepared.sweep.batch_size == AUTO:
            facts["batch_size"] = prepared.settled.batch_size
        return facts | ({"suite": dict(self.suite)} if self.suite else {})

    def asked(self) -> dict[str, dict]:
        """What is asked for, and of which machine."""
        sweep = {field.name: getattr(self.prepared.sweep, field.name) for field in fields(Sweep)}
        asked = {name: relative(value) if name in PATHS and value else value for name, value in sweep.items()}
        return {"sweep": asked, "environment": self.prepared.environment}

    def planned(self) -> dict[str, int]:
        """The cells of this sweep by key, each with its steps, by which `bench status` estimates the time.

        Steps, not evaluations: to count those would run every method before the first cell is safe. Of several cells
        with the same row, the last one counts.
        """
        last = {identity(job): job for job in self.jobs}
        return {cell_key(job, self.prepared): steps_of(job) for job in last.values()}

    def _pending(self) -> list[Job]:
        """The jobs that are not measured yet. Raises InputError if those that are follow another protocol."""
        others = {row["protocol"] for row in self.store.rows.values()} - {self.prepared.protocol}
        if others:
            raise InputError(
                f"{str(self.store.folder)!r} holds a run under another protocol ({self._differing()}): choose "
                "another --output."
            )
        return [job for job in self.jobs if not self.store.done(cell_key(job, self.prepared))]

    def _differing(self) -> str:
        try:
            before = read_facts(self.store.folder)["quality"]
        except InputError:
            return "its run.json is missing, so the difference is unknown"
        return ", ".join(differences([before, self.prepared.scorer.facts]))
