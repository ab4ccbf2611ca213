"""`bench likelihood`: how many bits per dimension a network needs for real images, by several estimators."""

import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from math import log, nan
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from samplerbench.data.dataset import DATASETS, Dataset
from samplerbench.errors import InputError, nearest, writing
from samplerbench.methods import GRIDS, Field, get_recipe, split_specs, unmet
from samplerbench.metrics.likelihood import bound, log_density
from samplerbench.networks.checkpoints import load_network
from samplerbench.networks.closed_form import one_thread
from samplerbench.networks.counted import CountedNetwork
from samplerbench.networks.devices import pick_device
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling.noise import LIKELIHOOD, ImageNoise
from samplerbench.sampling.timing import timed
from samplerbench.store.provenance import commit, environment, utc_now
from samplerbench.sweep.command import own_command
from samplerbench.sweep.likelihood_options import LikelihoodOptions

ESTIMATORS = ("ode", "bound", "exact")
DEFAULT, DEFAULT_EXACT = "ode,bound", "ode,exact"
SPLITS = ("held out", "training")
STEPS, LEVELS = 1000, 256  # by default
PRECISE = 1e-7  # the ODE's tolerance for networks in closed form
COLUMNS = (
    "recipe dataset split estimator images levels steps bpd bpd_se prior_bpd transitions_bpd decoder_bpd nfe "
    "seconds_per_image seed device checkpoint data commit utc"
).split()


@dataclass(frozen=True)
class Case:
    """One row to measure. images (N, C, H, W) and labels (N,) are on the device.

    levels: of the brightness of the images; None for data with a closed form, which is not quantised.
    steps: the length of the bound's chain.
    """

    network: LoadedNetwork
    split: str
    estimator: str
    images: Tensor
    labels: Tensor
    levels: int | None
    steps: int

    @property
    def width(self) -> float:
        """The distance of neighbouring levels in [-1, 1]."""
        return 2 / ((self.levels or LEVELS) - 1)

    def estimate(self, field: Field, images: Tensor, noise: ImageNoise) -> dict[str, Tensor]:
        """The columns of images (B, C, H, W), which are on these levels: nats of each image (B,)."""
        if self.estimator == "ode":
            return {"bpd": -self._log_density(field, images, noise)}
        if self.estimator == "bound":
            return self._bound(field, images, noise)
        return {"bpd": -_exactly(self.network, images)}

    def _log_density(self, field: Field, images: Tensor, noise: ImageNoise) -> Tensor:
        """By the ODE. The density of dequantised images, times the width of a level, bounds log P in expectation."""
        if self.levels is None:
            return log_density(field, images, noise, PRECISE)
        dequantised = (images + torch.special.ndtr(noise(images)) - 0.5) * self.width - 1
        return log_density(field, dequantised.float(), noise).double() + images[0].numel() * log(self.width)

    def _bound(self, field: Field, images: Tensor, noise: ImageNoise) -> dict[str, Tensor]:
        """The variational bound and its three terms, with x0 clipped to [-1, 1] as pixels are."""
        times = GRIDS.get("uniform")(self.steps, field.path)
        terms = bound(field, (images * self.width - 1).float(), self.width, times, noise, clip=True)
        return {
            "bpd": terms.total.double(),
            "prior_bpd": terms.prior.double(),
            "transitions_bpd": terms.transitions.double().sum(1),
            "decoder_bpd": terms.decoder.double(),
        }


@dataclass(frozen=True)
class Advance:
    """Progress, in images of all rows."""

    case: Case
    done: int
    total: int


