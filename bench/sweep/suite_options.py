"""The options in a table of a suite, checked for their names and types. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from samplerbench.errors import InputError, nearest
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.toml_lines import TableLines

LONGEST = 400  # characters of a message, which may quote what is wrong
LIMIT = 2**63  # of whole numbers, as TOML has it
KINDS: dict[type, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def error_at(path: Path, line: int, message: str) -> InputError:
    """An error at a line of a suite: one sentence of limited length."""
    message = " ".join(message.split())
    return InputError(f"{path}:{line}: {message if len(message) <= LONGEST else f'{message[:LONGEST]} ...'}")


def fail(path: Path, line: int, message: str) -> NoReturn:
    """Raise `error_at`."""
    raise error_at(path, line, message)


def options_in(path: Path, table: Mapping[str, Any], place: TableLines) -> tuple[dict[str, Any], dict[str, int]]:
    """The options in a table, and the lines of their keys. Raises InputError for unknown names and wrong types."""
    options: dict[str, Any] = {}
    lines: dict[str, int] = {}
    names = [field.name for field in fields(Sweep)]
    for key, value in table.items():
        line, name = place.keys.get(key, place.line or 1), key.replace("-", "_")
        if name not in names:
            fail(path, line, f"no option is named {key[:LONGEST]!r}. {nearest(name[:LONGEST], names)}")
        if name in options:
            fail(path, line, f"{name} is given twice: leave one of them out.")
        _check_type(path, line, name, value)
        options[name], lines[name] = value, line
    return options, lines


def _check_type(path: Path, line: int, name: str, value: Any) -> None:
    kinds, several = _kinds()[name]
    items = value if several and isinstance(value, list) else [value]
    wrong = [item for item in items if not _fits(item, kinds)]
    if not wrong:
        return
    expected = " or ".join(text for kind, text in KINDS.items() if kind in kinds)
    fail(path, line, f"{name} takes {expected}{', or a list of these' * several}, not {shown(wrong[0])}.")


def _fits(value: Any, kinds: set[type]) -> bool:
    if type(value) is int:
        return bool(kinds & {int, float}) and abs(value) < LIMIT
    return type(value) in kinds


@cache
def _kinds() -> dict[str, tuple[set[type], bool]]:
    """The types of every option's values, and whether it takes a list of them."""
    hints = get_type_hints(Sweep)
    return {name: (_scalars(hint) & {*KINDS}, _takes_lists(hint)) for name, hint in hints.items()}


def _scalars(hint: Any) -> set[type]:
    if get_origin(hint) is Literal:
        return {type(value) for value in get_args(hint)}
    if get_args(hint):
        return set().union(*map(_scalars, get_args(hint)))
    return {hint}


def _takes_lists(hint: Any) -> bool:
    return any(get_origin(part) is get_origin(Sequence[str]) for part in (hint, *get_args(hint)))


def shown(value: Any) -> str:
    """A value for a message."""
    if isinstance(value, dict | list):
        return f"a {'table' if isinstance(value, dict) else 'list'}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= LIMIT:
        return "a number of more than 64 bits"
    text = repr(value) if isinstance(value, str | int | float) else str(value)
    return text if len(text) <= 80 else f"{text[:80]} ..."
