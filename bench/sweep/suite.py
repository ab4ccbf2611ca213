"""A suite: the options of one sweep or of several, in a TOML file. No torch."""

import hashlib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samplerbench.errors import InputError, nearest
from samplerbench.sweep.suite_options import LONGEST, error_at, fail, options_in, shown
from samplerbench.sweep.toml_lines import TableLines, lines_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SHIPPED = Path(__file__).with_name("suites")
SUFFIX = ".toml"
ARRAY, NAME, DESCRIPTION = "run", "name", "description"  # keys that are no options
LARGEST = 2**18  # bytes
REPORT = "report"  # the folder of the merged report, beside those of the sweeps
FOLDER = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")


@dataclass(frozen=True)
class SuiteSweep:
    """A sweep of a suite.

    name: of its folder below the suite's; "" for a suite that is one sweep.
    options: those of `Sweep` that the suite gives. lines: where. line: of the table.
    """

    name: str
    options: Mapping[str, Any]
    lines: Mapping[str, int]
    line: int


@dataclass(frozen=True)
class Suite:
    """A suite as its file has it. digest: the SHA-256 of the file."""

    path: Path
    digest: str
    description: str
    sweeps: Sequence[SuiteSweep]

    @property
    def name(self) -> str:
        """The name of the file without .toml."""
        return self.path.stem


def shipped_suites() -> list[str]:
    """The names of the suites that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob(f"*{SUFFIX}"))


def read_suite(given: str) -> Suite:
    """The suite in a .toml file, or the shipped one of this name. Raises InputError, with the file and the line."""
    path = _find(given)
    content = _content(path)
    text = _decoded(path, content)
    document = _parsed(path, text)
    lines = lines_of(text, ARRAY)
    tables = _tables(path, document, lines.top)
    places = lines.tables or [TableLines(lines.top.keys.get(ARRAY, 1))] * len(tables)  # run = [{...}, {...}]
    description = _description(path, document, lines.top)
    top = {key: value for key, value in document.items() if key not in (ARRAY, DESCRIPTION)}
    shared, shared_lines = options_in(path, top, lines.top)
    sweeps = [
        _sweep(path, table, place, number, shared, shared_lines)
        for number, (table, place) in enumerate(zip(tables, places, strict=True), 1)
    ]
    _check_names(path, sweeps)
    if not (tables or shared):
        fail(path, 1, 'it holds no option of `bench run`: write some, as in methods = ["ddim", "flow"]')
    whole = SuiteSweep("", shared, shared_lines, 1)
    return Suite(path, hashlib.sha256(content).hexdigest(), description, sweeps or [whole])


def _find(given: str) -> Path:
    if given.endswith(SUFFIX):
        return Path(given)
    if given in shipped_suites():
        return SHIPPED / f"{given}{SUFFIX}"
    raise InputError(
        f"No suite is named {given[:LONGEST]!r}. {nearest(given, shipped_suites())} A suite of your own is a .toml "
        "file; methods are named by --methods."
    )


def _content(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{str(path)!r} is not a file: give the .toml file of a suite.")
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path}:1: it is no suite, since it has more than {LARGEST >> 10} kB.")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"The suite {str(path)!r} cannot be read ({reason}).") from error


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise error_at(path, line, "it is not UTF-8 text: save it as such.") from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise error_at(path, 1, "its values are nested too deeply.") from error
    except ValueError as error:  # also for a number of too many digits
        reason, _, place = str(error).partition(" (at ")
        found = re.match(r"line (\d+), column (\d+)", place)
        line = int(found[1]) if found else text.rstrip().count("\n") + 1
        where = f" in column {found[2]}" if found else ""
        raise error_at(path, line, f"it is no valid TOML{where}: {reason[:1].lower()}{reason[1:]}.") from error


def _tables(path: Path, document: Mapping[str, Any], top: TableLines) -> list[dict[str, Any]]:
    """The [[run]] tables; none for a suite that is one sweep."""
    if ARRAY not in document:
        return []
    tables = document[ARRAY]
    if not (isinstance(tables, list) and tables and all(isinstance(table, dict) for table in tables)):
        fail(path, top.keys.get(ARRAY, 1), f"{ARRAY} is an array of tables: write [[{ARRAY}]] above each sweep.")
    return tables


def _description(path: Path, document: Mapping[str, Any], top: TableLines) -> str:
    text = document.get(DESCRIPTION, "")
    if not isinstance(text, str):
        fail(path, top.keys.get(DESCRIPTION, 1), f"{DESCRIPTION} takes text, not {shown(text)}.")
    return " ".join(text.split())


def _sweep(
    path: Path,
    table: Mapping[str, Any],
    place: TableLines,
    number: int,
    shared: Mapping[str, Any],
    shared_lines: Mapping[str, int],
) -> SuiteSweep:
    """A [[run]] table: its values, and those of the top that it does not override."""
    name = table.get(NAME, f"{ARRAY}-{number}")
    own, lines = options_in(path, {key: value for key, value in table.items() if key != NAME}, place)
    if not (isinstance(name, str) and FOLDER.fullmatch(name)) or name == REPORT:
        fail(
            path,
            place.keys.get(NAME, place.line),
            f"{NAME} takes the name of a folder for the sweep, not {shown(name)}.",
        )
    if "output" in own:
        fail(path, lines["output"], "output is that of the whole suite: move it above the first [[run]].")
    return SuiteSweep(name, {**shared, **own}, {**shared_lines, **lines}, place.line)


def _check_names(path: Path, sweeps: Sequence[SuiteSweep]) -> None:
    names = [sweep.name for sweep in sweeps]
    for number, sweep in enumerate(sweeps):
        if sweep.name in names[:number]:
            fail(path, sweep.line, f"two sweeps have the name {sweep.name!r}: give each one of its own.")
