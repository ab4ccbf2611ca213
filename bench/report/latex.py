"""The results as a LaTeX table for papers: booktabs, without a caption."""

from collections.abc import Iterable
from importlib.metadata import version

import pandas as pd

from samplerbench.report.columns import fid_heading
from samplerbench.report.ranking import affordable, decidable, leaders, nfe_groups, ranked
from samplerbench.report.table import CEILING, DETAILS, FLOOR, alignment, chosen, table
from samplerbench.report.text import NOTHING, failures, title
from samplerbench.store.results import Results

LEFT_OUT = [*DETAILS, "Pareto", "rank", "notes", "status", "images/s", "peak (MB)", "p95 (s)"]
SAID_ONCE = "recipe grid".split()  # columns that become a comment if all rows agree in them
TEXT_WIDTH, CHARACTER = 345.0, 4.3  # points: of article's text, and of a character in \footnotesize
PAGE = 50  # rows
SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"$\pm$", "–": "--", "∞": r"$_\infty$", "×": r"$\times$", "<": "$<$", ">": "$>$"}
)


def latex(results: Results, columns: str | None = None) -> str:
    """The rows, grouped by NFE, as a table that fits an article's page; what leads at its NFE is bold.

    columns: headings, separated by commas; by default those that fit. Raises InputError for an unknown one.
    """
    shown = table(results)
    if shown.empty:
        return f"% {NOTHING}\n"
    rows = shown.drop(index=[FLOOR, CEILING], errors="ignore")
    same = [column for column in SAID_ONCE if column in shown and rows[column].nunique() == 1]
    cells, dropped = _with_failures(shown, results), list[str]()
    if columns:
        cells = chosen(cells, columns)
    else:
        cells, dropped = _fitting(cells.drop(columns=[*LEFT_OUT, *same], errors="ignore"), results)

    best = _best(results)
    groups = [[_row(cells.loc[index], best.get(index)) for index in group] for group in _order(results, rows.index)]
    ends = [[_row(row) for _, row in cells[cells.index == end].iterrows()] for end in (FLOOR, CEILING)]
    body = [line for part in [ends[0], *groups, ends[1]] if part for line in [*part, r"\midrule"]][:-1]

    comments = _comments(results) + [f"{column} of all rows: {rows[column].iloc[0]}" for column in same]
    comments += [f"Left out for want of width (--columns): {', '.join(dropped)}"] if dropped else []
    comments += [f"Not measured: {line}".replace("`", "") for line in failures(shown)]
    lines = [*(f"% {comment}" for comment in comments), r"{\footnotesize\setlength{\tabcolsep}{4pt}"]
    return "\n".join([*lines, *_environment(cells, body), "}"]) + "\n"


def _environment(cells: pd.DataFrame, body: list[str]) -> list[str]:
    """A tabular; a longtable, which breaks over pages, for more rows than a page holds."""
    columns, head = "".join(alignment(column)[0] for column in cells), _line(map(escape, cells))
    name, top = ("longtable", [r"\endhead"]) if len(body) > PAGE else ("tabular", [])
    return [
        rf"\begin{{{name}}}{{{columns}}}", r"\toprule", head, r"\midrule", *top, *body, r"\bottomrule",
        rf"\end{{{name}}}",
    ]  # fmt: skip


def _fitting(cells: pd.DataFrame, results: Results) -> tuple[pd.DataFrame, list[str]]:
    """The columns that fit the width of an article's text, and the headings of those that were dropped for it."""
    kept, needed = [*cells], {"method", "steps", "NFE", "guidance", *map(fid_heading, results.groups)}
    for column in reversed([*cells]):
        if sum(_width(cells[each]) for each in kept) <= TEXT_WIDTH:
            break
        if column not in needed:
            kept.remove(column)
    return cells[kept], [column for column in cells if column not in kept]


def _width(column: pd.Series) -> float:
    """In points, with the space around it."""
    return CHARACTER * max(map(len, [str(column.name), *column])) + 8


def escape(text: str) -> str:
    """Text with LaTeX's special characters escaped."""
    return text.translate(SPECIAL)


def _order(results: Results, shown: pd.Index) -> list[list]:
    """The shown rows by protocol and NFE, those without NFE last."""
    groups = [rows.index for group in results.groups for rows in nfe_groups(group.rows)]
    groups.append(results.rows.index[results.rows["nfe"].isna()])
    return [[index for index in group if index in shown] for group in groups]


def _best(results: Results) -> dict[int, str]:
    """The rows to set in bold, with the column of their FID: nothing with as few evaluations is known to be better."""
    found: dict[int, str] = {}
    for group in results.groups:
        for rows in nfe_groups(group.scored):
            first = leaders(affordable(group.scored, rows["nfe"].max()))
            found |= {rank.row.name: fid_heading(group) for rank in first if rank.row.name in rows.index}
    return found


def _with_failures(shown: pd.DataFrame, results: Results) -> pd.DataFrame:
    """The cells, with `failed` or `skipped` in the place of a missing FID."""
    shown = shown.copy()
    for group in results.groups:
        bad = group.rows[(group.rows["status"] != "ok") & group.rows.index.isin(shown.index)]
        column = fid_heading(group) if fid_heading(group) in shown else "NFE"
        shown.loc[bad.index, column] = bad["status"]
    return shown


def _row(row: pd.Series, bold: str | None = None) -> str:
    return _line(_bold(escape(text)) if column == bold else escape(text) for column, text in row.items())


def _bold(text: str) -> str:
    number, *rest = text.split(" ", 1)
    return " ".join([rf"\textbf{{{number}}}", *rest])


def _line(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _comments(results: Results) -> list[str]:
    found = [r"Needs \usepackage{booktabs,longtable}."]
    for group in results.groups:
        packages = [facts["environment"].get("packages", {}) for facts in group.facts.values()]
        versions = sorted({package.get("samplerbench") or version("samplerbench") for package in packages})
        found.append(f"samplerbench {', '.join(versions)}. {title(group)}.")
    scored = [group.scored for group in results.groups if len(group.scored)]
    if any(decidable(ranked(rows)) for rows in scored):
        found.append("Bold: nothing with as few NFE is significantly better (95 %, paired over seed blocks).")
    elif scored:
        found.append("Bold: nothing with as few NFE is better by two standard deviations of a FID, in one seed block.")
    return list(dict.fromkeys(found))
