"""Plug-ins with options: they print as `name[key=value]` and parse back."""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields, is_dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

OURS = "samplerbench."  # the modules of our own plug-ins
NAME = re.compile(r"[a-z][a-z0-9_-]*")
SPEC = re.compile(r"\s*(?P<name>[^\[\]:]+?)\s*(\[(?P<options>[^\[\]]*)\])?\s*(:(?P<argument>.*?))?\s*", re.DOTALL)


class SpecError(ValueError):
    """An invalid name, option or value. The message is one sentence that says what to do."""


class Between(NamedTuple):
    """The closed range of an option, as in `eta: Annotated[float, Between(0, 1)] = 0.0`."""

    low: float
    high: float


class Plugin:
    """Base class of everything that is registered: a frozen dataclass whose fields are its options.

    name: set by registration.
    An option with metadata={"printed": True} is printed even if it has its default value. A field with
    metadata={"argument": "DIR"}, a string, is written after a colon instead, as in `folder[resolution=32]:DIR`; with
    the default None it may be left out.
    Raises SpecError for an option outside its `Between`.
    """

    name: str = ""
    # What the decorator sets on subclasses; the base itself has no fields.
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __dataclass_params__: ClassVar[Any]

    def __post_init__(self) -> None:
        for key, hint in get_type_hints(type(self), include_extras=True).items():
            for limit in (extra for extra in get_args(hint)[1:] if get_origin(hint) is Annotated):
                value = getattr(self, key)
                if value is not None and not limit.low <= value <= limit.high:
                    raise SpecError(f"{self.name}: {key} must lie between {limit.low} and {limit.high}, not {value}.")

    @property
    def options(self) -> str:
        """The options that differ from their defaults, as `key=value,key=value`."""
        values = [(f, getattr(self, f.name)) for f in fields(self) if "argument" not in f.metadata]
        changed = ((f.name, value) for f, value in values if value != f.default or f.metadata.get("printed"))
        return ",".join(f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in changed)

    def __str__(self) -> str:
        spec = f"{self.name}[{self.options}]" if self.options else self.name
        argument = argument_of(type(self))
        value = argument and getattr(self, argument.name)
        return spec if value is None else f"{spec}:{value}"


def argument_of(cls: type[Plugin]) -> Field[Any] | None:
    """The field that is written after a colon, as DIR in `folder:DIR`; None for a plug-in without one."""
    return next((field for field in fields(cls) if "argument" in field.metadata), None)


def needs_argument(cls: type[Plugin]) -> bool:
    """Whether its name alone is no spec, because a field after the colon has no default."""
    field = argument_of(cls)
    return field is not None and field.default is MISSING


T = TypeVar("T", bound=Plugin)


