"""Draw the figures of README and docs from what is committed: `python docs/pictures/draw.py`.

mnist.png: images of results/mnist5k/shown. fid.png: the samplers and students of results/. gate.png: the trials of
`bench selftest` in docs/regression.md.
"""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("agg")
from matplotlib import pyplot as plt

FOLDER = Path(__file__).parent
RESULTS = FOLDER.parents[1] / "results"
# Method: (colour, NFE and FID at which its name starts). Solvers that need no training are blue and grey.
SOLVERS = {
    "ddpm": ("#8a8f98", (20.8, 6.7)),
    "ddim": ("#5b6470", (25, 5.9)),
    "flow": ("#3b7dd8", (25, 3.42)),
    "ipndm": ("#0b8f8c", (2.1, 80)),
    "dpmpp_2m": ("#1f3f8f", (4.35, 150)),
}
STUDENTS = {
    "bespoke": ("#e08a00", (1.02, 14)),
    "meanflow": ("#b0468f", (1.06, 7.0)),
    "progressive": ("#d1342f", (2.1, 2.5)),
    "dmd": ("#7a1f1c", (0.97, 2.6)),
}

# Networks of mnist5k: what a row of the picture calls them.
SHOWN = {
    "flow": "in pixels",
    "latent:flow": "in latents",
    "latent:text": "from a caption",
    "latent:inpaint": "inpainted",
    "latent:retrieval": "with retrieved images",
}
EACH = 8  # images of a row in every column


def draw_images(run: Path) -> plt.Figure:
    """The first images of every network, from the same noise with more and more evaluations from left to right."""
    rows = pd.read_csv(run / "results.csv").query("status == 'ok' and method == 'flow'")
    budgets = sorted(rows["nfe"].unique())
    figure, grid = plt.subplots(len(SHOWN), len(budgets), figsize=(8, 4.3), layout="constrained", squeeze=False)
    for line, (model, label) in zip(grid, SHOWN.items(), strict=True):
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
        for axes, nfe in zip(line, budgets, strict=True):
            (row,) = rows[(rows["recipe"] == model) & (rows["nfe"] == nfe)].to_dict("records")
            with np.load(run / "raw" / f"{row['cell']}.npz") as raw:
                images = raw["images"][: 2 * EACH, 0]
            axes.imshow(np.vstack([np.hstack(part) for part in np.split(images, 2)]), cmap="gray", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[], xlabel=f"FID {row['fid']:.3g}")
            axes.xaxis.label.set(fontsize=8, color="#5b6470")
            axes.spines[:].set_visible(False)
    for axes, nfe in zip(grid[0], budgets, strict=True):
        axes.set_title(f"{nfe:g} evaluations", fontsize=9)
    return figure


def load() -> pd.DataFrame:
    """The measured cells of both runs, in order of NFE, each a mean of five seed blocks."""
    frames = [pd.read_csv(RESULTS / run / "results.csv") for run in ("students", "samplers")]
    return pd.concat(frames).query("status == 'ok'").sort_values("nfe")


def draw(rows: pd.DataFrame) -> plt.Figure:
    """FID against NFE on log axes, every line labelled where it runs."""
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for method, (colour, label) in (SOLVERS | STUDENTS).items():
        line, student = rows[rows["method"] == method], method in STUDENTS
        axes.plot(line["nfe"], line["fid"], "s-" if student else "o-", color=colour, lw=2, ms=6)
        axes.annotate(method, label, color=colour, fontsize=11, fontweight="bold" if student else "normal")
    floor = rows["fid_floor"].iloc[0]
    axes.axhline(floor, color="#444444", ls="--", lw=1)
    axes.annotate(f"real images: {floor:.2f}", (52, floor * 0.83), color="#444444", fontsize=10, ha="right")
    axes.set(xscale="log", yscale="log", xlim=(0.93, 56), ylim=(1.8, 330))
    axes.set(xlabel="network evaluations per image (NFE)", ylabel="FID (digits-cnn)")
    for axis, ticks in ((axes.xaxis, [1, 2, 4, 8, 10, 20, 50]), (axes.yaxis, [2, 3, 5, 10, 20, 50, 100, 200])):
        axis.set_major_locator(matplotlib.ticker.FixedLocator(ticks))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.grid(color="#e4e4e4", lw=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def load_trials() -> list[tuple[str, bool, int, int]]:
    """The rows of the table of trials: what was injected, whether it should fire, how often it did, of how many."""
    table = (FOLDER.parent / "regression.md").read_text().partition("<!-- selftest -->")[2].split("\n\n")[0]
    found = []
    for line in table.strip().splitlines()[2:]:
        injected, should, fired, _ = (cell.strip() for cell in line.strip("|").split("|")[:4])
        times, _, trials = fired.partition(" of ")
        found.append((injected.partition(",")[0], should == "fire", int(times), int(trials)))
    return found


def draw_trials(trials: list[tuple[str, bool, int, int]]) -> plt.Figure:
    """A bar for what was injected: the fraction of trials in which the gate fired."""
    figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
    for place, (injected, should, fired, count) in enumerate(reversed(trials)):
        colour = "#d1342f" if should else "#0b8f8c"
        axes.barh(place, fired / count, color=colour, height=0.6)
        axes.text(fired / count + 0.01, place, f"{fired} of {count}", va="center", fontsize=10, color="#333333")
        axes.text(-0.01, place, injected, va="center", ha="right", fontsize=10, color=colour)
    axes.set(xlim=(0, 1.12), yticks=[], xticks=[0, 0.5, 1], xlabel="fraction of trials in which the gate fired")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title("red: must fire; green: must stay silent", fontsize=10, loc="left")
    return figure


if __name__ == "__main__":
    draw_images(RESULTS / "mnist5k" / "shown").savefig(FOLDER / "mnist.png", dpi=200, facecolor="white")
    draw(load()).savefig(FOLDER / "fid.png", dpi=200, facecolor="white")
    draw_trials(load_trials()).savefig(FOLDER / "gate.png", dpi=160, facecolor="white")
