"""The results as a LaTeX table for papers: booktabs, without a caption."""

from collections.abc import Iterable
from importlib.metadata import version

import pandas as pd

from samplerbench.report.columns import fid_heading
from samplerbench.report.ranking import decidable, nfe_groups, ranked
from samplerbench.report.table import CEILING, DETAILS, FLOOR, alignment, table
from samplerbench.report.text import NOTHING, failures, title
from samplerbench.store.results import Results

LEFT_OUT = [*DETAILS, "Pareto", "rank", "status", "images/s", "peak (MB)", "p95 (s)"]
SAID_ONCE = "recipe grid".split()  # columns that become a comment if all rows agree in them
SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"$\pm$", "–": "--", "∞": r"$_\infty$", "×": r"$\times$", "<": "$<$", ">": "$>$"}
)


def latex(results: Results) -> str:
    """A `tabular` of the rows, grouped by NFE; the best of each group, and what ties with it, in bold."""
    shown = table(results)
    if shown.empty:
        return f"% {NOTHING}\n"
    rows = shown.drop(index=[FLOOR, CEILING], errors="ignore")
    same = [column for column in SAID_ONCE if column in shown and rows[column].nunique() == 1]
    best, cells = _best(results), _with_failures(shown, results).drop(columns=[*LEFT_OUT, *same], errors="ignore")

    groups = [[_row(cells.loc[index], best.get(index)) for index in group] for group in _order(results, rows.index)]
    ends = [[_row(row) for _, row in cells[cells.index == end].iterrows()] for end in (FLOOR, CEILING)]
    parts = [[_line(map(escape, cells))], ends[0], *groups, ends[1]]
    body = [line for part in parts if part for line in [*part, r"\midrule"]][:-1]

    columns = "".join(alignment(column)[0] for column in cells)
    comments = _comments(results) + [f"{column} of all rows: {rows[column].iloc[0]}" for column in same]
    comments += [f"Not measured: {line}".replace("`", "") for line in failures(shown)]
    top = [*(f"% {comment}" for comment in comments), rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    return "\n".join([*top, *body, r"\bottomrule", r"\end{tabular}"]) + "\n"


def escape(text: str) -> str:
    """Text with LaTeX's special characters escaped."""
    return text.translate(SPECIAL)


def _order(results: Results, shown: pd.Index) -> list[list]:
    """The shown rows by protocol and NFE, those without NFE last."""
    groups = [rows.index for group in results.groups for rows in nfe_groups(group.rows)]
    groups.append(results.rows.index[results.rows["nfe"].isna()])
    return [[index for index in group if index in shown] for group in groups]


def _best(results: Results) -> dict[int, str]:
    """The rows to set in bold, with the column of their FID. Without seed blocks, ties cannot be told."""
    found: dict[int, str] = {}
    for group in results.groups:
        for ranks in map(ranked, nfe_groups(group.scored)):
            if len(ranks) > 1:
                tied = [rank for rank in ranks if rank.tied] if decidable(ranks) else ranks[:1]
                found |= {rank.row.name: fid_heading(group) for rank in tied}
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
    found = [r"Needs \usepackage{booktabs}."]
    for group in results.groups:
        packages = [facts["environment"].get("packages", {}) for facts in group.facts.values()]
        versions = sorted({package.get("samplerbench") or version("samplerbench") for package in packages})
        found.append(f"samplerbench {', '.join(versions)}. {title(group)}.")
    scored = [group.scored for group in results.groups if len(group.scored)]
    if any(decidable(ranked(rows)) for rows in scored):
        found.append("Bold: the best at its NFE, and what is not significantly worse (95 %, paired over seed blocks).")
    elif scored:
        found.append("Bold: the best at its NFE; with one seed block, ties cannot be told from differences.")
    return list(dict.fromkeys(found))
