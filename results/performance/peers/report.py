"""The rows as CSV, Markdown and a chart."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from comparison import OURS
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from samplerbench.report.looks import COLOURS

NAMES = {
    "forward": "Forward pass alone",
    "sampler": "Sampler alone, on a network that returns its input",
    "images": "Noise to images, 8x8",
    "distance": "Frechet distance",
    "memory": "Peak memory of a process",
}
SHOWN = {
    "work": "work", "batch": "batch", "steps": "steps", "peer": "peer", "ours_s": "ours (s)", "peer_s": "peer (s)",
    "ours_images_per_s": "ours (images/s)", "peer_images_per_s": "peer (images/s)", "times": "times as fast (95 %)",
    "rounds": "rounds",
}  # fmt: skip
PER_IMAGE = ("ours_images_per_s", "peer_images_per_s")
MEMORY = {"work": "work", "peer": "by", "mb_few": "few (MB)", "mb_many": "many (MB)", "ratio": "ratio"}
ROW, GAP = 0.25, 1.0  # inches: of a line of the chart, and of a panel's title and axis
TICKS = (0.5, 0.75, 1, 1.25, 1.5, 2, 3, 5, 10, 20, 50)
APART = 0.15  # of a line: between the points of peers


def write(rows: list[dict], facts: Mapping[str, str], folder: Path) -> None:
    """Write peers.csv, peers.md and, where anything was compared, peers.svg. facts: of machine and versions."""
    frame = pd.DataFrame(rows)
    frame.to_csv(folder / "peers.csv", index=False)
    (folder / "peers.md").write_text(_markdown(frame, facts), encoding="utf-8")
    compared = frame[frame["section"] != "memory"]
    if len(compared):
        _chart(compared).savefig(folder / "peers.svg")


def _markdown(frame: pd.DataFrame, facts: Mapping[str, str]) -> str:
    parts = [
        "# This suite and its peers",
        "Timed in turn in one process, with the same weights, noise and batch; the order is reversed every round. "
        "Ratios are the peer's time over ours, above 1 where this suite is faster: their geometric mean over rounds, "
        "without a fifth at either end, and its 95 % interval. Seconds are medians.",
        "\n".join(f"- {name}: {value}" for name, value in facts.items()),
    ]
    for section, rows in frame.groupby("section", sort=False):
        parts += [f"## {NAMES[str(section)]}", _table(str(section), rows)]
    if "ratio_low" in frame:
        parts.append("![How many times as fast this suite is as each peer](peers.svg)")
    return "\n\n".join(parts) + "\n"


def _table(section: str, rows: pd.DataFrame) -> str:
    if section == "memory":
        return _text(rows, MEMORY).to_markdown(index=False)
    times = [f"{row.ratio:.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f})" for row in rows.itertuples()]
    left_out = PER_IMAGE if section == "sampler" else ()  # which makes no images
    headings = {name: text for name, text in SHOWN.items() if name not in left_out}
    return _text(rows.assign(times=times), headings).to_markdown(index=False)


def _text(rows: pd.DataFrame, headings: Mapping[str, str]) -> pd.DataFrame:
    """The columns that say anything: neither empty nor 0 throughout."""
    said = [name for name in headings if rows[name].notna().any() and (rows[name] != 0).any()]
    shown = rows[said].rename(columns=dict(headings))
    return shown.map(lambda value: f"{value:.4g}" if isinstance(value, float) else value)


def _chart(frame: pd.DataFrame) -> Figure:
    """A panel for each section, a line for each piece of work, a point with its interval for each peer."""
    colours = dict(zip(frame["peer"].unique(), COLOURS, strict=False))
    panels = [(name, rows.assign(line=_lines(rows))) for name, rows in frame.groupby("section", sort=False)]
    heights = [GAP + ROW * rows["line"].nunique() for _, rows in panels]
    figure = Figure(figsize=(8, sum(heights)), layout="constrained")
    grid = figure.subplots(len(panels), squeeze=False, height_ratios=heights)[:, 0]
    for axes, (section, rows) in zip(grid, panels, strict=True):
        places = {line: place for place, line in enumerate(reversed(rows["line"].unique()))}
        for index, (peer, each) in enumerate(rows.groupby("peer", sort=False)):
            reach = [each["ratio"] - each["ratio_low"], each["ratio_high"] - each["ratio"]]
            axes.errorbar(each["ratio"], each["line"].map(places) - APART * index, xerr=reach, fmt="o", markersize=4,
                          capsize=2, color=colours[peer], label=peer)  # fmt: skip
        axes.axvline(1, color="#888888", linewidth=1)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(TICKS))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_yticks([*places.values()], [*places], fontsize=7)
        axes.set(title=NAMES[str(section)], xlabel=f"times as fast as the peer ({OURS} is faster to the right of 1)")
        axes.grid(axis="x", alpha=0.3)
        axes.legend(fontsize=7, loc="best")
    return figure


def _lines(rows: pd.DataFrame) -> list[str]:
    """How the work of each row is called on the axis."""
    return [
        row.work + f", batch {row.batch:g}" * bool(row.batch) + f", {row.steps:g} steps" * bool(row.steps)
        for row in rows.itertuples()
    ]