class Likelihood:
    """A prepared measurement; `run` carries it out.

    Raises InputError, SpecError or CheckpointError for wrong input.
    """

    def __init__(self, options: LikelihoodOptions):
        self.options, dataset = options, DATASETS.get(options.dataset)
        self.dataset, self.device = dataset, pick_device(options.device)
        estimators = _estimators(options, dataset)
        networks = _networks(options, dataset, self.device)
        splits, self.digest = _splits(options, dataset)
        self.levels = None if dataset.distribution else options.levels or LEVELS
        prepared = {split: (_on_levels(images, self.levels), labels) for split, (images, labels) in splits.items()}
        self.cases = [
            Case(network, split, kind, images.to(self.device), labels.to(self.device), self.levels,
                 options.steps or STEPS)
            for network in networks
            for split, (images, labels) in prepared.items()
            for kind in estimators
        ]  # fmt: skip
        self.output = options.output or Path("results", "likelihood")
        with writing(self.output):
            self.output.mkdir(parents=True, exist_ok=True)
        self.rows: list[dict] = []

    def run(self) -> Iterator[Advance]:
        """Measure row after row; each is written as soon as it is measured."""
        count, size = self.options.images, self.options.batch_size
        for index, case in enumerate(self.cases):
            batches = []
            for start in range(0, count, size):
                batches.append(self.measure(case, start))
                yield Advance(case, index * count + min(start + size, count), len(self.cases) * count)
            self.rows.append(self._row(case, batches))
            self.write()

    def measure(self, case: Case, start: int) -> dict[str, np.ndarray]:
        """One batch: bits per dimension of each image (B,) and what they cost, by column."""
        part = slice(start, start + self.options.batch_size)
        images, labels, network = case.images[part], case.labels[part], case.network
        noise = ImageNoise(self.options.seed, range(start, start + len(images)), LIKELIHOOD)
        counted = CountedNetwork(network.net, network.dtype)
        field = network.field(counted, labels if "labels" in network.provides else None)
        with torch.inference_mode(case.estimator != "ode"), one_thread() if network.exact else nullcontext():
            nats, seconds = timed(lambda: case.estimate(field, images, noise), self.device)
        bits = {key: (value / (images[0].numel() * log(2))).cpu().numpy() for key, value in nats.items()}
        each = np.ones(len(images)) / len(images)
        return bits | {"nfe": counted.evaluations * each, "seconds_per_image": seconds * each}

    def _row(self, case: Case, batches: Sequence[dict[str, np.ndarray]]) -> dict:
        each = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
        bpd = each["bpd"]
        measured = {key: float(values.mean()) for key, values in each.items()}
        return dict.fromkeys(COLUMNS, nan) | measured | {
            "recipe": case.network.name, "dataset": self.dataset.name, "split": case.split,
            "estimator": case.estimator, "images": len(bpd), "levels": self.levels,
            "steps": case.steps if case.estimator == "bound" else None,
            "bpd_se": float(bpd.std(ddof=1) / len(bpd) ** 0.5), "seed": self.options.seed, "device": str(self.device),
            "checkpoint": str(case.network.origin), "data": self.digest, "commit": commit(), "utc": utc_now(),
        }  # fmt: skip

    def frame(self) -> pd.DataFrame:
        """The rows so far."""
        return pd.DataFrame(self.rows, columns=COLUMNS).astype({"steps": "Int64", "levels": "Int64"})

    def write(self) -> None:
        """Write likelihood.csv, and likelihood.json with the facts of the run."""
        quantisation = f"{self.levels} levels from -1 to 1; uniform dequantisation for the ODE"
        facts = {
            "command": own_command("samplerbench.sweep.likelihood"),
            "environment": environment(self.device),
            "quantisation": quantisation if self.levels else "none",
            "labels": "each image's own, if the network takes labels",
            "splits": "the first images of each",
        }
        with writing(self.output):
            (self.output / "likelihood.csv").write_text(self.frame().to_csv(index=False), encoding="utf-8")
            (self.output / "likelihood.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def to_levels(images: Tensor, levels: int) -> Tensor:
    """uint8 images (B, C, H, W) as whole numbers from 0 to levels - 1. Raises InputError if they are not."""
    found = (images.double() * (levels - 1) / 255).round()
    if not torch.equal((found * 255 / (levels - 1)).round().to(torch.uint8), images):
        raise InputError(f"The images are not on {levels} even levels of brightness: leave out --levels, for 256.")
    return found


def _on_levels(images: Tensor, levels: int | None) -> Tensor:
    return images if levels is None else to_levels(images, levels)


def _exactly(network: LoadedNetwork, images: Tensor) -> Tensor:
    """The log density in closed form, which needs neither network nor noise."""
    density = network.distribution.log_density(images.flatten(1).cpu()) if network.distribution else None
    assert density is not None, "checked before anything runs"
    return density


def _networks(options: LikelihoodOptions, dataset: Dataset, device: torch.device) -> list[LoadedNetwork]:
    recipes = list(dict.fromkeys(str(get_recipe(spec)) for spec in split_specs(options.recipes)))
    if not recipes:
        raise InputError("No recipe is named: give one or several, as in ddpm,flow.")
    for name in recipes:
        reason = unmet({"ode"}, get_recipe(name).provides, name)
        if reason:
            raise InputError(f"The likelihood of {name} cannot be measured: {reason}. Name another recipe, as in flow.")
        if get_recipe(name).condition:
            raise InputError(f"{name} has conditions, and `bench likelihood` knows labels only: name another recipe.")
    return [load_network(name, dataset, options.weights, device, strict=True) for name in recipes]


def _splits(options: LikelihoodOptions, dataset: Dataset) -> tuple[dict[str, tuple[Tensor, Tensor]], str]:
    """The first images and labels of each split, and the hash of the data."""
    loaded, count = dataset.load(options.data_root, options.download), options.images
    fewest = min(len(loaded.test), len(loaded.train))
    if fewest < count:
        raise InputError(f"A split of {dataset.name} has only {fewest} images: give --images at most {fewest}.")
    held_out, training = SPLITS
    return {
        held_out: (loaded.test[:count], loaded.test_labels[:count]),
        training: (loaded.train[:count], loaded.train_labels[:count]),
    }, loaded.digest


def _estimators(options: LikelihoodOptions, dataset: Dataset) -> list[str]:
    """The names of the estimators. Raises InputError for a wrong one, or for options that have no effect on them."""
    default = DEFAULT_EXACT if dataset.distribution else DEFAULT
    text = default if options.estimators is None else options.estimators
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in ESTIMATORS:
            raise InputError(f"No estimator is named {name!r}. {nearest(name, ESTIMATORS)}")
    if not names:
        raise InputError(f"--estimators is empty: name {' or '.join(ESTIMATORS)}, or several.")
    _check_data(dataset, names, options.levels)
    if options.steps and "bound" not in names:
        raise InputError("--steps is the length of the bound's chain: it has no effect without --estimators bound.")
    return names


def _check_data(dataset: Dataset, estimators: Sequence[str], levels: int | None) -> None:
    if dataset.distribution is None:
        if "exact" in estimators:
            raise InputError(f"The density of {dataset.name} is not known: leave exact out of --estimators.")
        return
    pixels = dataset.channels * dataset.resolution**2
    if dataset.distribution.log_density(torch.zeros(1, pixels, dtype=torch.float64)) is None:
        raise InputError(f"{dataset.name} is a finite set of images and has no density: choose gaussian or mixture.")
    if "bound" in estimators or levels:
        what = "--levels has" if levels else "the bound has"
        raise InputError(f"The pixels of {dataset.name} are not quantised, so that {what} no meaning: leave it out.")
