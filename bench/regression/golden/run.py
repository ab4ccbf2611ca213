"""A figure measured again: what it needs that is not here, and the sweep of its one cell."""

from pathlib import Path
from typing import Any

from samplerbench.metrics.extractors import inception_file
from samplerbench.networks.research.imported import import_file
from samplerbench.regression.golden.figure import Checkpoint, Figure
from samplerbench.regression.golden.pipeline import difference, installed
from samplerbench.regression.golden.places import Places
from samplerbench.regression.golden.verdict import Missing, Outcome
from samplerbench.sweep.cell_key import cell_key
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.session import Session

DIFFERENCE = "difference"  # the column of figures that are no metric of a run
INCEPTION_SOURCE = "torch-fidelity's releases, or --download"


def missing(figure: Figure, places: Places) -> list[Missing]:
    """What a figure needs that is not on this machine."""
    if figure.column == DIFFERENCE:
        return [] if installed() else [Missing("diffusers", "pip install 'samplerbench[diffusers]'")]
    found, checkpoint = [], figure.checkpoint
    if checkpoint.file and not (file := places.checkpoints / checkpoint.file).exists():
        found.append(Missing(_shown(file), checkpoint.source))
    if (data := figure.data) and data.statistics and not (file := places.checkpoints / data.place).exists():
        found.append(Missing(_shown(file), data.source))
    if places.download or not data:
        return found
    if not data.statistics and not (folder := places.data_root / data.place).exists():
        found.append(Missing(_shown(folder), f"{data.source}, or --download"))
    if not inception_file().exists():
        found.append(Missing(_shown(inception_file()), INCEPTION_SOURCE))
    return found


def _shown(path: Path) -> str:
    """A path without the name of the user's home."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def measure_here(figure: Figure) -> Outcome | None:
    """What came of a figure that needs no sweep; None for the others."""
    return Outcome(figure, difference(figure)) if figure.column == DIFFERENCE else None


def session(figure: Figure, places: Places) -> Session:
    """The sweep of a figure, in a folder of its own. Raises InputError, SpecError or CheckpointError."""
    options: dict[str, Any] = dict(figure.options)
    if figure.checkpoint.file:
        options["model"] = _model(figure.checkpoint, places)
    if figure.data and figure.data.statistics:
        del options["data"]
        options |= {"reference": f"stats:{places.checkpoints / figure.data.place}", "download": places.download}
    elif figure.data:
        options |= {"data_root": str(places.data_root), "download": places.download}
    if places.batch_size:
        options["batch_size"] = places.batch_size
    return Session(Sweep(**options, device=places.device, output=places.output / figure.name))


def outcome(figure: Figure, measured: Session) -> Outcome:
    """What came of a figure whose sweep has been measured."""
    (job,) = measured.jobs
    row = measured.store.rows[cell_key(job, measured.prepared)]  # beside rows of other code or weights, perhaps
    quality = measured.prepared.scorer.facts or {}
    if row["status"] != "ok":
        return Outcome(figure, error=str(row["error"]), row=row, quality=quality)
    return Outcome(figure, float(row[figure.column]), row=row, quality=quality)


def _model(checkpoint: Checkpoint, places: Places) -> str:
    """What `--model` takes for a checkpoint; a file of another project is imported beside itself first, once."""
    file = places.checkpoints / checkpoint.file
    if checkpoint.family:
        imported = file.with_suffix(".safetensors")
        if not imported.exists():
            import_file(file, checkpoint.family, imported)
        return str(imported)
    return checkpoint.spec.format(file=file)
