"""Pickles read as data: an interpreter of their opcodes that calls nothing but the functions it is given.

Python's own unpickler imports what a pickle names and calls it. Here a name is looked up in a dictionary, and whatever
is not in it ends the reading, so that no code from the file, or chosen by it, can run.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pickletools import genops
from typing import Any, BinaryIO

LONGEST = 2_000_000  # opcodes; the checkpoints to be read have some hundred thousand
NEWEST = 5  # protocol
# What our functions may raise for arguments that a damaged or hostile file gives them.
REFUSALS = (
    ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RuntimeError, MemoryError, AssertionError,
    struct.error,
)  # fmt: skip
Meanings = Mapping[str, Any]


class Unreadable(ValueError):
    """A pickle that is damaged, or that holds something else than data. The message is the reason."""


@dataclass(frozen=True)
class Name:
    """A global name in a pickle, as "torch.FloatStorage". Nothing is imported for it."""

    text: str


class Stateful:
    """A base of values that take the state which follows them in a pickle."""

    def set_state(self, state: Any) -> None:
        """Raises ValueError for an impossible state."""
        raise NotImplementedError


def read_pickle(stream: BinaryIO, meanings: Meanings, persistent: Callable[[Any], Any] | None = None) -> Any:
    """The value of the pickle that begins here; the stream is left behind it. Raises Unreadable.

    meanings: for each name that may appear, the function of ours that is called in its place, or None for a name that
        stands for itself. persistent: the function for persistent ids; None to refuse them.
    """
    machine = _Machine(meanings, persistent)
    try:
        for count, (opcode, argument, _) in enumerate(genops(stream)):
            if count > LONGEST:
                raise Unreadable(f"it has more than {LONGEST:,} opcodes")
            if opcode.name == "STOP":
                return machine.result()
            machine.execute(opcode.name, argument)
    except Unreadable:
        raise
    except REFUSALS as error:
        raise Unreadable(f"it is damaged ({type(error).__name__}: {' '.join(str(error).split())[:100]})") from error
    raise Unreadable("it has no end")


# Opcodes that push what follows them, and those that push a constant.
LITERALS = {
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
    "SHORT_BINBYTES", "BINBYTES", "BINBYTES8",
}  # fmt: skip
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
EMPTY: dict[str, type] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
KEYS = str | int | bytes | None  # of dictionaries and sets: the hash of a nested tuple could take for ever


@dataclass
class _Machine:
    meanings: Meanings
    persistent: Callable[[Any], Any] | None
    stack: list[Any] = field(default_factory=list)
    marks: list[list[Any]] = field(default_factory=list)  # the stacks below each mark
    memo: dict[int, Any] = field(default_factory=dict)

    def execute(self, name: str, argument: Any) -> None:
        """One opcode other than STOP. Raises Unreadable for one that data does not need."""
        if name in LITERALS:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in EMPTY:
            self.stack.append(EMPTY[name]())
        elif name in TUPLES:
            items = [self.pop() for _ in range(TUPLES[name])]
            self.stack.append(tuple(reversed(items)))
        elif name in OPERATIONS:
            OPERATIONS[name](self, argument)
        else:
            raise Unreadable(f"it has the opcode {name}, which no checkpoint of these families needs")

    def result(self) -> Any:
        """The only value that is left."""
        if len(self.stack) != 1 or self.marks:
            raise Unreadable("it is damaged (values are left at its end)")
        return self.stack[0]

    def pop(self) -> Any:
        if not self.stack:
            raise Unreadable("it is damaged (a value is missing)")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        """The last value, which has to be of this type."""
        if not self.stack or type(self.stack[-1]) is not kind:
            raise Unreadable(f"it is damaged (a {kind.__name__} is missing)")
        return self.stack[-1]

    def items(self) -> list[Any]:
        """The values since the last mark."""
        if not self.marks:
            raise Unreadable("it is damaged (a mark is missing)")
        found, self.stack = self.stack, self.marks.pop()
        return found

    def protocol(self, version: int) -> None:
        if version > NEWEST:
            raise Unreadable(f"it has the unknown protocol {version}")

    def mark(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def tuple(self, _: Any) -> None:
        found = self.items()
        self.stack.append(tuple(found))

    def append(self, _: Any) -> None:
        value = self.pop()
        self.top(list).append(value)

    def appends(self, _: Any) -> None:
        values = self.items()
        self.top(list).extend(values)

    def add_items(self, _: Any) -> None:
        values = self.items()
        self.top(set).update(_key(value) for value in values)

    def set_item(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self.top(dict)[_key(key)] = value

    def set_items(self, _: Any) -> None:
        values = self.items()
        pairs = zip(values[::2], values[1::2], strict=True)
        self.top(dict).update((_key(key), value) for key, value in pairs)

    def remember(self, index: int | None) -> None:
        value = self.pop()
        self.stack.append(value)
        self.memo[len(self.memo) if index is None else index] = value

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise Unreadable("it is damaged (it refers to a value that it lacks)")
        self.stack.append(self.memo[index])

    def name(self, text: str) -> None:
        self._push_name(text.replace(" ", ".", 1))

    def stacked_name(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise Unreadable("it is damaged (a name is no text)")
        self._push_name(f"{module}.{name}")

    def _push_name(self, text: str) -> None:
        if text not in self.meanings:
            raise Unreadable(f"it names {text[:80]!r}, which is not needed to read weights and could run code")
        self.stack.append(Name(text))

    def call(self, _: Any) -> None:
        arguments = self.pop()
        name = self.top(Name).text
        function = self.meanings[name]
        if function is None or type(arguments) is not tuple:
            raise Unreadable(f"it calls {name}, which is not called to read weights")
        self.stack[-1] = function(*arguments)

    def build(self, _: Any) -> None:
        state = self.pop()
        if not self.stack or not isinstance(self.stack[-1], Stateful):
            raise Unreadable("it sets the state of something that has none")
        self.stack[-1].set_state(state)

    def identify(self, _: Any) -> None:
        if self.persistent is None:
            raise Unreadable("it has a persistent id, which refers to data elsewhere")
        self.stack.append(self.persistent(self.pop()))


def _key(value: Any) -> Any:
    if not isinstance(value, KEYS):
        raise Unreadable(f"it has a {type(value).__name__} as a key")
    return value


OPERATIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _Machine.protocol, "FRAME": lambda machine, _: None, "MARK": _Machine.mark, "TUPLE": _Machine.tuple,
    "APPEND": _Machine.append, "APPENDS": _Machine.appends, "ADDITEMS": _Machine.add_items,
    "SETITEM": _Machine.set_item, "SETITEMS": _Machine.set_items, "MEMOIZE": _Machine.remember,
    "BINPUT": _Machine.remember, "LONG_BINPUT": _Machine.remember, "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall, "GLOBAL": _Machine.name, "STACK_GLOBAL": _Machine.stacked_name,
    "REDUCE": _Machine.call, "NEWOBJ": _Machine.call, "BUILD": _Machine.build, "BINPERSID": _Machine.identify,
}  # fmt: skip
