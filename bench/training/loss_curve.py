"""The loss curve of a training: a CSV file that grows, and its plot."""

import csv
import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

HEADER = ("iteration", "loss", "images_per_s")


class Point(NamedTuple):
    """loss: the mean since the previous point. rate: images per second."""

    iteration: int
    loss: float
    rate: float


class LossCurve:
    """The mean losses over every few iterations, in `path`; rows after `iteration`, where training resumes, are cut."""

    def __init__(self, path: Path, every: int, iteration: int):
        self.path, self.every = path, every
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [row for row in self._read() if row.iteration <= iteration]
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([HEADER, *rows])
        self.losses: list[Tensor] = []
        self.start = time.perf_counter()

    def add(self, iteration: int, loss: Tensor, batch_size: int) -> Point | None:
        """Add the loss of an iteration. Returns the new point of the curve, if there is one."""
        self.losses.append(loss)
        if iteration % self.every:
            return None
        mean = torch.stack(self.losses).mean().item()
        rate = len(self.losses) * batch_size / (time.perf_counter() - self.start)
        point = Point(iteration, round(mean, 6), round(rate, 1))
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(point)
        self.losses, self.start = [], time.perf_counter()
        return point

    def plot(self) -> None:
        """Write the plot beside the CSV file, as a PNG."""
        from matplotlib.figure import Figure  # takes a second to import, which most commands do without

        points = self._read()
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot([point.iteration for point in points], [point.loss for point in points], linewidth=1)
        # The loss of a learned solver is a logarithm already, and negative.
        scale = "log" if all(point.loss > 0 for point in points) else "linear"
        axes.set(xlabel="iteration", ylabel="loss", yscale=scale, title=self.path.name.removesuffix(".loss.csv"))
        axes.grid(alpha=0.3)
        figure.savefig(self.path.with_suffix(".png"), dpi=120)

    def _read(self) -> list[Point]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return [Point(int(i), float(loss), float(rate)) for i, loss, rate in list(csv.reader(file))[1:]]
