"""Configurations that come from files: every value is checked before anything is built from it."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

C = TypeVar("C", bound="Config")
LONGEST = 16  # numbers in a list


class Range(NamedTuple):
    """The closed range of a number, as in `num_blocks: Annotated[int, Range(1, 32)]`."""

    low: float
    high: float


@dataclass(frozen=True)
class Config:
    """A base of frozen dataclasses whose fields are numbers, switches, `Literal` texts or tuples of numbers.

    Raises ValueError for a value of another type or outside its `Range`.
    """

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            check(name, getattr(self, name), hint)

    @classmethod
    def read(cls: type[C], values: Mapping[str, Any]) -> C:
        """The configuration of a JSON object. Raises ValueError, with the reason, for anything else."""
        if not isinstance(values, Mapping):
            raise ValueError(f"{shown(values)} is no configuration")
        known = {field.name: field for field in fields(cls)}
        for name in values:
            if name not in known:
                raise ValueError(f"{cls.__name__} has no option {shown(name)}")
        for name, field in known.items():
            if field.default is MISSING and name not in values:
                raise ValueError(f"{cls.__name__} lacks {name}")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})

    @property
    def values(self) -> dict[str, Any]:
        """What `read` takes."""
        return asdict(self)


def check(name: str, value: Any, hint: Any) -> None:
    """Raises ValueError unless the value fits the annotation."""
    kind, limits = _parts(hint)
    if get_origin(kind) is tuple:
        _check_list(name, value, get_args(kind)[0])
    elif get_origin(kind) is Literal:
        if not isinstance(value, str) or value not in get_args(kind):
            raise ValueError(f"{name} must be one of {', '.join(get_args(kind))}, not {shown(value)}")
    elif type(value) not in ((int, float) if kind is float else (kind,)):
        raise ValueError(f"{name} must be {kind.__name__}, not {shown(value)}")
    for limit in limits:
        if not limit.low <= value <= limit.high:
            raise ValueError(f"{name} must lie between {limit.low} and {limit.high}, not {shown(value)}")


def _parts(hint: Any) -> tuple[Any, list[Range]]:
    """The type of an annotation, and its ranges."""
    if get_origin(hint) is not Annotated:
        return hint, []
    kind, *extras = get_args(hint)
    return kind, [extra for extra in extras if isinstance(extra, Range)]


def _check_list(name: str, value: Any, hint: Any) -> None:
    if not isinstance(value, tuple) or len(value) > LONGEST:
        raise ValueError(f"{name} must be a list of at most {LONGEST} numbers, not {shown(value)}")
    for each in value:
        check(name, each, hint)


def shown(value: Any) -> str:
    """A value in a message: a long one cut off, and of a nested one its type alone, since it could have any size."""
    if isinstance(value, str):
        return repr(value[:60])
    if isinstance(value, int) and abs(value) > 10**50:
        return "a huge number"
    return repr(value) if value is None or isinstance(value, int | float) else type(value).__name__
