"""The bare arithmetic of a sampling run: the fewest tensor operations that make the same image.

It is derived from a recorded run instead of written by hand, so that every plug-in has one. Whatever is affine in
states, predictions and noise is expanded as long as that saves operations; an affine combination of n tensors then
takes n operations, one less if a coefficient is 1. The result is a straight sequence of statements with Python floats
for coefficients, without loops, objects or checks: a loop written by hand is no faster.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from samplerbench.methods import Field, Sampler

Form = dict[int, float]  # an affine combination: coefficients by the number of the tensor
ONE = -1  # the number of the constant 1
SIGNS = {"add": (1, 1), "sub": (1, -1), "rsub": (-1, 1)}


class Call(NamedTuple):
    """What is not affine: another operation, an evaluation of the network, a draw of noise, the initial state.

    source: its Python expression, in which v0, v1, ... are tensors of the run. reads: their numbers.
    """

    source: str
    reads: tuple[int, ...] = ()


class Recording(TorchDispatchMode):
    """A sampling run as the forms and calls that made its tensors.

    ready: whether the network's time inputs are taken as they are, instead of being made by a call each.
    made: of each tensor, in order. names: what the expressions refer to besides. states: the numbers of those yielded.
    """

    def __init__(self, sampler: Sampler, field: Field, x: Tensor, ready: bool):
        super().__init__()
        self.ready = ready
        self.made: list[Form | Call] = []
        self.names: dict[str, Any] = {}
        self._tensors: list[Tensor] = []  # kept, so that no identity is used twice
        self._numbers: dict[int, int] = {}  # by identity
        self._net = field.net
        start = self._entered(x, Call("x"))
        with self:
            states = sampler.trajectory(replace(field, net=self._evaluate), start, self._draw)
            self.states = [self._numbers[id(state)] for state in states]

    def _entered(self, tensor: Tensor, made: Form | Call) -> Tensor:
        self._numbers[id(tensor)] = len(self.made)
        self._tensors.append(tensor)
        self.made.append(made)
        return tensor

    def _evaluate(self, x: Tensor, *inputs: Tensor | None) -> Tensor:
        with _disable_current_modes():
            output = self._net(x, *inputs).clone()  # the network may return x itself
        return self._entered(output, self._call("net", x, *inputs))

    def _draw(self, x: Tensor) -> Tensor:
        with _disable_current_modes():
            return self._entered(torch.randn_like(x), Call("noise(x)"))

    def _call(self, function: str, *args: Any, **kwargs: Any) -> Call:
        reads = [self._numbers[id(value)] for value in args if id(value) in self._numbers]
        written = [*map(self._written, args), *(f"{key}={self._written(value)}" for key, value in kwargs.items())]
        return Call(f"{function}({', '.join(written)})", tuple(reads))

    def _written(self, value: Any) -> str:
        """An argument in Python: the number of a tensor of the run, a new time input, or the name of another tensor."""
        if id(value) in self._numbers:
            return f"v{self._numbers[id(value)]}"
        if not isinstance(value, Tensor):
            return repr(value)
        if value.ndim == 1 and value.is_floating_point() and not self.ready:
            return f"full({tuple(value.shape)}, {value[0].item()!r}, dtype=dtype, device=device)"
        self.names[f"c{len(self.names)}"] = value
        return f"c{len(self.names) - 1}"

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result, kwargs = func(*args, **(kwargs or {})), kwargs or {}
        if isinstance(result, Tensor) and any(id(value) in self._numbers for value in args):
            form = self._form(func.overloadpacket.__name__, *args, **kwargs)
            self._entered(result, self._opaque(func, args, kwargs) if form is None else form)
        return result

    def _form(self, name: str, x: Any, other: Any = None, *rest: Any, alpha: float = 1.0, **_: Any) -> Form | None:
        """The result of an operation as a form; None if it is not affine."""
        if name == "alias":
            return {self._numbers[id(x)]: 1.0}
        a, b = self._argument(x), self._argument(other)
        if a is None or b is None or rest:
            return None
        if name in SIGNS:
            return total((a, SIGNS[name][0]), (b, SIGNS[name][1] * alpha))
        if name == "mul" and (a.keys() == {ONE} or b.keys() == {ONE}):
            return total((a, b[ONE])) if b.keys() == {ONE} else total((b, a[ONE]))
        return total((a, 1 / b[ONE])) if name == "div" and b.keys() == {ONE} else None

    def _argument(self, value: Any) -> Form | None:
        if id(value) in self._numbers:
            return {self._numbers[id(value)]: 1.0}
        return {ONE: float(value)} if isinstance(value, (int, float)) else None

    def _opaque(self, func: Any, args: tuple, kwargs: dict) -> Call:
        """An operation by its function in `torch`, which costs less than the operator behind it."""
        name = func.overloadpacket.__name__
        if name == "slice":
            x, dim, start, end = args
            return self._call("torch.narrow", x, dim, start, min(end, x.shape[dim]) - start)
        return self._call(f"torch.{name}", *args, **kwargs)


def total(*terms: tuple[Form, float]) -> Form:
    """sum_i c_i form_i."""
    found: Form = {}
    for form, factor in terms:
        for number, coefficient in form.items():
            found[number] = found.get(number, 0.0) + factor * coefficient
    return {number: coefficient for number, coefficient in found.items() if coefficient}


def operations(form: Form) -> int:
    """The tensor operations of an affine combination: one per term, except for the first with coefficient 1."""
    return max(len(form), 1) - (1.0 in form.values())


def fewest(recording: Recording) -> dict[int, Form | Call]:
    """What makes the tensors that must exist, in order, expanded as far as that saves operations."""
    calls = {number: made for number, made in enumerate(recording.made) if isinstance(made, Call)}
    forms = {number: made for number, made in enumerate(recording.made) if isinstance(made, dict)}
    read = {number for call in calls.values() for number in call.reads} | {*recording.states}
    for number, own in list(forms.items()):
        own = forms[number]
        users = {user: form for user, form in forms.items() if number in form}
        expanded = {user: total(({**form, number: 0.0}, 1), (own, form[number])) for user, form in users.items()}
        if number in read:
            forms |= {user: form for user, form in expanded.items() if operations(form) < operations(users[user])}
        elif sum(map(operations, expanded.values())) <= sum(map(operations, users.values())) + operations(own):
            forms |= expanded
            del forms[number]
    made: dict[int, Form | Call] = {**forms, **calls}
    return dict(sorted(made.items()))


def expression(form: Form) -> str:
    """An affine combination in Python."""
    constant = form.get(ONE)
    first, *rest = sorted(form.keys() - {ONE}, key=lambda number: form[number] != 1)
    written = f"v{first}" if form[first] == 1 else f"v{first} * {form[first]!r}"
    for number in rest:
        written = f"add({written}, v{number}, alpha={form[number]!r})"
    return f"{written} + {constant!r}" if constant else written


def bare_run(sampler: Sampler, field: Field, x: Tensor, ready: bool = False) -> Callable[..., Tensor]:
    """The bare run of a sampler: a function of (x, net, noise), with its source as its docstring.

    It holds for states in the shape, dtype and device of x (B, C, H, W).
    ready: whether the network's time inputs (B,) are made beforehand, instead of by one operation per evaluation.
    """
    recording = Recording(sampler, field, x, ready)
    made = fewest(recording)
    last = {read: number for number, how in made.items() for read in reads(how)}
    lines = ["def run(x, net, noise):"]
    for number, how in made.items():
        lines.append(f"    v{number} = {expression(how) if isinstance(how, dict) else how.source}")
        # Memory is given back as early as in a loop.
        lines += [f"    del v{done}" for done in reads(how) if last[done] == number]
    lines.append(f"    return v{recording.states[-1]}")
    names: dict[str, Any] = {"torch": torch, "add": torch.add, "full": torch.full, "dtype": x.dtype, "device": x.device}
    names |= recording.names
    exec("\n".join(lines), names)
    names["run"].__doc__ = "\n".join(lines)
    return names["run"]


def reads(how: Form | Call) -> set[int]:
    """The numbers of the tensors that something is made of."""
    return set(how.reads) if isinstance(how, Call) else how.keys() - {ONE}
