"""Rows as text for people: the same table in the terminal and in report.md."""

import pandas as pd


def fid_name(facts: dict) -> str:
    """FID with its extractor: never plain "FID" unless it is Inception's."""
    extractor = (facts.get("quality") or {}).get("extractor", "")
    return "FID" if extractor.startswith("inception") else f"FID ({extractor})"


def table(frame: pd.DataFrame, facts: dict) -> pd.DataFrame:
    """The rows as text for people, the floor first; columns that are empty throughout are left out."""
    rows = [_row(row, facts) for _, row in frame.iterrows()]
    if frame["fid_floor"].notna().any():
        floor = {"method": "real images", fid_name(facts): _number(frame["fid_floor"].dropna().iloc[0])}
        rows.insert(0, dict.fromkeys(rows[0], "") | floor)
    shown = pd.DataFrame(rows)
    return shown.loc[:, (shown != "").any()] if rows else shown


def alignment(column: str) -> str:
    """`left` for words, `right` for numbers."""
    return "left" if column in ("method", "recipe", "grid", "status") else "right"


def label(row: pd.Series) -> str:
    """The spec of the row's method: `method[options]`."""
    return f"{row['method']}[{row['options']}]" if row["options"] else row["method"]


def _row(row: pd.Series, facts: dict) -> dict:
    return {
        "method": label(row),
        "recipe": row["recipe"],
        "grid": row["grid"],
        "steps": "" if pd.isna(row["steps"]) else str(row["steps"]),
        "NFE": _number(row["nfe"], "{:g}"),
        fid_name(facts): _fid(row),
        "x floor": _number(row["fid"] / row["fid_floor"], "{:.2f}"),
        "KID": _number(row["kid"]) + _number(row["kid_se"], " ± {:.2g}"),
        "precision": _number(row["precision"], "{:.3f}"),
        "recall": _number(row["recall"], "{:.3f}"),
        "density": _number(row["density"], "{:.3f}"),
        "coverage": _number(row["coverage"], "{:.3f}"),
        "novelty": _number(row["novelty"], "{:.2f}"),
        "latency (s)": _number(row["latency_s"]) + _number(row["latency_iqr_s"], " ± {:.2g}"),
        "images/s": _number(row["images_per_s"]),
        "overhead": _number(row["overhead_ratio"], "{:.3f}"),
        "peak (MB)": _number(row["peak_memory_mb"], "{:.0f}"),
        "status": "" if row["status"] == "ok" else f"{row['status']}: {row['error']}",
    }


def _fid(row: pd.Series) -> str:
    half_width = (row["fid_ci_high"] - row["fid_ci_low"]) / 2
    return _number(row["fid"]) + _number(half_width, " ± {:.2g}")


def _number(value: float, form: str = "") -> str:
    """Three significant digits unless `form` says otherwise; nothing for NaN."""
    if pd.isna(value):
        return ""
    if form:
        return form.format(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}"
