"""Simulate sweeps of the methods of a run: `python results/scale/simulate.py RUN FOLDER`.

Writes schedules.csv, schedules.md and schedules.svg. The time of a seed block is that which the run recorded for each
of its own, or else the mean time of an evaluation, times the evaluations; then scoring comes on top.
"""

import sys
from collections.abc import Iterator
from functools import cache
from math import ceil
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("agg")
from matplotlib import pyplot as plt

from samplerbench.methods import METHODS, Sampler
from samplerbench.store.labels import label
from samplerbench.store.raw import read_raw
from samplerbench.store.sessions import read_facts
from samplerbench.store.stored_rows import read_results
from samplerbench.sweep.rates import Recorded, read_rates
from samplerbench.sweep.simulate import Schedule, random_losses, simulate

STEPS, IMAGES = (5, 10, 20, 50, 100), 50_000
WORKERS = [2**power for power in range(10)]
LOSS, TRIALS = 1 / 20, 20
FULL, SPLIT, RECORDED = "full", "full, blocks in five", "as recorded"
COLOURS = {FULL: "#3b7dd8", SPLIT: "#0b8f8c", RECORDED: "#8a8f98"}


def block_rates(run: Path, row: dict, rates: Recorded) -> list[float]:
    """The seconds of an evaluation of one image in each seed block of a row: those of its batches, if it was timed."""
    blocks, batches = row["seeds"].count(",") + 1, ceil(row["samples"] / row["batch_size"])
    seconds = read_raw(run, row["cell"]).get("latency_s", np.array([]))[: blocks * batches]
    if len(seconds) < blocks * batches:
        return [rates.by_network[row["recipe"]]] * blocks
    return (seconds.reshape(blocks, batches).sum(1) / (row["nfe"] * batches * row["batch_size"])).tolist()


@cache
def evaluations(method: str, steps: int) -> int:
    """Of an image."""
    return Sampler(METHODS.get(method), steps).nfe


def units(run: Path, rates: Recorded, sweep: str) -> list[float]:
    """The seconds of the units of a sweep, in the order in which they are dealt."""
    found = []
    for row in rows_of(run):
        for rate in block_rates(run, row, rates):
            if sweep == RECORDED:
                found.append((row["nfe"], cost(rates, row["samples"], row["nfe"] * rate)))
            else:
                counts = (evaluations(label(row), steps) for steps in STEPS)
                parts = 5 if sweep == SPLIT else 1
                found += [(nfe, cost(rates, IMAGES / parts, nfe * rate)) for nfe in counts for _ in range(parts)]
    return [seconds for _, seconds in sorted(found, key=lambda unit: -unit[0])]


def cost(rates: Recorded, images: float, sampling: float) -> float:
    """The seconds of a unit, with scoring. sampling: of an image."""
    return images * (sampling + rates.score.image) + rates.score.block


def rows_of(run: Path) -> list[dict]:
    """The cells that were measured."""
    rows = read_results(run)
    return rows[rows["status"] == "ok"].to_dict("records")


def schedules(sweep: str, seconds: list[float], start_up: float) -> Iterator[dict]:
    """A row of the table for each number of workers."""
    for workers in WORKERS:
        calm = simulate(seconds, workers, start_up)
        rough = [with_losses(calm, seed) for seed in range(TRIALS)]
        yield {
            "sweep": sweep, "units": len(seconds), "workers": workers, "work_s": calm.work, "start_up_s": start_up,
            "longest_s": max(seconds), "wall_s": calm.wall, "efficiency": calm.efficiency, "limit": calm.limit,
            "lost": np.mean([each.lost for each in rough]), "wall_lost_s": np.mean([each.wall for each in rough]),
            "efficiency_lost": np.mean([each.efficiency for each in rough]),
        }  # fmt: skip


def with_losses(calm: Schedule, seed: int) -> Schedule:
    """The same schedule, if workers are lost."""
    losses = random_losses(calm.workers, LOSS, calm.wall, seed)
    return simulate(calm.units, calm.workers, calm.start_up, losses)


def draw(table: pd.DataFrame) -> plt.Figure:
    """Efficiency against workers, dashed where some are lost."""
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for sweep, rows in table.groupby("sweep", sort=False):
        name, colour = f"{sweep} ({rows['units'].iloc[0]} units)", COLOURS[sweep]
        axes.plot(rows["workers"], rows["efficiency"], "o-", color=colour, label=name)
        axes.plot(rows["workers"], rows["efficiency_lost"], "o--", color=colour, markersize=3)
    axes.plot([], [], "k--", label="one worker in 20 lost")
    axes.axhline(0.9, color="#444444", lw=1, ls=":")
    axes.set(xscale="log", xlabel="workers", ylabel="efficiency", ylim=(0, 1.03))
    axes.set_xticks(WORKERS, list(map(str, WORKERS)))
    axes.minorticks_off()
    axes.grid(color="#e4e4e4", lw=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center left")
    return figure


def markdown(table: pd.DataFrame, run: Path, rates: Recorded) -> str:
    """What was simulated, and its table."""
    shown = pd.DataFrame({
        "sweep": table["sweep"], "units": table["units"], "workers": table["workers"],
        "wall time (h)": (table["wall_s"] / 3600).map("{:.3g}".format),
        "efficiency": table["efficiency"].map("{:.1%}".format), "limited by": table["limit"],
        "1 in 20 lost: wall time (h)": (table["wall_lost_s"] / 3600).map("{:.3g}".format),
        "efficiency with losses": table["efficiency_lost"].map("{:.1%}".format),
    })  # fmt: skip
    facts = read_facts(run)
    about = (
        f"Simulated from the times of {len(rows_of(run))} cells at commit {facts['commit']}, {facts['utc']}, on "
        f"{rates.hardware}. `{FULL}`: their methods at {', '.join(map(str, STEPS))} steps, {IMAGES:,} images a block. "
        f"`{SPLIT}`: with units of {IMAGES // 5:,} images. `{RECORDED}`: the run itself. Start-up: "
        f"{table['start_up_s'].iloc[-1]:.0f} s. Losses: means of {TRIALS} simulations."
    )
    return f"{about}\n\n{shown.to_markdown(index=False)}\n"


def main(run: Path, folder: Path) -> None:
    """Simulate, and write."""
    rates = read_rates(run)
    start_up = 2 * rates.loading + rates.score.once  # the command loads, and then its workers do
    rows = [row for sweep in COLOURS for row in schedules(sweep, units(run, rates, sweep), start_up)]
    table = pd.DataFrame(rows)
    table.to_csv(folder / "schedules.csv", index=False, float_format="%.6g")
    (folder / "schedules.md").write_text(markdown(table, run, rates))
    draw(table).savefig(folder / "schedules.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
