"""`bench likelihood`: how many bits per dimension a trained network needs for real images, by two estimators."""

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, nan
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from samplerbench.data.datasets import DATASETS, Dataset
from samplerbench.errors import InputError, writing
from samplerbench.methods import GRIDS, Field, get_recipe, nearest, split_specs
from samplerbench.metrics.bound import bound
from samplerbench.metrics.log_density import log_density
from samplerbench.networks.backbone import Backbone, load_backbone, pick_device
from samplerbench.sampling.noise import ImageNoise
from samplerbench.sampling.timing import timed
from samplerbench.store.provenance import commit, environment, utc_now

ESTIMATORS = ("ode", "bound", "exact")
DEFAULT, DEFAULT_EXACT = "ode,bound", "ode,exact"
SPLITS = ("held out", "training")
STEPS, LEVELS = 1000, 256
PRECISE = 1e-7  # the ODE's tolerance where the network is exact
COLUMNS = (
    "recipe dataset split estimator images levels steps bpd bpd_se prior_bpd transitions_bpd decoder_bpd nfe "
    "seconds_per_image seed device checkpoint data commit utc"
).split()


@dataclass(frozen=True)
class Advance:
    """How far the measuring is, in images of all rows."""

    done: int
    of: int
    what: str


class Likelihood:
    """A measuring made ready; `run` carries it out. Raises InputError, SpecError or CheckpointError for wrong input."""

    def __init__(
        self, recipes: str = "ddpm,flow", dataset: str = "digits", images: int = 64, estimators: str | None = None,
        steps: int | None = None, levels: int | None = None, seed: int = 0, batch_size: int = 64,
        output: Path | None = None, device: str = "auto", weights: str | None = None, data_root: str | None = None,
        download: bool = False,
    ):  # fmt: skip
        source, self.device = DATASETS.get(dataset), pick_device(device)
        self.distribution = source.distribution
        self.estimators = _estimators(estimators or (DEFAULT_EXACT if self.distribution else DEFAULT))
        _check_exact(source, self.estimators, levels)
        if steps and "bound" not in self.estimators:
            raise InputError("--steps is the length of the bound's chain: it has no effect without --estimators bound.")
        self.steps, self.levels, self.seed, self.batch_size = steps or STEPS, levels or LEVELS, seed, batch_size
        names = list(dict.fromkeys(str(get_recipe(spec)) for spec in split_specs(recipes)))
        if not names:
            raise InputError("No recipe is named: give one or several, as in ddpm,flow.")
        students = [name for name in names if get_recipe(name).student]
        if students:
            raise InputError(
                f"{students[0]} is a student, which tells no density: name an ordinary recipe, as in flow."
            )
        self.dataset = source.name
        self.backbones = {
            name: load_backbone(name, source, weights, self.device, torch.float32, False) for name in names
        }
        loaded = source.load(data_root, download)
        self.data = loaded.digest
        self.splits = {
            "held out": (loaded.test[:images], loaded.test_labels[:images]),
            "training": (loaded.train[:images], loaded.train_labels[:images]),
        }
        fewest = min(len(found) for found, _ in self.splits.values())
        if fewest < images:
            raise InputError(f"{self.dataset} has only {fewest} images to each split: give --images at most {fewest}.")
        for found, _ in self.splits.values():
            self._prepared(found)  # raises now if they are not on these levels
        self.output = output or Path("results", "likelihood")
        with writing(self.output):
            self.output.mkdir(parents=True, exist_ok=True)
        self.rows: list[dict] = []

    def run(self) -> Iterator[Advance]:
        """Measure row after row, each written as it is done."""
        cases = [(name, split, kind) for name in self.backbones for split in SPLITS for kind in self.estimators]
        count = len(self.splits[SPLITS[0]][0])
        for index, (name, split, kind) in enumerate(cases):
            batches = []
            for start in range(0, count, self.batch_size):
                batches.append(self._batch(self.backbones[name], split, kind, start))
                done = index * count + min(start + self.batch_size, count)
                yield Advance(done, len(cases) * count, f"{name}, {split} images, {kind}")
            self.rows.append(self._row(name, split, kind, batches))
            self.write()

    def _batch(self, backbone: Backbone, split: str, kind: str, start: int) -> dict[str, np.ndarray]:
        """The figures of each image, in bits per dimension, and what they cost."""
        images, labels = (part[start : start + self.batch_size].to(self.device) for part in self.splits[split])
        noise = ImageNoise(self.seed, range(start, start + len(images)))
        field, prepared = backbone.field(labels if backbone.unet.config.classes else None), self._prepared(images)
        measure = {"ode": self._by_ode, "bound": self._by_bound, "exact": self._exactly}[kind]
        with torch.inference_mode(kind != "ode"):
            figures, seconds = timed(lambda: measure(field, prepared, noise), self.device)
        bits = {key: (value / (images[0].numel() * log(2))).cpu().numpy() for key, value in figures.items()}
        each = np.ones(len(images)) / len(images)
        return bits | {"nfe": field.net.evaluations * each, "seconds_per_image": seconds * each}

    def _prepared(self, images: Tensor) -> Tensor:
        """Exact data as it is, images as whole numbers from 0 to levels - 1."""
        return images if self.distribution else to_levels(images, self.levels)

    def _by_ode(self, field: Field, images: Tensor, noise: ImageNoise) -> dict[str, Tensor]:
        """-log of the density; that of dequantised images, times the width of a level, bounds -log P in expectation."""
        if self.distribution:
            return {"bpd": -log_density(field, images, noise, PRECISE)}
        width = 2 / (self.levels - 1)
        dequantised = (images + torch.special.ndtr(noise(images)) - 0.5) * width - 1
        return {"bpd": -log_density(field, dequantised.float(), noise).double() - images[0].numel() * log(width)}

    def _by_bound(self, field: Field, images: Tensor, noise: ImageNoise) -> dict[str, Tensor]:
        """The variational bound and its three terms, with x0 clipped to [-1, 1] as pixels are."""
        width, times = 2 / (self.levels - 1), GRIDS.get("uniform")(self.steps, field.path)
        terms = bound(field, (images * width - 1).float(), width, times, noise, clip=True)
        return {
            "bpd": terms.total.double(),
            "prior_bpd": terms.prior.double(),
            "transitions_bpd": terms.transitions.double().sum(1),
            "decoder_bpd": terms.decoder.double(),
        }

    def _exactly(self, field: Field, images: Tensor, noise: ImageNoise) -> dict[str, Tensor]:
        """-log of the density in closed form: no network, no noise."""
        return {"bpd": -self.distribution.log_density(images.flatten(1).cpu())}

    def _row(self, name: str, split: str, kind: str, batches: Sequence[dict[str, np.ndarray]]) -> dict:
        each = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
        bpd, backbone = each["bpd"], self.backbones[name]
        measured = {key: float(values.mean()) for key, values in each.items()}
        return dict.fromkeys(COLUMNS, nan) | measured | {
            "recipe": name, "dataset": self.dataset, "split": split, "estimator": kind, "images": len(bpd),
            "levels": None if self.distribution else self.levels, "steps": self.steps if kind == "bound" else None,
            "bpd_se": float(bpd.std(ddof=1) / len(bpd) ** 0.5), "seed": self.seed, "device": str(self.device),
            "checkpoint": f"{backbone.source} {backbone.digest}", "data": self.data, "commit": commit(),
            "utc": utc_now(),
        }  # fmt: skip

    def frame(self) -> pd.DataFrame:
        """The rows so far."""
        return pd.DataFrame(self.rows, columns=COLUMNS).astype({"steps": "Int64", "levels": "Int64"})

    def write(self) -> None:
        """Write likelihood.csv and the facts of the run beside it."""
        facts = {
            "command": shlex.join(["bench", *sys.argv[1:]])
            if Path(sys.argv[0]).name == "bench"
            else "bench.likelihood",
            "environment": environment(self.device),
            "quantisation": "none"
            if self.distribution
            else f"{self.levels} levels from -1 to 1; uniform dequantisation for the ODE",
            "labels": "each image's own, where the network takes them",
            "splits": "the first images of each",
        }
        with writing(self.output):
            (self.output / "likelihood.csv").write_text(self.frame().to_csv(index=False), encoding="utf-8")
            (self.output / "likelihood.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def to_levels(images: Tensor, levels: int) -> Tensor:
    """uint8 images (B, C, H, W) as whole numbers from 0 to levels - 1. Raises InputError if they are not such."""
    found = (images.double() * (levels - 1) / 255).round()
    if not torch.equal((found * 255 / (levels - 1)).round().to(torch.uint8), images):
        raise InputError(f"The images are not on {levels} even levels of brightness: leave out --levels, for 256.")
    return found


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows as text for people."""
    from samplerbench.report.table import number, spread

    return pd.DataFrame(
        {
            "recipe": row["recipe"],
            "images": f"{row['images']} {row['split']}",
            "estimator": row["estimator"],
            "bits/dim": f"{row['bpd']:.3f}{spread(row['bpd_se'])}",
            "L_T": number(row["prior_bpd"], "{:.2g}"),
            "sum L_t-1": number(row["transitions_bpd"], "{:.3f}"),
            "L_0": number(row["decoder_bpd"], "{:.3f}"),
            "NFE": number(row["nfe"], "{:.0f}"),
            "s/image": number(row["seconds_per_image"]),
        }
        for row in frame.to_dict("records")
    )


def _check_exact(source: Dataset, estimators: Sequence[str], levels: int | None) -> None:
    if source.distribution is None:
        if "exact" in estimators:
            raise InputError(f"The density of {source.name} is not known: leave exact out of --estimators.")
        return
    if source.distribution.log_density(torch.zeros(1, source.channels * source.resolution**2).double()) is None:
        raise InputError(f"{source.name} is a finite set of images and has no density: choose gaussian or mixture.")
    if "bound" in estimators or levels:
        what = "--levels" if levels else "bound"
        raise InputError(f"The pixels of {source.name} have no levels, and {what} is about them: leave it out.")


def _estimators(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in ESTIMATORS:
            raise InputError(f"No estimator is named {name!r}. {nearest(name, ESTIMATORS)}")
    if not names:
        raise InputError(f"--estimators is empty: name {' or '.join(ESTIMATORS)}, or both.")
    return names
