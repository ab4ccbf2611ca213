"""`bench run` in a process of its own, with the packages of a checkout, and proof that it measured these."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from samplerbench.errors import InputError
from samplerbench.regression.checkout import GIT_VARIABLES, Checkout

PATHS = ("--weights", "--data-root", "--grid")  # options of `bench run` whose values may be files
ADVICE = "--against finds packages at the top of a repository and in src/, nowhere else."
# `python -m samplerbench` with two differences. The current folder is not on sys.path, where a user's own folder could
# hide a package of the same name (`python -P` exists from 3.11 on only). And it lists the files that were imported.
LAUNCHER = """
import sys
sys.path[:] = [entry for entry in sys.path if entry]
import json, runpy
listing = sys.argv.pop(1)
try:
    runpy.run_module("samplerbench", run_name="__main__", alter_sys=True)
finally:
    found = (vars(module).get("__file__") for module in list(sys.modules.values()) if hasattr(module, "__dict__"))
    with open(listing, "w", encoding="utf-8") as file:
        json.dump([path for path in found if isinstance(path, str)], file)
"""


def run_in(checkout: Checkout, options: Sequence[str], output: Path, other: Checkout) -> None:
    """`bench run` in a checkout, writing into `output`.

    Raises InputError if it fails, imports from the `other` checkout, or imports nothing from its own.
    """
    listing = output.with_suffix(".imported.json")
    listing.parent.mkdir(parents=True, exist_ok=True)
    words = ["run", *_with_files(options, checkout), "--output", str(output)]
    result = subprocess.run(
        [sys.executable, "-c", LAUNCHER, str(listing), *words],
        cwd=checkout.folder, env=_environment(checkout), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode not in (0, 1) or not (output / "results.csv").exists():
        last = (result.stderr.strip().splitlines() or ["it printed no error."])[-1]
        raise InputError(f"`bench run {shlex.join(options)}` failed on {checkout.name}: {last}")
    imported = [Path(file) for file in json.loads(listing.read_text(encoding="utf-8"))]
    _check_imports(checkout, other, [file for file in imported if file.is_absolute()], options)


def split_options(text: str) -> list[str]:
    """The options of a command line, with `--option=value` as two words. Raises InputError."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"--run cannot be read as options: {error}.") from error
    return [part for word in words for part in (word.split("=", 1) if re.match(r"--[\w-]+=", word) else [word])]


def _environment(checkout: Checkout) -> dict[str, str]:
    """The variables of this process, with the checkout's packages before all others."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = os.pathsep.join([*map(str, checkout.imports), *filter(None, given)])  # an empty entry is the current folder
    kept = {key: value for key, value in os.environ.items() if key not in GIT_VARIABLES}
    return kept | {"PYTHONPATH": path}


def _with_files(options: Sequence[str], checkout: Checkout) -> list[str]:
    """The options, with absolute paths to files that only the current folder has, as weights that git ignores."""

    def resolved(value: str) -> str:
        elsewhere = Path(value).exists() and not (checkout.folder / value).exists()
        return str(Path(value).resolve()) if elsewhere else value

    return [
        ",".join(map(resolved, word.split(","))) if before in PATHS else word
        for before, word in zip(["", *options], options, strict=False)
    ]


def _check_imports(checkout: Checkout, other: Checkout, imported: Sequence[Path], options: Sequence[str]) -> None:
    """Raise InputError if the imported files show that a run has not measured its own checkout."""
    foreign = [file for file in imported if other.holds(file)]
    if foreign:
        raise InputError(f"The run on {checkout.name} imported {foreign[0]}, which belongs to {other.name}. {ADVICE}")
    values = [word for before, word in pairwise(options) if before in PATHS]
    files = [path for value in values for part in value.split(",") if (path := checkout.folder / part).exists()]
    if not any(map(checkout.holds, [*files, *imported])):
        raise InputError(f"The run on {checkout.name} imported nothing from this repository. {ADVICE}")
