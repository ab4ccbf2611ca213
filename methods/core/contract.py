"""What every sampling run demands of its method, so that a defective one fails instead of being measured."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

EXCESS = 10  # a run is stopped at this many times the announced evaluations
FAULTS = (Exception, SystemExit, GeneratorExit)  # what a plug-in may raise; Ctrl-C is the user's
UNANNOUNCED = 20_000  # evaluations per image, and states, of a run that announces none


class ContractError(RuntimeError):
    """A method does not keep the contract of `Method.steps`. The message names it and says what it did."""


@dataclass(frozen=True)
class Limit:
    """What a method may ask of the network in one run.

    method: its name. shape: of an image (C, H, W). evaluations: of single images, in all.
    """

    method: str
    shape: tuple[int, ...]
    evaluations: float

    def check(self, x: Tensor, spent: int) -> None:
        """Raise ContractError if x (B, C, H, W) has another shape, or if too many evaluations were spent."""
        if tuple(x.shape[1:]) != self.shape:
            raise ContractError(f"{self.method} evaluates the network on shape {tuple(x.shape)}, not {self.shape}")
        if spent > self.evaluations:
            raise ContractError(f"{self.method} was stopped: more than {self.evaluations:.0f} evaluations in one run")


def checked_states(method: object, made: Any, x: Tensor, times: Tensor, steps: int | None) -> Iterator[Tensor]:
    """The states that `Method.steps` yields, each checked.

    method: printed as its name. made: what `steps` returned. x, times: what it was given.
    steps: None for an adaptive method.
    Raises ContractError unless it yields a state (B, C, H, W) per step in the dtype of x and leaves x and times alone.
    """
    if not isinstance(made, Iterator):
        raise ContractError(f"{method}.steps returned a {type(made).__name__}; it must yield the state after each step")
    before = _versions(x, times)
    most, count, shape, dtype = steps or UNANNOUNCED, 0, x.shape, x.dtype
    for count, state in enumerate(made, start=1):
        if count > most:
            raise ContractError(f"{method} yields more than {most} states in {_in_steps(steps)}")
        if not isinstance(state, Tensor) or state.shape != shape or state.dtype != dtype:
            raise ContractError(f"{method} {_fault(state, x)}")
        yield state
    if count < (steps or 1):
        raise ContractError(f"{method} yields {count} of {steps or 1} states in {_in_steps(steps)}")
    if _versions(x, times) != before:
        raise ContractError(f"{method} changes its initial state or its times in place; it must make new tensors")


def _in_steps(steps: int | None) -> str:
    return "an adaptive run" if steps is None else f"{steps} step{'s' * (steps != 1)}"


def _fault(state: Any, x: Tensor) -> str:
    """What is wrong with a state that is not like x."""
    if not isinstance(state, Tensor):
        return f"yields a {type(state).__name__} instead of a tensor"
    if state.shape != x.shape:
        return f"yields a state of shape {tuple(state.shape)} instead of {tuple(x.shape)}"
    return f"turns the dtype {x.dtype} into {state.dtype}"


def _versions(*tensors: Tensor) -> list[int | None]:
    """How often each tensor has been changed in place; None in inference mode, which does not count that."""
    return [None if tensor.is_inference() else tensor._version for tensor in tensors]
