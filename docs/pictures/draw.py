"""Draw fid.png, the README's figure, from the committed results: `python docs/pictures/draw.py`."""

from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("agg")
from matplotlib import pyplot as plt

FOLDER = Path(__file__).parent
RESULTS = FOLDER.parents[1] / "results"
# Method: (colour, NFE and FID at which its name starts). Solvers that need no training are blue and grey.
SOLVERS = {
    "ddpm": ("#8a8f98", (20.8, 6.7)),
    "ddim": ("#5b6470", (24, 5.1)),
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


def load() -> pd.DataFrame:
    """The measured cells of both runs, in order of NFE: five seed blocks at 1, 2, 4, 8 and 50 steps, one elsewhere."""
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


if __name__ == "__main__":
    draw(load()).savefig(FOLDER / "fid.png", dpi=200, facecolor="white")
