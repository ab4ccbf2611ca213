"""`bench score`: images that anybody's code made, scored as those of a run are, as a row beside its rows."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from samplerbench.data.dataset import DATASETS, Dataset, digest
from samplerbench.data.files import FileData, Labelled
from samplerbench.errors import InputError
from samplerbench.methods import split_specs
from samplerbench.metrics.scoring import Scorer, summarise
from samplerbench.networks.devices import measuring_device
from samplerbench.sampling.measure import PICTURED, Batch
from samplerbench.store.place import as_place
from samplerbench.store.provenance import commit, environment, fingerprint, utc_now
from samplerbench.store.raw import Arrays
from samplerbench.store.repository import repository
from samplerbench.store.run_directory import RunDirectory
from samplerbench.sweep.command import own_command, relative
from samplerbench.sweep.normalise import dataset_of, parsed_metrics
from samplerbench.sweep.options import ScoreOptions

BATCH = 256
KINDS = {".npz": "npz", ".npy": "npy", ".parquet": "parquet"}


class Scoring:
    """Images made ready to be scored. Raises InputError, SpecError or CheckpointError for wrong input."""

    def __init__(self, options: ScoreOptions):
        self.options, self.device = options, measuring_device(options.device)
        self.spec = dataset_of(options.data, None, options.reference)
        self.blocks = list(_blocks(options.images, options.samples))
        dataset = DATASETS.get(self.spec).of_shape(self.blocks[0].images.shape[1:])
        _check_shape(self.blocks[0], dataset, options.images)
        self.scorer = Scorer(
            dataset, parsed_metrics(options.metrics), len(self.blocks[0].images), range(len(self.blocks)), self.device,
            options.data_root, options.download, options.reference, options.labels == "balanced",
        )  # fmt: skip
        if self.scorer.of_samplers:
            raise InputError(f"{self.scorer.of_samplers[0]} runs the sampler again, which images alone do not allow.")
        if self.scorer.needs("labels") and not all(block.classes for block in self.blocks):
            raise InputError(f"{self.scorer.needs('labels')} needs the labels of the images, which they do not have.")
        self.name = options.name or Path(split_specs(options.images)[0].rpartition(":")[2]).stem
        self.protocol, self.environment = fingerprint(self.scorer.facts), environment(self.device)
        key = fingerprint([self.spec, options.reference, self.protocol])
        self.folder = as_place(options.output or Path("results", "runs", f"score-{key[:8]}"))

    def run(self) -> dict[str, object]:
        """Score the images and add the row to the run directory; returns it. Raises InputError or WriteError."""
        store = RunDirectory(self.folder, [column.name for column in self.scorer.columns])
        if {row["protocol"] for row in store.rows.values()} - {self.protocol}:
            raise InputError(f"{str(self.folder)!r} holds rows of another protocol: choose another --output.")
        cells = self.scorer.start()
        for batch in self._batches():
            cells.add(batch)
        scores = cells.columns()
        row = self._identity() | summarise(scores, self.scorer.columns)
        with store:
            store.describe(self.facts())
            store.write()
            if len(self.scorer.images.reference):
                store.add_raw("reference", {"images": self.scorer.images.reference[:PICTURED].numpy()})
            store.add(row, {str(row["cell"]): self._raw(scores)})
        return row

    def facts(self) -> dict[str, object]:
        """What run.json records."""
        options = self.options
        return {
            "command": own_command("samplerbench.sweep.score"),
            "sweep": {
                "dataset": relative(self.spec),
                "reference": options.reference,
                "images": relative(options.images),
            },
            "environment": self.environment,
            "checkpoints": {},
            "grids": {},
            "protocol": self.protocol,
            "quality": self.scorer.facts,
            "columns": [column.to_json() for column in self.scorer.columns],
            "commit": commit(),
            "repository": repository(),
            "utc": utc_now(),
        }

    def _batches(self) -> Iterator[Batch]:
        for number, block in enumerate(self.blocks):
            for start in range(0, len(block.images), BATCH):
                part = slice(start, start + BATCH)
                images = block.images[part]
                labels = block.labels[part] if block.classes else None
                yield Batch(number, range(start, start + len(images)), images, labels)

    def _identity(self) -> dict[str, object]:
        images = digest(*(block.images for block in self.blocks))
        return {
            "method": self.name, "options": "", "recipe": "", "dataset": relative(self.spec),
            "resolution": self.blocks[0].images.shape[-1], "grid": "", "own_grid": "", "guidance": "",
            "seeds": ",".join(map(str, range(len(self.blocks)))), "samples": len(self.blocks[0].images),
            "device": str(self.device), "dtype": "", "compiled": "", "environment": fingerprint(self.environment),
            "status": "ok", "error": "", "cell": fingerprint([self.name, images, self.protocol, self.scorer.specs]),
            "protocol": self.protocol, "command": self._command(), "weights": f"images: {images}",
            "commit": commit(), "utc": utc_now(),
        }  # fmt: skip

    def _command(self) -> str:
        return own_command("samplerbench.sweep.score")

    def _raw(self, scores: Mapping[str, list[float]]) -> Arrays:
        pictured = {"images": self.blocks[0].images[:PICTURED].numpy()}
        return pictured | {name: np.array(values) for name, values in scores.items()}


def _blocks(images: str, samples: int | None) -> Iterator[Labelled]:
    """The seed blocks: each source is one, or is cut into blocks of `samples` images."""
    sources = [_source(spec).ordered() for spec in split_specs(images)]
    size = samples or min(len(source.images) for source in sources)
    count = 0
    for source in sources:
        if source.images.shape[1:] != sources[0].images.shape[1:]:
            found, wanted = ("x".join(map(str, each.images.shape[1:])) for each in (source, sources[0]))
            raise InputError(f"{images} holds images of {wanted} and of {found}: all must be alike.")
        for start in range(0, len(source.images) - size + 1, size):
            part = slice(start, start + size)
            yield Labelled(source.images[part], source.labels[part], source.classes)
            count += 1
    if not count:
        raise InputError(f"{images} holds fewer than --samples {size} images.")


def _check_shape(block: Labelled, dataset: Dataset, images: str) -> None:
    shape = (dataset.channels, dataset.resolution, dataset.resolution)
    if tuple(block.images.shape[1:]) != shape:
        found, wanted = ("x".join(map(str, each)) for each in (block.images.shape[1:], shape))
        raise InputError(f"{images} holds images of {found}, and they are compared with images of {wanted}.")


def _source(spec: str) -> FileData:
    """The images of a spec, or of a plain path, whose kind its name shows."""
    kind = KINDS.get(Path(spec).suffix.lower(), "folder" if os.path.isdir(spec) else "")
    data = DATASETS.get(f"{kind}:{spec}" if kind and os.path.exists(spec) else spec)
    if not isinstance(data, FileData):
        raise InputError(
            f"{spec} is a data set, not images that were generated: give folder:DIR, npz:FILE or npy:FILE."
        )
    return data
