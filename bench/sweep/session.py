"""Run a sweep: every cell becomes a row, whatever happens to the others."""

import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from samplerbench.data.datasets import DATASETS, as_picture
from samplerbench.errors import InputError
from samplerbench.methods import get_grid, is_grid_file
from samplerbench.networks.backbone import Backbone, pick_device
from samplerbench.networks.closed_form import one_thread
from samplerbench.networks.teachers import teacher_pictures, with_teachers
from samplerbench.report import write as report
from samplerbench.sampling.measure import PICTURED, Cell, Gauge, measure
from samplerbench.store.protocol import differences
from samplerbench.store.provenance import code_digest, commit, device_name, environment, fingerprint, utc_now
from samplerbench.store.run_directory import Store, read_facts, teacher_stem
from samplerbench.sweep.grids import own_grid
from samplerbench.sweep.loading import load_networks
from samplerbench.sweep.plan import Job, Sweep, expand, normalise


def run(**options: object) -> pd.DataFrame:
    """Run a sweep as `bench run` does, and return its results, one row a cell.

    The options are the fields of `bench.plan.Sweep`, named as on the command line: run(methods="ddim,flow",
    steps=[10, 50]). The run directory is written as well; the frame's `attrs["output"]` names it.
    Raises InputError, SpecError or CheckpointError for what cannot be run; a cell that fails is a row that says so.
    """
    session = Session(Sweep(**options))
    for _ in session.execute():
        pass
    frame = session.store.frame()
    frame.attrs["output"] = str(session.store.folder)
    return frame


@dataclass(frozen=True)
class Started:
    """A cell begins; `gauge` tells how far it is."""

    job: Job
    gauge: Gauge


@dataclass(frozen=True)
class Finished:
    """A cell has become a row."""

    row: dict


