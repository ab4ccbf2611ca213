"""Options of a command, made from the fields of a dataclass, so that each is declared once."""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from functools import wraps
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import click
from click.core import ParameterSource

Command = Callable[..., Any]


def options_of(cls: type) -> Callable[[Command], Command]:
    """Decorator that gives a command an argument or option for each field of `cls`, and passes it `options`, a `cls`.

    The metadata of a field: `help`, without which it is an argument; `metavar`; `min` and `max` of a number; `shown`,
    the default as the help shows it, for an option that is passed on only if it is given; `also`, a second name. A
    boolean that is True by default becomes --no-NAME.
    """

    def decorate(command: Command) -> Command:
        names = [field.name for field in fields(cls)]

        @wraps(command)
        def parsed(*args: Any, **values: Any) -> Any:
            given = {name: value for name in names if (value := values.pop(name)) is not None}
            return command(*args, options=cls(**given), **values)

        hints = get_type_hints(cls)
        decorated: Command = parsed
        for field in reversed(fields(cls)):
            decorated = _parameter(field, hints[field.name])(decorated)
        return decorated

    return decorate


def given_in(context: click.Context, cls: type) -> set[str]:
    """The fields of `cls` that the command line gives, of a command with `options_of(cls)`."""
    names = (field.name for field in fields(cls))
    return {name for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}


def _parameter(field: Field, hint: Any) -> Callable[[Command], Command]:
    facts, kind = field.metadata, _type(hint, field.metadata)
    if "help" not in facts:
        if field.default is MISSING:
            return click.argument(field.name, type=kind, metavar=facts.get("metavar"))
        return click.argument(field.name, type=kind, metavar=facts.get("metavar"), default=field.default)
    flag = "--" + field.name.replace("_", "-")
    flags = [flag, facts["also"]] if "also" in facts else [flag]
    if kind is bool:
        return _switch(flag, field)
    if "shown" in facts:
        text = f"{facts['help']}  [default: {facts['shown']}]"
        return click.option(*flags, field.name, type=kind, metavar=facts.get("metavar"), help=text)
    return click.option(
        *flags, field.name, type=kind, metavar=facts.get("metavar"), help=facts["help"], default=field.default,
        show_default=field.default is not None,
    )  # fmt: skip


def _switch(flag: str, field: Field) -> Callable[[Command], Command]:
    if field.default:
        flag = f"--no-{flag.removeprefix('--')}"
    return click.option(
        flag, field.name, is_flag=True, flag_value=not field.default, default=field.default, help=field.metadata["help"]
    )


def _type(hint: Any, facts: Any) -> Any:
    """The click type of an annotation: text for anything that text can express, as the Python function takes it too."""
    kinds = {kind for kind in get_args(hint) or (hint,) if kind is not NoneType}
    low, high = facts.get("min"), facts.get("max")
    bounded = low is not None or high is not None
    if kinds == {bool}:
        return bool
    if kinds == {int}:
        return click.IntRange(low, high) if bounded else int
    if kinds == {float}:
        return click.FloatRange(low, high) if bounded else float
    return click.Path(path_type=Path) if kinds == {Path} else str
