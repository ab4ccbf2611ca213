"""The outcomes of a campaign as crash.md and crash.csv."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from samplerbench.errors import writing
from samplerbench.regression.crash.outcome import Outcome
from samplerbench.store.provenance import commit, utc_now

HEAD = ("fault", "trials", "same rows", "measured twice", "processes left", "locks left")


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as a table."""
    lines = [HEAD, (":--", *["--:"] * (len(HEAD) - 1)), *map(_cells, outcomes)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(folder: Path, outcomes: Sequence[Outcome], command: str) -> Path:
    """Write both files; returns the path of crash.md. command: as it was given. Raises WriteError."""
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([HEAD, *map(_cells, outcomes)])
    problems = "".join(f"- {each.fault}: {problem}\n" for each in outcomes for problem in each.problems)
    head = f"# Proof by crash\n\n`{command}`, at commit {commit()}, {utc_now()}"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "crash.csv").write_text(table.getvalue(), encoding="utf-8")
        text = "\n\n".join(filter(None, (head, as_markdown(outcomes), problems.rstrip())))
        (folder / "crash.md").write_text(text + "\n", encoding="utf-8")
    return folder / "crash.md"


def _cells(outcome: Outcome) -> list[str]:
    if outcome.not_run:
        return [outcome.fault, f"not run: {outcome.not_run}", "", "", "", ""]
    counts = (outcome.trials, f"{outcome.same} of {outcome.trials}", outcome.twice, outcome.processes, outcome.locks)
    return [outcome.fault, *map(str, counts)]
