"""Two commits measured in turn on one machine: A B B A, so that its moods fall on both alike."""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd

from samplerbench.errors import InputError
from samplerbench.networks.backbone import FOLDER
from samplerbench.regression.compare import RATIOS, Rule, Verdict, compare, name, protocol_facts
from samplerbench.store.run_directory import identity, read_results

PROFILE = "--steps 5 --samples 250 --seeds 0-15 --batch-size 250"  # what is run unless told otherwise
ORDER = "ABBA"
SECONDS = Rule("latency_s", relative=0.15)  # both commits run on this machine, within minutes: here seconds compare
# Where git looks before it looks at the folder it runs in, as inside a hook.
REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


def compare_commits(reference: str, sweep: str | None, rules: Sequence[Rule]) -> list[Verdict]:
    """Judge the working tree in the current folder against a commit; what is flagged as slower is measured once more.

    reference: anything git calls a commit. sweep: the options of `bench run`, as one string.
    Raises InputError if there is no such commit, or a run cannot be made; NotComparable as `compare` does.
    """
    options = _options(sweep)
    if "--weights" not in options and Path(FOLDER).is_dir():
        options += ["--weights", str(Path(FOLDER).resolve())]  # git does not know them: both commits take the same
    here = Path(_git("rev-parse", "--show-toplevel"))
    given = {rule.field: rule for rule in rules}
    speed = [given.pop(field, SECONDS) for field in (SECONDS.field, *RATIOS)]
    with _worktree(reference) as there, tempfile.TemporaryDirectory() as folder:
        runs = _measure({"A": there, "B": here}, options, Path(folder, "first"))
        frames = {label: [read_results(run) for run in sides] for label, sides in runs.items()}
        facts = [protocol_facts(sides[0]) for sides in runs.values()]
        verdicts = compare(frames["A"][0], frames["B"][0], list(given.values()), facts)
        slower = judge_speed(frames["A"], frames["B"], speed)
        if any(verdict.status == "regression" for verdict in slower):
            again = _measure({"A": there, "B": here}, options, Path(folder, "again"))
            slower = confirm(slower, judge_speed(*(map(read_results, side) for side in again.values()), speed))
    return [verdict for verdict in verdicts if verdict.status != "info"] + slower


def judge_speed(before: Iterable[pd.DataFrame], after: Iterable[pd.DataFrame], rules: Sequence[Rule]) -> list[Verdict]:
    """A cell is slower if in every pair of neighbouring runs it is, by more than a rule's margin."""
    pairs = [tuple({identity(row): row for _, row in frame.iterrows()} for frame in pair)
             for pair in zip(before, after, strict=True)]  # fmt: skip
    verdicts = []
    for (key, row), rule in product(pairs[0][0].items(), rules):
        timed = [(a[key][rule.field], b[key][rule.field]) for a, b in pairs if key in a and key in b]
        timed = [(old, new) for old, new in timed if not (pd.isna(old) or pd.isna(new))]
        if timed:
            verdicts.append(_judge_pairs(rule, name(row), timed))
    return verdicts


def confirm(first: Sequence[Verdict], second: Sequence[Verdict]) -> list[Verdict]:
    """What the first measurement flagged is what the second one says of it."""
    again = {(verdict.cell, verdict.field): verdict for verdict in second}
    confirmed = []
    for verdict in first:
        if verdict.status == "regression":
            other = again[verdict.cell, verdict.field]
            both = f"{verdict.reason}; measured again: {other.reason}"
            verdict = replace(verdict, reason=both, status=other.status)
        confirmed.append(verdict)
    return confirmed


def _judge_pairs(rule: Rule, cell: str, timed: Sequence[tuple[float, float]]) -> Verdict:
    ratios = " and ".join(f"{new / old:.3f}" for old, new in timed)
    worse = [new - old > rule.margin(old) for old, new in timed]
    status = "regression" if all(worse) else "inconclusive" if any(worse) else "ok"
    reason = f"{ratios} times that of the other commit, run in turn; {rule}"
    return Verdict(cell, rule.field, timed[0][0], timed[0][1], status, reason)


def _options(sweep: str | None) -> list[str]:
    try:
        options = shlex.split(PROFILE if sweep is None else sweep)
    except ValueError as error:
        raise InputError(f"--run cannot be read as options: {error}.") from error
    if "--output" in options:
        raise InputError("--run takes no --output: each commit gets a folder of its own.")
    return options


def _measure(trees: dict[str, Path], options: list[str], folder: Path) -> dict[str, list[Path]]:
    """Run the sweep on both trees in turn; the run directories of each."""
    runs: dict[str, list[Path]] = {label: [] for label in trees}
    for turn, label in enumerate(ORDER):
        output = folder / f"{turn}{label}"
        print(f"{turn + 1} of {len(ORDER)}: {trees[label]}", file=sys.stderr, flush=True)
        _run(trees[label], options, output)
        runs[label].append(output)
    return runs


def _run(tree: Path, options: list[str], output: Path) -> None:
    """`bench run` with the packages of a tree, in its own process."""
    path = os.pathsep.join(filter(None, (str(tree), str(tree / "src"), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "bench", "run", *options, "--output", str(output)]
    result = subprocess.run(command, cwd=tree, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    if result.returncode not in (0, 1) or not (output / "results.csv").exists():
        last = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise InputError(f"`bench run {shlex.join(options)}` did not run in {tree}: {last}")


@contextmanager
def _worktree(reference: str) -> Iterator[Path]:
    """A checkout of a commit in a temporary folder."""
    try:
        commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    except InputError:
        raise InputError(
            f"There is no commit {reference!r} in this repository: give a branch, a tag or a hash."
        ) from None
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        _git("worktree", "add", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if key not in REPOSITORY}
    try:
        result = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, env=environment)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        raise InputError(f"--against needs a git repository in the current folder ({reason}).") from error
    return result.stdout.strip()
