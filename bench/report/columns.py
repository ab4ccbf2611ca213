"""The metrics of a report: the columns that its runs recorded, their headings, and their values as text."""

from collections.abc import Mapping
from functools import cache

import numpy as np

from samplerbench.metrics.column import BLOCKS, Column
from samplerbench.report.formats import number, spread
from samplerbench.statistics import half_width
from samplerbench.store.columns import blocks
from samplerbench.store.results import Results

# The columns on speed, which every run has, in the order of tables.
SPEED = (
    Column(
        "latency_s", "latency (s)", spread="latency_iqr_s",
        meaning="**latency**: median wall seconds for one batch{batch}, ± the interquartile range.",
    ),
    Column(
        "latency_p95_s", "p95 (s)", wide=True,
        meaning="**p95**: the 95th percentile of the latencies of the same batches.",
    ),
    Column("images_per_s", "images/s", wide=True),
    Column(
        "overhead_ratio", "overhead", "lower", "{:.3f}",
        meaning="**overhead**: latency / (NFE x one bare forward of the same network, measured in between); 1.00 is a "
        "sampler that costs nothing itself. It compares within a host. `noisy`: its rounds vary too much to trust it, "
        "it is well below 1, which only a busy machine explains, or other work of the sweep ran on its host.",
    ),
    Column(
        "inner_ratio", "inner", "lower", "{:.3f}", wide=True,
        meaning="**inner**: latency / the seconds of its own network calls, from which the machine's noise cancels.",
    ),
    Column(
        "peak_memory_mb", "peak (MB)", format="{:.0f}", wide=True,
        meaning="**peak**: memory while sampling, of the allocator on a GPU without feature extractors, of the whole "
        "process on the CPU.",
    ),
    Column("compile_s", "compile (s)", wide=True),
    Column("warmup_s", "warm-up (s)", wide=True),
    Column("threads", "threads", format="{:.0f}", wide=True),
)  # fmt: skip


def metric_columns(results: Results) -> list[Column]:
    """The columns of the metrics as the runs recorded them; older runs have those of the registered metrics."""
    recorded = map(Column.from_json, results.recorded_columns)
    found = {column.name: column for column in recorded}
    if any("columns" not in facts for facts in results.facts.values()):
        places = {name: place for place, name in enumerate(results.rows.columns)}
        ordered = sorted(_registered(), key=lambda columns: places.get(columns[0].name, len(places)))
        found |= {column.name: column for columns in ordered for column in columns if column.name not in found}
    return [*found.values()]


@cache
def _registered() -> list[list[Column]]:
    """The columns of every registered metric."""
    from samplerbench.metrics.base import METRICS  # imports torch, which only runs without a record have to wait for

    return [[*METRICS.lookup(name).columns] for name in METRICS.names()]


def heading(column: Column, quality: Mapping) -> str:
    """The heading of a metric, with its feature extractor unless that is Inception: a plain FID is always Inception's.

    quality: the protocol's facts, as in run.json.
    """
    extractor = quality.get("extractor", "")
    if extractor == "pixels" and column.label_exact:
        return column.label_exact
    if not column.extractor or extractor.startswith("inception"):
        return column.label
    return f"{column.label} ({extractor})"


def heading_of(name: str, group: Results) -> str:
    """The heading of a metric's column in the rows of one protocol."""
    column = next((column for column in metric_columns(group) if column.name == name), Column(name, name))
    return heading(column, group.quality)


def fid_heading(group: Results) -> str:
    """FID with its extractor, as the rows of one protocol call it."""
    return heading_of("fid", group)


def value(row: Mapping, column: Column) -> str:
    """A cell of the table: the value and its spread, as the column declares them; "" if there is none."""
    text = number(row.get(column.name, np.nan), column.format)
    return text and text + spread(_spread(row, column))


def fid_value(row: Mapping) -> str:
    """The FID of a row, with the half-width of its 95 % interval over the seed blocks."""
    return value(row, Column("fid", spread=BLOCKS))


def _spread(row: Mapping, column: Column) -> float:
    if column.spread != BLOCKS:
        return row.get(column.spread, np.nan)
    recorded = (row.get(f"{column.name}_ci_high", np.nan) - row.get(f"{column.name}_ci_low", np.nan)) / 2
    return half_width(blocks(row, column.name)) if np.isnan(recorded) else recorded