class Session:
    """A sweep made ready: everything that can be wrong with the input has been found when this has been built."""

    def __init__(self, sweep: Sweep):
        self.sweep = sweep = normalise(sweep)
        self.device = pick_device(sweep.device)
        self.jobs, self.backbones = load_networks(expand(sweep), sweep, self.device)
        if sweep.quality:
            from samplerbench.metrics.scoring import Quality  # torch-fidelity takes a second to import

            self.quality = Quality(sweep, self.device)
            self._check_labels()
            self.backbones = self._with_teachers()
        self.store = Store(Path(sweep.output or default_output(sweep)))
        self.pending = [job for job in self.jobs if not self.store.done(self.cell(job))]
        self._check_protocol()
        self._teachers_kept: set[str] = set()

    def _with_teachers(self) -> dict[str, Backbone]:
        sweep = self.sweep
        guidances = {job.guidance for job in self.jobs if job.guidance and self.backbones[job.recipe].cost.teacher}
        dataset, needed = DATASETS.get(sweep.dataset), self.quality.needs_teacher
        return with_teachers(self.backbones, guidances, dataset, sweep.weights, needed)

    def _check_labels(self) -> None:
        """Metrics that compare with labels need networks that were given some."""
        without = [name for name, each in self.backbones.items() if self.quality.classes and not each.labelled]
        if without:
            raise InputError(
                f"class_accuracy needs networks with classes, and {without[0]} has none: leave it out of --metrics."
            )

    def _check_protocol(self) -> None:
        others = {row["protocol"] for row in self.store.rows.values()} - {self.protocol}
        if others:
            raise InputError(
                f"{str(self.store.folder)!r} holds a run under another protocol ({self._differing()}): choose "
                "another --output."
            )

    def _differing(self) -> str:
        try:
            before = read_facts(self.store.folder)["quality"]
        except InputError:
            return "its run.json is missing, so what differs cannot be told"
        return ", ".join(differences([before, self.quality.facts if self.sweep.quality else None]))

    @cached_property
    def protocol(self) -> str:
        """The hash of all that must match for two quality figures to be comparable."""
        return fingerprint(self.quality.facts) if self.sweep.quality else "none"

    @cached_property
    def environment(self) -> dict:
        """The machine and the versions; seconds compare only where all of it is equal."""
        return environment(self.device)

    def cell(self, job: Job) -> str:
        """The hash of everything that determines a job's row, the code that samples included."""
        sweep, backbone = self.sweep, self.backbones[job.recipe]
        conditions = {
            "job": [str(job.method), job.recipe, job.grid, job.steps, job.skip],
            "backbone": [sweep.preset, backbone.digest, sweep.dtype, sweep.compile],
            "guidance": job.guidance and [str(job.guidance), backbone.aide_digest(job.guidance)],
            "measured": [
                sweep.quality and self.quality.metrics_named,
                sweep.timing,
                sweep.batch_size,
                sweep.save_images,
            ],
            "machine": [str(self.device), device_name(self.device)],
            "code": code_digest(type(job.method)),
            "protocol": self.protocol,
        }
        if job.grid in self.grid_files:
            conditions["grid"] = self.grid_files[job.grid]
        if sweep.quality and self.quality.needs_teacher and backbone.teacher:
            teacher = backbone.teacher
            conditions["teacher"] = [teacher.digest, job.guidance and teacher.aide_digest(job.guidance)]
        return fingerprint(conditions)

    @cached_property
    def grid_files(self) -> dict[str, str]:
        """The grid files of this sweep with the hashes of their times."""
        named = dict.fromkeys(job.grid for job in self.jobs if job.grid)
        return {grid: get_grid(grid).digest for grid in named if is_grid_file(grid)}

    def execute(self) -> Iterator[Started | Finished]:
        """Measure the pending cells; write each row as it is done, and the report at the end, also when interrupted."""
        self.store.describe(self.facts())
        self.store.write()
        if self.sweep.quality:
            self.store.add_raw("reference", {"images": as_picture(self.quality.images.reference[:PICTURED]).numpy()})
        try:
            for job in self.pending:
                gauge = Gauge()
                yield Started(job, gauge)
                with one_thread() if self.backbones[job.recipe].distribution else nullcontext():
                    row = self.measure(job, gauge)
                self.store.add(row)
                yield Finished(row)
        finally:
            report.write(self.store.folder)

    def _amount(self) -> tuple[int, tuple[int, ...]]:
        if self.sweep.quality:
            return self.sweep.samples, self.sweep.seeds
        return self.sweep.batch_size, ()

    def measure(self, job: Job, gauge: Gauge) -> dict:
        """The row of a cell. This is the one place that turns an exception into a row."""
        row = self._identity(job)
        if job.skip:
            return row | {"status": "skipped", "error": job.skip}
        try:
            cell, scores = self._measure(job, gauge)
            quality = self.quality.summarise(scores) if self.sweep.quality else {}
        except Exception as error:
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            return row | {"status": "failed", "error": one_line(error)}
        self.store.add_raw(row["cell"], raw_arrays(cell, scores))
        return row | {"nfe": cell.nfe} | quality | (cell.speed() if self.sweep.timing else {})

    def _measure(self, job: Job, gauge: Gauge) -> tuple[Cell, dict[str, list[float]]]:
        """Generate, time and score: the images pass through, batch by batch, and are not held."""
        (samples, seeds), sweep = self._amount(), self.sweep
        backbone, cell = self.backbones[job.recipe], Cell(min(sweep.batch_size, samples))
        gauge.expect(job, backbone, samples, seeds, sweep.batch_size)
        scoring = self.quality.start() if sweep.quality else None
        with self.store.images(self.cell(job), samples) if sweep.save_images else nullcontext() as saved:
            for block, images in measure(job, backbone, cell, samples, seeds, sweep.timing, gauge):
                scoring.add(block, images)
                if saved:
                    saved.add(block, images.numpy())
        if sweep.quality and backbone.teacher:
            self._keep_teacher(job, backbone.teacher)
        return cell, scoring.columns() | self.quality.replay(job, backbone, seeds) if scoring else {}

    def _keep_teacher(self, job: Job, teacher: Backbone) -> None:
        """Keep what the teacher makes of the noise of the pictured images, once a session."""
        stem = teacher_stem(str(teacher.recipe), str(job.guidance or ""))
        if stem not in self._teachers_kept:
            compared = self.quality.needs_teacher
            images = teacher_pictures(teacher, self.sweep.seeds[0], job.guidance, compared)
            self.store.add_raw(stem, {"images": images})
            self._teachers_kept.add(stem)

    def _identity(self, job: Job) -> dict:
        """The columns that say what was measured, and on what."""
        sweep, backbone = self.sweep, self.backbones[job.recipe]
        quality = sweep.quality
        return {
            "method": job.method.name,
            "options": job.method.options,
            "recipe": job.recipe,
            "dataset": sweep.dataset or sweep.preset,
            "resolution": backbone.unet.config.resolution,
            "grid": job.grid or "",
            "own_grid": own_grid(job),
            "steps": job.steps,
            "guidance": str(job.guidance or ""),
            "seeds": ",".join(map(str, sweep.seeds)) if quality else "",
            "samples": sweep.samples if quality else None,
            "device": str(self.device),
            "dtype": sweep.dtype,
            "batch_size": min(sweep.batch_size, self._amount()[0]),
            "compiled": str(sweep.compile).lower(),
            **backbone.cost.columns,
            "environment": fingerprint(self.environment),
            "status": "ok",
            "error": "",
            "cell": self.cell(job),
            "protocol": self.protocol,
            "commit": commit(),
            "utc": utc_now(),
        }

    def facts(self) -> dict:
        """What run.json records: the request, the environment, the hashes."""
        return {
            "command": shlex.join(["bench", *sys.argv[1:]]) if Path(sys.argv[0]).name == "bench" else "bench.run",
            "sweep": asdict(self.sweep),
            "environment": self.environment,
            "checkpoints": {key: text for each in self.backbones.values() for key, text in each.origins.items()},
            "grids": self.grid_files,
            "protocol": self.protocol,
            "quality": self.quality.facts if self.sweep.quality else None,
            "commit": commit(),
            "utc": utc_now(),
        }


def raw_arrays(cell: Cell, scores: dict[str, list[float]]) -> dict[str, np.ndarray]:
    """What is kept of a cell beside its row: the first images, the timings in order, and the values per seed block."""
    first = {} if cell.pictured is None else {"images": cell.pictured.numpy()}
    timings = {
        f"{name}_s": np.array([getattr(each, name) for each in cell.rounds])
        for name in ("latency", "inside", "forward")
    }
    return first | timings | {name: np.array(values) for name, values in scores.items()}


def one_line(error: Exception) -> str:
    """An exception as a row's reason: its kind, its message and where it was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message[:300]} ({Path(place.filename).name}:{place.lineno})"


def default_output(sweep: Sweep) -> Path:
    """The same directory for the same command, so that repeating it resumes."""
    return Path("results", "runs", f"{sweep.dataset or sweep.preset}-{fingerprint(asdict(sweep))[:8]}")
