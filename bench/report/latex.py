"""The results as a LaTeX table, for papers: booktabs, without a caption."""

from collections.abc import Iterable

import pandas as pd

from samplerbench import __version__
from samplerbench.report.markdown import NOTHING
from samplerbench.report.ranking import bunches, decidable, standings
from samplerbench.report.table import CEILING, DETAILS, FLOOR, alignment, table
from samplerbench.report.text import heading
from samplerbench.store.results import Results

LEFT_OUT = [*DETAILS, "Pareto", "rank", "status", "images/s", "peak (MB)", "p95 (s)"]
SAID_ONCE = "recipe grid".split()  # columns that are left out where they say the same in every row
SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"$\pm$", "–": "--", "∞": r"$_\infty$", "×": r"$\times$", "<": "$<$", ">": "$>$"}
)


def latex(results: Results) -> str:
    """A `tabular` of the rows, grouped by evaluations; the best of each group, and what ties with it, in bold."""
    shown = table(results)
    if shown.empty:
        return f"% {NOTHING}\n"
    same = [column for column in SAID_ONCE if column in shown and shown.loc[results.rows.index, column].nunique() == 1]
    best, cells = _best(results), _with_failures(shown, results).drop(columns=[*LEFT_OUT, *same], errors="ignore")

    bunched = [[_row(cells.loc[index], best.get(index)) for index in bunch] for bunch in _order(results)]
    ends = [[_row(row) for _, row in cells[cells.index == end].iterrows()] for end in (FLOOR, CEILING)]
    parts = [[_line(map(escape, cells))], ends[0], *bunched, ends[1]]
    body = [line for part in parts if part for line in [*part, r"\midrule"]][:-1]

    columns = "".join(alignment(column)[0] for column in cells)
    comments = [
        *_comments(results),
        *(f"{column} of all rows: {shown.loc[results.rows.index[0], column]}" for column in same),
    ]
    top = [*(f"% {comment}" for comment in comments), rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    return "\n".join([*top, *body, r"\bottomrule", r"\end{tabular}"]) + "\n"


def escape(text: str) -> str:
    """Text as LaTeX sets it."""
    return text.translate(SPECIAL)


def _order(results: Results) -> list[list[int]]:
    """The rows by protocol and evaluations, and at last those without any."""
    found = [[*rows.index] for group in results.groups for rows in bunches(group.rows)]
    return [*found, [*results.rows.index[results.rows["nfe"].isna()]]]


def _best(results: Results) -> dict[int, str]:
    """The rows to print in bold, with the column that holds their FID. Without seed blocks, ties cannot be told."""
    found = {}
    for group in results.groups:
        for placed in map(standings, bunches(group.scored)):
            if len(placed) > 1:
                tied = [standing for standing in placed if standing.tied] if decidable(placed) else placed[:1]
                found |= {standing.row.name: group.fid for standing in tied}
    return found


def _with_failures(shown: pd.DataFrame, results: Results) -> pd.DataFrame:
    """What was not measured says so where its FID would stand."""
    shown = shown.copy()
    for group in results.groups:
        bad = group.rows[group.rows["status"] != "ok"]
        column = group.fid if group.fid in shown else "NFE"
        shown.loc[bad.index, column] = bad["status"]
    return shown


def _row(row: pd.Series, bold: str | None = None) -> str:
    return _line(_bold(escape(text)) if column == bold else escape(text) for column, text in row.items())


def _bold(text: str) -> str:
    figure, *rest = text.split(" ", 1)
    return " ".join([rf"\textbf{{{figure}}}", *rest])


def _line(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _comments(results: Results) -> list[str]:
    found = [r"Needs \usepackage{booktabs}."]
    for group in results.groups:
        packages = [facts["environment"].get("packages", {}) for facts in group.facts.values()]
        versions = sorted({package.get("samplerbench", __version__) for package in packages})
        found.append(f"samplerbench {', '.join(versions)}. {heading(group)}.")
    scored = [group.scored for group in results.groups if len(group.scored)]
    if any(decidable(standings(rows)) for rows in scored):
        found.append("Bold: the best at its NFE, and what is not significantly worse (95 %, paired over seed blocks).")
    elif scored:
        found.append("Bold: the best at its NFE; with one seed block no tie can be told.")
    return list(dict.fromkeys(found))