class Registry(Generic[T]):
    """The plug-ins of one kind, by name.

    kind: what messages call them.
    base: the class they derive from. (Its type is not type[T], which excludes abstract classes.)
    load: registers the plug-ins. It is called before every look-up, so repeated calls must be cheap.
    advice: a sentence after the message about an unknown name.
    """

    def __init__(self, kind: str, base: type, load: Callable[[], object] = lambda: None, advice: str = ""):
        self.kind, self.base, self.advice = kind, base, advice
        self._classes: dict[str, type[T]] = {}
        self._load = load

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator that registers the class under `name`.

        Raises ValueError if the name is malformed or taken, TypeError if the class is not a concrete, frozen dataclass
        of this kind.
        """

        def enter(cls: type[T]) -> type[T]:
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a valid {self.kind} name: use a-z, 0-9, _ and - after a letter.")
            if name in self._classes and not self._cedes(name, cls):
                article = "An" if self.kind[0] in "aeiou" else "A"
                raise ValueError(
                    f"{article} {self.kind} named {name!r} is already registered: {self._classes[name]!r}."
                )
            if not (isinstance(cls, type) and issubclass(cls, self.base)):
                raise TypeError(f"The {self.kind} {name!r} must be a subclass of {self.base.__name__}, not {cls!r}.")
            if not (is_dataclass(cls) and cls.__dataclass_params__.frozen):
                raise TypeError(f"The {self.kind} {name!r} must be a dataclass with frozen=True.")
            abstract = sorted(getattr(cls, "__abstractmethods__", ()))
            if abstract:
                raise TypeError(f"The {self.kind} {name!r} must define {', '.join(abstract)}.")
            cls.name = name
            self._classes[name] = cls
            return cls

        return enter

    def _cedes(self, name: str, cls: type) -> bool:
        """Whether another package's plug-in, imported before ours, has taken our name: then it is left out."""
        other = self._classes[name]
        if not cls.__module__.startswith(OURS) or other.__module__.startswith(OURS):
            return False
        warnings.warn(f"The {self.kind} {name!r} of {other.__module__} was left out: the name is taken.", stacklevel=3)
        return True

    def names(self) -> list[str]:
        """All registered names, sorted."""
        self._load()
        return sorted(self._classes)

    def complete(self) -> list[str]:
        """The names that are specs by themselves: those of plug-ins that need no argument, sorted."""
        return [name for name in self.names() if not needs_argument(self._classes[name])]

    @contextmanager
    def temporarily(self) -> Iterator[None]:
        """A context that undoes, on exit, the registrations made inside it."""
        self._load()
        before = dict(self._classes)
        try:
            yield
        finally:
            self._classes = before

    def lookup(self, name: str) -> type[T]:
        """The class registered as `name`. Raises SpecError, with the nearest name, if there is none."""
        names = self.names()
        if name not in names:
            raise SpecError(f"No {self.kind} is named {name[:100]!r}. {nearest(name, names)} {self.advice}".rstrip())
        return self._classes[name]

    def get(self, spec: str) -> T:
        """The plug-in described by a spec such as `ddim[eta=0.5]`. Raises SpecError if it is invalid."""
        match = SPEC.fullmatch(spec)
        if match is None:
            raise SpecError(f"{spec!r} is not of the form name or name[key=value,key=value].")
        cls = self.lookup(match["name"])
        options = _parse_options(cls, match["options"]) | _parse_argument(cls, spec, match["argument"])
        try:
            made = cls(**options)
            str(made)
            return made
        except SpecError:
            raise
        except Exception as error:
            raise SpecError(f"The {self.kind} {spec} cannot be made: {type(error).__name__}: {error}") from error


def nearest(name: str, names: Iterable[str]) -> str:
    """Advice for an unknown name: the closest match, or all names."""
    names = list(names)
    close = get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Choose from: {', '.join(names) or 'none'}."


def split_specs(text: str) -> list[str]:
    """Split a comma-separated list of specs at commas outside brackets."""
    return [spec.strip() for spec in re.split(r",(?![^\[]*\])", text) if spec.strip()]


def _parse_argument(cls: type[Plugin], spec: str, text: str | None) -> dict[str, str]:
    """The field after the colon. Raises SpecError if it is missing, or if the plug-in takes none."""
    field = argument_of(cls)
    if field is None:
        if text is not None:
            raise SpecError(f"{cls.name} takes nothing after a colon, as in {spec!r}: leave it out.")
        return {}
    if text is None and not needs_argument(cls):
        return {}
    if not text:
        raise SpecError(
            f"{cls.name} needs {field.metadata['argument']}: write {cls.name}:{field.metadata['argument']}."
        )
    return {field.name: text}


def _parse_options(cls: type[Plugin], text: str | None) -> dict[str, Any]:
    hints = get_type_hints(cls)
    known = [field.name for field in fields(cls) if "argument" not in field.metadata]
    options: dict[str, Any] = {}
    for item in (text or "").split(",") if text else ():
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            raise SpecError(f"{cls.name}: write options as key=value, not {item.strip()!r}.")
        if key not in known:
            advice = nearest(key, known) if known else "It has no options."
            raise SpecError(f"{cls.name} has no option {key!r}. {advice}")
        if key in options:
            raise SpecError(f"{cls.name}: the option {key!r} is given twice.")
        options[key] = _parse_value(f"{cls.name}: {key}", value, hints[key])
    return options


def _parse_value(what: str, text: str, hint: Any) -> Any:
    if get_origin(hint) is Literal:
        choices = {str(choice): choice for choice in get_args(hint)}
        if text not in choices:
            raise SpecError(f"{what} cannot be {text!r}. {nearest(text, choices)}")
        return choices[text]
    if get_origin(hint) in (Union, UnionType):
        inner = next(kind for kind in get_args(hint) if kind is not NoneType)
        return None if text == "none" else _parse_value(what, text, inner)
    if hint is bool:
        if text not in ("true", "false"):
            raise SpecError(f"{what} must be true or false, not {text!r}.")
        return text == "true"
    try:
        return hint(text)
    except ValueError:
        expected = {int: "a whole number", float: "a number"}.get(hint, hint.__name__)
        raise SpecError(f"{what} must be {expected}, not {text!r}.") from None
