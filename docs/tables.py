"""Write the tables in README and docs/ from the committed results: `python docs/tables.py`."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from samplerbench.report.formats import number, spread
from samplerbench.report.ranking import affordable, leaders
from samplerbench.report.table import table
from samplerbench.statistics import half_width
from samplerbench.store.results import load

ROOT = Path(__file__).parents[1]
NAMED = 3  # samplers in a cell before the rest is counted
BUDGETS = (5, 10, 20)  # evaluations, those of results/samplers
STEPS = (1, 2, 4, 8)  # those of results/students
SOLVERS = {"flow": "`flow` (the teacher)", "dpmpp_2m": "`dpmpp_2m` on `ddpm`", "ipndm": "`ipndm` on `ddpm`"}


def default() -> str:
    """The first run's table, without what few readers need."""
    shown = table(load(ROOT / "results/default"))
    fid = next(column for column in shown if column.startswith("FID"))
    columns = ["method", "steps", "NFE", fid, "novelty", "latency (s)", "images/s", "overhead"]
    return _markdown(shown[columns].rename_axis(None).values.tolist(), columns, numbers=7)


def samplers() -> str:
    """For each budget the lowest FID, what the measurement does not separate from it, and DDIM."""
    rows = measured("samplers")
    rows = rows[~rows["method"].isin(students())]
    lines = []
    for budget in BUDGETS:
        best, *others = leaders(affordable(rows, budget))
        named = [f"`{other.row['name']}` {number(other.row['fid'])}" for other in others[:NAMED]]
        rest = [f"{len(others) - NAMED} more"] if len(others) > NAMED else []
        ddim = rows.loc[(rows["name"] == "ddim") & (rows["nfe"] <= budget), "fid"].min()
        cells = [f"`{best.row['name']}` {_with_error(best.row)}", ", ".join([*named, *rest]) or "none", number(ddim)]
        lines.append([str(budget), *cells])
    return _markdown(lines, ["NFE", "lowest FID", "not separated from it", "`ddim`"])


def best_students() -> str:
    """For each step count the best student, beside the best solver and the teacher."""
    rows = measured("students")
    lines = []
    for steps in STEPS:
        fids = rows[rows["steps"] == steps].set_index("method")["fid"]
        student, solver = fids.drop(list(SOLVERS)).idxmin(), fids[list(SOLVERS)].idxmin()
        lines.append(
            [str(steps), *(f"`{name}` {number(fids[name])}" for name in (student, solver)), number(fids["flow"])]
        )
    return _markdown(lines, ["NFE", "best student", "best of `dpmpp_2m`, `ipndm` and `flow`", "`flow`, the teacher"])


def all_students() -> str:
    """FID of every student and of three solvers at each step count; the lowest is bold."""
    rows = measured("students")
    fids = rows[rows["steps"].isin(STEPS)].pivot_table(index="method", columns="steps", values="fid", sort=False)
    lines = []
    students = sorted(set(fids.index) - set(SOLVERS) - {"ddim"}, key=lambda name: fids.loc[name].min())
    for method in [*SOLVERS, *students]:
        pairs = zip(fids.loc[method], fids.min(), strict=True)
        cells = (f"**{number(fid)}**" if fid == lowest else number(fid) for fid, lowest in pairs)
        lines.append([SOLVERS.get(method, f"`{method}`"), *cells])
    return _markdown(lines, ["", *(f"{steps} step{'s' * (steps > 1)}" for steps in STEPS)])


