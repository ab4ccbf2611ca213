"""The variants of a plug-in that its option types imply."""

from collections.abc import Iterator
from dataclasses import fields, replace
from math import isfinite
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from samplerbench.methods import Between, Plugin, SpecError

P = TypeVar("P", bound=Plugin)
FEW = 10  # a whole number with at most this many values is a choice


class Variant(NamedTuple):
    """A plug-in with its options set.

    first: whether it is the one that was asked for; the slowest checks are run on that alone.
    extreme: whether an option lies at the end of a range. It must still run, but accuracy is not promised there.
    """

    plugin: Any
    first: bool = False
    extreme: bool = False


def variants(plugin: P) -> list[Variant]:
    """The plug-in itself, and what becomes of it when one option at a time takes another value.

    Every value of a Literal, a bool and a short range of whole numbers, and the ends of other ranges; but of a long
    range of whole numbers not the upper end, since it is usually a number of repetitions. Values that the plug-in
    refuses are left out. A range's end at 0 switches something off, which is no extreme.
    """
    found = {str(plugin): Variant(plugin, first=True)}
    hints = get_type_hints(type(plugin), include_extras=True)
    for field in fields(plugin):
        for value, extreme in _values(hints[field.name]):
            try:
                variant = replace(plugin, **{field.name: value})
            except SpecError:
                continue
            found.setdefault(str(variant), Variant(variant, extreme=extreme))
    return list(found.values())


def _values(hint: Any) -> Iterator[tuple[Any, bool]]:
    """Values of an option, each with whether it is extreme."""
    kind = _unwrapped(hint)
    if kind is bool:
        yield from ((False, False), (True, False))
    elif get_origin(kind) is Literal:
        yield from ((choice, False) for choice in get_args(kind))
    else:
        for low, high in (extra for extra in get_args(hint)[1:] if isinstance(extra, Between)):
            if kind is int and high - low < FEW:
                yield from ((value, False) for value in range(int(low), int(high) + 1))
            else:
                ends = (low,) if kind is int else (low, high)
                yield from ((kind(end), end != 0) for end in ends if isfinite(end))


def _unwrapped(hint: Any) -> Any:
    """The type of an option without its range and without None."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) is not Literal and NoneType in get_args(hint):
        hint = next(kind for kind in get_args(hint) if kind is not NoneType)
    return hint


def docstring(plugin: Plugin) -> str:
    """The docstring of its class; empty for the signature that `dataclass` writes in the place of a missing one."""
    text = type(plugin).__doc__ or ""
    return "" if text.startswith(f"{type(plugin).__name__}(") else text.strip()
