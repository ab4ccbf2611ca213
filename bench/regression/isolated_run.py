"""`bench run` in a process of its own, with the packages of a checkout, and proof that it measured these."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

from samplerbench.errors import InputError
from samplerbench.regression.checkout import Checkout
from samplerbench.store.repository import GIT_VARIABLES

PATHS = ("--weights", "--data-root", "--grid")  # options of `bench run` whose values may be files
ADVICE = "Start it in the folder that holds your pyproject.toml, or uninstall the other copy."

# The current folder is not on sys.path, where a user's own folder could hide a package of the same name (`python -P`
# exists from 3.11 on only).
START = """
import sys
sys.path[:] = [entry for entry in sys.path if entry]
import json
output = sys.argv.pop(1)
def write(found):
    with open(output, "w", encoding="utf-8") as file:
        json.dump(found, file)
"""
# `python -m samplerbench`, which lists the files of its modules, and from where each plug-in was installed.
RUN = """
import runpy
from importlib.metadata import entry_points
try:
    runpy.run_module("samplerbench", run_name="__main__", alter_sys=True)
finally:
    modules = ((name, getattr(module, "__dict__", {}).get("__file__")) for name, module in list(sys.modules.items()))
    groups = ("samplerbench.methods", "samplerbench.metrics", "samplerbench.datasets", "samplerbench.models")
    points = [point for group in groups for point in entry_points(group=group)]
    write({
        "files": {name: file for name, file in modules if isinstance(file, str)},
        "plugins": [(p.module, p.dist and p.dist.read_text("direct_url.json") or "{}") for p in points],
    })
"""
# Why each method cannot be run; "" for one that can.
METHODS = """
from samplerbench.methods import SpecError, get, split_specs
def unknown(spec):
    try:
        spec == "all" or get(spec)
    except SpecError as error:
        return str(error)
    return ""
write({spec: unknown(spec) for spec in split_specs(sys.argv[1])})
"""


@dataclass(frozen=True)
class Imported:
    """What a run has imported.

    files: of its modules, by name. plugins: the modules of installed plug-ins, each with the direct_url.json of its
    distribution, which says from where that was installed, as text.
    """

    files: Mapping[str, str]
    plugins: Sequence[tuple[str, str]]

    @property
    def paths(self) -> list[Path]:
        """The files that have a place on the disk."""
        return [path for path in map(Path, self.files.values()) if path.is_absolute()]

    def installed_from(self, folder: Path) -> list[Path]:
        """The files of the plug-ins whose distributions were installed from inside a folder."""
        return [
            Path(self.files[module])
            for module, url in self.plugins
            if module in self.files and _path(json.loads(url).get("url", "")).is_relative_to(folder)
        ]


def run_in(checkout: Checkout, options: Sequence[str], output: Path, other: Checkout) -> None:
    """`bench run` in a checkout, writing into `output`.

    Raises InputError if it fails, or has not measured the code of its own checkout.
    """
    listing = output.with_suffix(".imported.json")
    result = _python(RUN, checkout, listing, ["run", *_with_files(options, checkout), "--output", str(output)])
    if result.returncode not in (0, 1) or not (output / "results.csv").exists():
        raise InputError(f"`bench run {shlex.join(options)}` failed on {checkout.name}: {_last_line(result)}")
    _check_imports(checkout, other, Imported(**json.loads(listing.read_text(encoding="utf-8"))), options)


def unknown_methods(checkout: Checkout, methods: str, output: Path) -> dict[str, str]:
    """Why each of these methods cannot be run in a checkout; "" for one that can. Raises InputError if that fails.

    methods: as for `bench run`. output: the file to write.
    """
    result = _python(METHODS, checkout, output, [methods])
    if result.returncode:
        raise InputError(f"The methods of {checkout.name} could not be imported: {_last_line(result)}")
    sys.stderr.write(result.stderr)  # plug-ins that were left out
    return json.loads(output.read_text(encoding="utf-8"))


def split_options(text: str) -> list[str]:
    """The options of a command line, with `--option=value` as two words. Raises InputError."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"--run cannot be read as options: {error}.") from error
    return [part for word in words for part in (word.split("=", 1) if re.match(r"--[\w-]+=", word) else [word])]


def _python(script: str, checkout: Checkout, output: Path, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a script that follows `START`, in the folder of a checkout and with its packages before all others."""
    output.parent.mkdir(parents=True, exist_ok=True)
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = os.pathsep.join([*map(str, checkout.imports), *filter(None, given)])  # an empty entry is the current folder
    kept = {key: value for key, value in os.environ.items() if key not in GIT_VARIABLES}
    return subprocess.run(
        [sys.executable, "-c", START + script, str(output), *words],
        cwd=checkout.folder, env=kept | {"PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _last_line(result: subprocess.CompletedProcess[str]) -> str:
    """The error of a command, without the usage or the traceback before it."""
    lines = result.stderr.strip().splitlines() or ["it printed no error."]
    return lines[-1].removeprefix("Error: ")


def _with_files(options: Sequence[str], checkout: Checkout) -> list[str]:
    """The options, with absolute paths to files that only the current folder has, as weights that git ignores."""

    def resolved(value: str) -> str:
        elsewhere = Path(value).exists() and not (checkout.folder / value).exists()
        return str(Path(value).resolve()) if elsewhere else value

    return [
        ",".join(map(resolved, word.split(","))) if before in PATHS else word
        for before, word in zip(["", *options], options, strict=False)
    ]


def _check_imports(checkout: Checkout, other: Checkout, imported: Imported, options: Sequence[str]) -> None:
    """Raise InputError if the imported files show that a run has not measured its own checkout."""
    foreign = [file for file in imported.paths if other.holds(file)]
    if foreign:
        raise InputError(f"The run on {checkout.name} imported {foreign[0]}, which belongs to {other.name}. {ADVICE}")
    plugins = [file for side in (checkout, other) for file in imported.installed_from(side.root)]
    copies = [file for file in plugins if not checkout.holds(file)]
    if copies:
        raise InputError(f"The run on {checkout.name} imported {copies[0]}, an installed copy of its package. {ADVICE}")
    values = [word for before, word in pairwise(options) if before in PATHS]
    files = [path for value in values for part in value.split(",") if (path := checkout.folder / part).exists()]
    if not any(map(checkout.holds, [*files, *imported.paths])):
        raise InputError(f"The run on {checkout.name} imported nothing from this repository. {ADVICE}")


def _path(url: str) -> Path:
    """The path of a file URL; of any other, the current folder's parent `..`, which is inside no absolute folder."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)).resolve() if parts.scheme == "file" else Path("..")
