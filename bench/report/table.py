"""Rows as text for people: the same table in the terminal, in report.md and in report.html."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from samplerbench.report.monotone import better_at
from samplerbench.report.ranking import half_width, pareto, ranks
from samplerbench.store.labels import grids, in_features, label
from samplerbench.store.results import Results
from samplerbench.store.run_directory import blocks

LEFT = (
    "method recipe teacher grid guidance run machine protocol dtype compiled Pareto status network source command"
).split()
# Columns that only one report shows in full, for want of width.
DETAILS = ["compile (s)", "warm-up (s)", "threads", "inner"]
WIDE = [*DETAILS, "recipe", "p95 (s)", "images/s", "peak (MB)", "density", "coverage", "machine", "training (s)"]
# What is told of a row only where rows differ in it: column -> heading.
TELLING = {"run": "run", "machine": "machine", "protocol": "protocol", "batch_size": "batch", "dtype": "dtype"} | {
    "compiled": "compiled"
}
FLOOR, CEILING = "real images", "noise"
ERROR = "trajectory RMSE"
TRAINING = "training (it.)"
WORSE = "worse than at"
UNITS = {1e9: "G", 1e6: "M", 1e3: "k", 1.0: ""}


def table(results: Results) -> pd.DataFrame:
    """The rows as text for people, between the floor and the ceiling, without columns that are empty throughout.

    The index is that of the rows, with `FLOOR` and `CEILING` for those two. Rows that were skipped while their method
    was measured elsewhere are left out, and stand in `attrs["left_out"]`.
    """
    if results.rows.empty:
        return pd.DataFrame()
    telling = [column for column in TELLING if results.rows[column].nunique() > 1]
    marked, texts = grids(results.rows), {}
    floors, ceilings = [], []
    for group in results.groups:
        rank, front, fewer = ranks(group.scored), fronts(group), better_at(group.scored)
        for index, row in group.rows.assign(grid=marked).iterrows():
            told = {TELLING[column]: str(row[column]) for column in telling}
            judged = {WORSE: number(fewer.get(index, np.nan), "{:g} NFE"), "rank": rank.get(index, "")}
            texts[index] = _row(row, group.quality, told, judged | {"Pareto": front.get(index, "")})
        protocol = {"protocol": group.rows["protocol"].iloc[0]} if "protocol" in telling else {}
        floors += _floor(group, protocol)
        ceilings += _ceiling(group, protocol)
    left_out = _skipped_beside_others(results.rows)
    order = [index for index in results.rows.index if index not in left_out]
    shown = pd.DataFrame(
        [*floors, *(texts[index] for index in order), *ceilings],
        index=[FLOOR] * len(floors) + order + [CEILING] * len(ceilings),
    )
    shown = shown[[*dict.fromkeys(key for row in texts.values() for key in row)]].fillna("")
    if not cost_tells(results.rows):
        shown = shown.drop(columns=[*_training(results.rows.iloc[0])])
    shown = shown.loc[:, (shown != "").any()]
    shown.attrs["left_out"] = [texts[index] for index in left_out]
    return shown


def _skipped_beside_others(rows: pd.DataFrame) -> list:
    """The index of the skipped rows whose method has measured ones."""
    methods = pd.Series([label(row) for row in rows.to_dict("records")], index=rows.index, dtype=object)
    measured = set(methods[rows["status"] == "ok"])
    return [*rows.index[(rows["status"] == "skipped") & methods.isin(measured)]]


def fronts(group: Results) -> pd.Series:
    """On which Pareto front each scored row is: `NFE`, `time`, `both` or none. Time compares on one machine only."""
    scored = group.scored
    cheap = pd.Series(pareto(scored["nfe"], scored["fid"]), index=scored.index, dtype=bool)
    quick = pd.Series(False, index=scored.index)
    for _, rows in scored.groupby("machine"):
        quick[rows.index] = pareto(seconds_per_image(rows), rows["fid"])
    words = np.select([cheap & quick, cheap, quick], ["both", "NFE", "time"], default="")
    return pd.Series(words, index=scored.index)


def seconds_per_image(rows: pd.DataFrame) -> pd.Series:
    """Latency shared among the images of a batch."""
    return rows["latency_s"] / rows["batch_size"].astype("float64")


def alignment(column: str) -> str:
    """`left` for words, `right` for numbers."""
    return "left" if column in LEFT else "right"


def _floor(group: Results, protocol: dict) -> list[dict]:
    """What real images score, with the spread of one seed block."""
    rows = group.rows
    values = {
        group.fid: _first(rows["fid_floor"]) + _first(rows["fid_floor_sd"], spread),
        "FD (DINOv2)": _first(rows["fd_dinov2_floor"]),
        "Wasserstein": _first(rows["wasserstein_floor"]),
        "class accuracy": _first(rows["class_accuracy_floor"], "{:.3f}".format),
    }
    return [{"method": FLOOR} | protocol | values] if any(values.values()) else []


def _ceiling(group: Results, protocol: dict) -> list[dict]:
    """What pure noise scores."""
    value = _first(group.rows["fid_ceiling"])
    return [{"method": CEILING} | protocol | {group.fid: value}] if value else []


def _first(column: pd.Series, write: Callable[[float], str] | None = None) -> str:
    return (write or number)(column.dropna().iloc[0]) if column.notna().any() else ""


def _row(row: pd.Series, quality: Mapping, told: dict, judged: dict) -> dict:
    kinds = {"recipe": row["recipe"], "grid": row["grid"], "guidance": row["guidance"]}
    return (
        {"method": label(row)}
        | kinds
        | {"steps": "" if pd.isna(row["steps"]) else str(row["steps"]), "NFE": number(row["nfe"], "{:g}")}
        | told
        | {in_features("FID", quality): with_interval(row)}
        | judged
        | _quality(row, quality)
        | _training(row)
        | _speed(row)
        | {"status": "" if row["status"] == "ok" else f"{row['status']}: {row['error']}"}
    )


def _quality(row: pd.Series, quality: Mapping) -> dict:
    return {
        "x floor": _times_floor(row["fid"] / row["fid_floor"]),
        in_features("FID∞", quality): number(row["fid_inf"]),
        "FD (DINOv2)": number(row["fd_dinov2"]),
        in_features("KID", quality): number(row["kid"]) + spread(row["kid_se"]),
        in_features("IS", quality): number(row["inception_score"]),
        "precision": number(row["precision"], "{:.3f}"),
        "recall": number(row["recall"], "{:.3f}"),
        "density": number(row["density"], "{:.3f}"),
        "coverage": number(row["coverage"], "{:.3f}"),
        "class accuracy": number(row["class_accuracy"], "{:.3f}") + spread(half_width(blocks(row, "class_accuracy"))),
        "novelty": number(row["novelty"], "{:.2f}"),
        "Wasserstein": number(row["wasserstein"]),
        ERROR: number(row["trajectory_rmse"]),
        "teacher RMSE": number(row["teacher_rmse"]),
        in_features("teacher distance", quality): number(row["teacher_feature_distance"]),
        "order": order(row),
    }


def cost_tells(rows: pd.DataFrame) -> bool:
    """Whether what training cost tells rows apart: there is a student, or ordinary networks trained for longer."""
    return bool((rows["teacher"] != "").any()) or rows["train_iterations"].nunique() > 1


def _training(row: pd.Series) -> dict:
    return {
        "teacher": row["teacher"],
        TRAINING: compact(row["train_iterations"]),
        "teacher NFE": compact(row["teacher_nfe"]),
        "training (s)": number(row["train_seconds"]),
    }


def _times_floor(ratio: float) -> str:
    return number(ratio, "{:.2f}" if ratio < 100 else "")


def _speed(row: pd.Series) -> dict:
    return {
        "latency (s)": number(row["latency_s"]) + spread(row["latency_iqr_s"]),
        "p95 (s)": number(row["latency_p95_s"]),
        "images/s": number(row["images_per_s"]),
        "overhead": number(row["overhead_ratio"], "{:.3f}") + " (noisy)" * (row["noisy"] == "true"),
        "inner": number(row["inner_ratio"], "{:.3f}"),
        "peak (MB)": number(row["peak_memory_mb"], "{:.0f}"),
        "compile (s)": number(row["compile_s"]),
        "warm-up (s)": number(row["warmup_s"]),
        "threads": "" if pd.isna(row["threads"]) else str(row["threads"]),
    }


def order(row: Mapping) -> str:
    """`2.98 (of 3)`: the fitted order of convergence, and the declared one; nothing where none was fitted."""
    return number(row["order"], "{:.2f}") + number(row["order_declared"], " (of {:g})")


def fitted_orders(rows: pd.DataFrame) -> dict[str, str]:
    """Name -> `, order 2.98 (of 3)`, for the methods of which one was fitted."""
    fitted = rows[rows["order"].notna()].drop_duplicates("name")
    return {row["name"]: f", order {order(row)}" for _, row in fitted.iterrows()}


def with_interval(row: Mapping) -> str:
    """The FID of a row, with the half-width of its 95 % interval if it has one."""
    half_width = (row["fid_ci_high"] - row["fid_ci_low"]) / 2
    return number(row["fid"]) + spread(half_width)


def number(value: float, form: str = "") -> str:
    """Three significant digits unless `form` says otherwise; nothing for NaN."""
    if pd.isna(value):
        return ""
    if form:
        return form.format(value)
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:#.3g}"


def compact(value: float) -> str:
    """A count in three significant digits: `800`, `12.5k`, `1.2M`; nothing for NaN."""
    if pd.isna(value):
        return ""
    size = next((size for size in UNITS if value >= 0.9995 * size), 1.0)
    return f"{value / size:.3g}{UNITS[size]}"


def spread(value: float) -> str:
    """` ± 0.10`: two significant digits; nothing for NaN."""
    if pd.isna(value):
        return ""
    return f" ± {value:.0f}" if value >= 10 else f" ± {value:#.2g}"
