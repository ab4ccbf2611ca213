"""A training carried out: saved as it goes, resumed where it stopped, with its loss curve and its checkpoint."""

import csv
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from samplerbench.errors import InputError
from samplerbench.models import CheckpointError, load, save
from samplerbench.models.checkpoint import Storage
from samplerbench.store.provenance import utc_now
from samplerbench.training.loop import Settings, Trainer

CRITIC = "critic."  # what the names of weights begin with that only training needs
LOG_EVERY = 50  # iterations a row of the loss curve sums up
SAVE_EVERY = 500  # iterations between two saves of the state

Progress = Iterator[tuple[int, float, float]]  # (done, loss, images per second), every few iterations


def fit(trainer: Trainer, facts: dict[str, object], output: Path, storage: Storage) -> Progress:
    """Run a trainer to its end, saving as it goes; the last save writes the EMA weights and `facts` to `output`."""
    run = {key: str(value) for key, value in facts.items()} | _settings(trainer.settings)
    state_file = output.with_suffix(".state.safetensors")
    _resume(trainer, run, state_file)
    curve = Curve(output.with_suffix(".loss.csv"), trainer.iteration)

    try:
        for loss in trainer.run():
            row = curve.add(trainer.iteration, loss, trainer.settings.batch_size)
            if trainer.iteration % SAVE_EVERY == 0:
                save(state_file, trainer.state(), run)
            if row:
                yield row
    finally:
        save(state_file, trainer.state(), run)
        curve.draw()

    weights = {key: value for key, value in trainer.ema.weights.items() if not key.startswith(CRITIC)}
    done = {"iterations": trainer.iteration, "cost": trainer.cost, "date": utc_now()}
    save(output, weights, run | done, storage)


def _settings(settings: Settings) -> dict[str, str]:
    """The settings that a resumed run must share; it may ask for more iterations."""
    return {key: json.dumps(value) for key, value in asdict(settings).items() if key != "iterations"}


def _resume(trainer: Trainer, run: dict[str, str], state_file: Path) -> None:
    if not state_file.exists():
        return
    state = load(state_file)
    differing = sorted(key for key in run if state.metadata.get(key) != run[key])
    if differing:
        raise InputError(
            f"{state_file} belongs to a run with another {', '.join(differing)}: remove it or choose another --output."
        )
    try:
        trainer.restore(state.weights)
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(f"{state_file} is not the state of this network; remove it to start again.") from error


class Curve:
    """The loss curve: the mean over every few iterations, as a CSV that grows and a picture of it."""

    def __init__(self, path: Path, iteration: int):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [row for row in self._read() if row[0] <= iteration]
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("iteration", "loss", "images_per_s"), *rows])
        self.losses: list[Tensor] = []
        self.start = time.perf_counter()

    def _read(self) -> list[tuple[int, float, float]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return [(int(i), float(loss), float(rate)) for i, loss, rate in list(csv.reader(file))[1:]]

    def add(self, iteration: int, loss: Tensor, batch_size: int) -> tuple[int, float, float] | None:
        """Note a loss; a row (iteration, mean loss, images per second) whenever one is complete."""
        self.losses.append(loss)
        if iteration % LOG_EVERY:
            return None
        mean = torch.stack(self.losses).mean().item()
        rate = len(self.losses) * batch_size / (time.perf_counter() - self.start)
        row = (iteration, round(mean, 6), round(rate, 1))
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(row)
        self.losses, self.start = [], time.perf_counter()
        return row

    def draw(self) -> None:
        """Write the curve beside the CSV as a PNG."""
        from matplotlib.figure import Figure

        rows = self._read()
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot([row[0] for row in rows], [row[1] for row in rows], linewidth=1)
        axes.set(xlabel="iteration", ylabel="loss", yscale="log", title=self.path.name.removesuffix(".loss.csv"))
        axes.grid(alpha=0.3)
        figure.savefig(self.path.with_suffix(".png"), dpi=120)
