"""Numbers as text."""

import pandas as pd

UNITS = {1e9: "G", 1e6: "M", 1e3: "k", 1.0: ""}


def number(value: float, form: str = "") -> str:
    """Three significant digits unless `form` says otherwise; "" for NaN."""
    if pd.isna(value):
        return ""
    if form:
        return form.format(value)
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:#.3g}"


def spread(value: float) -> str:
    """` ± 0.10`: two significant digits; "" for NaN."""
    if pd.isna(value):
        return ""
    return f" ± {value:.0f}" if value >= 10 else f" ± {value:#.2g}"


def compact(value: float) -> str:
    """A count to three significant digits: `800`, `12.5k`, `1.2M`; "" for NaN."""
    if pd.isna(value):
        return ""
    size = next((size for size in UNITS if value >= 0.9995 * size), 1.0)
    return f"{value / size:.3g}{UNITS[size]}"


def step_count(steps: int) -> str:
    """`1 step`, `10 steps`, or `adaptive steps` for NA."""
    if pd.isna(steps):
        return "adaptive steps"
    return f"{steps} step" + "s" * (steps != 1)