# Question -> its rows: what differs, the run, and which of its rows, if it has several.
QUESTIONS: dict[str, list[tuple[str, str, str]]] = {
    "labels, `flow`": [
        ("independent", "labels-independent", ""),
        ("balanced", "labels-balanced", ""),
    ],
    "ODE or SDE, `ddim` at 10 NFE": [
        ("`ddim`, the ODE", "noise", "options == '' and steps == 10"),
        ("`ddim[eta=1]`, the SDE", "noise", "options != '' and steps == 10"),
    ],
    "the same at 50 NFE": [
        ("`ddim`", "noise", "options == '' and steps == 50"),
        ("`ddim[eta=1]`", "noise", "options != '' and steps == 50"),
    ],
    "which grid is uniform, `ddim` at 10 NFE": [
        (f"`{grid}`", "grids", f"grid == '{grid}'")
        for grid in ("uniform", "ddim-uniform", "trailing", "quadratic", "ddim-quadratic")
    ],
    "last step, `heun` at 10 NFE": [
        ("to zero: `karras`, 9 NFE", "last-step", "grid == 'karras'"),
        ("stops at 0.002: `karras[end=0.002]`", "last-step", "grid != 'karras'"),
    ],
    "weights of 1500 training steps, `flow`": [
        ("averaged, decay 0.999", "ema-0.999", ""),
        ("as they are", "ema-0", ""),
    ],
    "number of images, `flow`": [
        (f"{count} a block", f"images-{count}", "") for count in (250, 1000, 4000)
    ],
    "quantisation, `flow`": [
        ("rounded", "quantised", "method == 'round'"),
        ("cut", "quantised", "method == 'floor'"),
    ],
    "filter of real images, FD (pixels)": [
        ("bicubic, as the reference", "resized", "method == 'bicubic'"),
        ("bilinear", "resized", "method == 'bilinear'"),
    ],
    "reference, `flow`": [
        ("held-out images", "reference-held-out", ""),
        ("training images", "reference-training", ""),
    ],
}  # fmt: skip


def questions() -> str:
    """What each question's rows score, and the real images of the same protocol beside them."""
    lines = []
    for question, rows in QUESTIONS.items():
        for what, run, query in rows:
            found = pd.read_csv(ROOT / "results/questions" / run / "results.csv", dtype={"options": str})
            found = found.assign(options=found["options"].fillna(""))
            row = (found.query(query) if query else found).iloc[0]
            metric = "fd" if "fd" in row and pd.notna(row["fd"]) else "fid"
            lines.append([question if what == rows[0][0] else "", what, *_score(row, metric)])
    lines += _least_of_three()
    return _markdown(lines, ["question", "row", "FID", "real images"])


def _score(row: pd.Series, metric: str) -> list[str]:
    values = json.loads(row["scores_per_seed"])[metric]
    floor = row[f"{metric}_floor"]
    text = number(row[metric]) + (spread(half_width(values)) if len(values) > 1 else "")
    return [text, number(floor) if floor > 1e-6 else "0"]


def _least_of_three() -> list[list[str]]:
    row = pd.read_csv(ROOT / "results/questions/labels-independent/results.csv").iloc[0]
    values = json.loads(row["scores_per_seed"])["fid"]
    floor = number(row["fid_floor"])
    return [
        ["draws, `flow`", "mean of five", *_score(row, "fid")],
        ["", "least of the first three", number(min(values[:3])), floor],
    ]


def golden() -> str:
    """Tier 0 as it was measured last."""
    shown = pd.read_csv(ROOT / "results/golden/golden.csv", dtype=str, keep_default_na=False)
    columns = ["figure", "method", "grid", "NFE", "metric", "published", "ours", "allowed", "verdict"]
    return _markdown(shown[columns].values.tolist(), columns)


TABLES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"default": default, "samplers": samplers, "students": best_students},
    "docs/students.md": {"students": all_students},
    "docs/questions.md": {"questions": questions},
    "docs/golden.md": {"golden": golden},
}


def measured(run: str) -> pd.DataFrame:
    """The measured rows of a committed run, with the `name` of each sampler."""
    rows = load(ROOT / "results" / run).rows.query("status == 'ok'")
    options = rows["options"].map(lambda text: f"[{text}]" if text else "")
    return rows.assign(name=rows["method"] + options)


def students() -> set[str]:
    """The methods that need a distillation."""
    return set(measured("students")["method"]) - set(SOLVERS) - {"ddim"}


def written(page: str) -> str:
    """The text of a page with its tables as the results have them now."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for name, make in TABLES[page].items():
        block = rf"(?<=<!-- table: {name} -->\n).*?(?=<!-- end -->)"
        assert re.search(block, text, re.S), f"{page} has no table {name}"
        text = re.sub(block, lambda _, make=make: f"\n{make()}\n\n", text, flags=re.S)
    return text


def _with_error(row: pd.Series) -> str:
    return number(row["fid"]) + spread((row["fid_ci_high"] - row["fid_ci_low"]) / 2)


def _markdown(lines: Iterable[Iterable[str]], headings: list[str], numbers: int = 0) -> str:
    """A table in Markdown, with the last `numbers` columns aligned to the right."""
    rule = [":--"] * (len(headings) - numbers) + ["--:"] * numbers
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *lines))


if __name__ == "__main__":
    for page in TABLES:
        (ROOT / page).write_text(written(page), encoding="utf-8")
