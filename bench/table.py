"""Rows as text for people: the same table in the terminal and in report.md."""

import pandas as pd


def fid_name(facts: dict) -> str:
    """FID with its extractor: never plain "FID" unless it is Inception's."""
    extractor = (facts.get("quality") or {}).get("extractor", "")
    return "FID" if extractor.startswith("inception") else f"FID ({extractor})"


def table(frame: pd.DataFrame, facts: dict) -> pd.DataFrame:
    """The rows as text for people: the floor first, then the cells by method; columns that are empty throughout go."""
    rows = [_floor_row(frame, facts)] if frame["fid_floor"].notna().any() else []
    rows += [_row(row, facts) for _, row in frame.iterrows()]
    shown = pd.DataFrame(rows).fillna("")
    return shown.loc[:, (shown != "").any()] if len(shown) else shown


def label(row: pd.Series) -> str:
    """`method[options]`, with the recipe where it is not the method's own name for it."""
    return f"{row['method']}[{row['options']}]" if row["options"] else row["method"]


def _floor_row(frame: pd.DataFrame, facts: dict) -> dict:
    return {"method": "real images (floor)", fid_name(facts): _number(frame["fid_floor"].dropna().iloc[0])}


def _row(row: pd.Series, facts: dict) -> dict:
    return {
        "method": label(row),
        "recipe": row["recipe"],
        "grid": row["grid"],
        "steps": "" if pd.isna(row["steps"]) else str(row["steps"]),
        "NFE": _number(row["nfe"], "{:g}"),
        fid_name(facts): _fid(row),
        "x floor": _number(row["fid"] / row["fid_floor"], "{:.2f}"),
        "novelty": _number(row["novelty"], "{:.2f}"),
        "latency [s]": _number(row["latency_s"]) + _number(row["latency_iqr_s"], " ± {:.2g}"),
        "images/s": _number(row["images_per_s"]),
        "overhead": _number(row["overhead_ratio"], "{:.3f}"),
        "peak [MB]": _number(row["peak_memory_mb"], "{:.0f}"),
        "status": "" if row["status"] == "ok" else f"{row['status']}: {row['error']}",
    }


def _fid(row: pd.Series) -> str:
    half_width = (row["fid_ci_high"] - row["fid_ci_low"]) / 2
    return _number(row["fid"]) + _number(half_width, " ± {:.2g}")


def _number(value: float, form: str = "{:.3g}") -> str:
    if pd.isna(value):
        return ""
    return f"{value:.0f}" if form == "{:.3g}" and abs(value) >= 1000 else form.format(value)
