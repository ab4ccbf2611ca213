"""Weights from a file into a module of one's own, without running code from the file."""

import pickle
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from samplerbench.errors import InputError

M = TypeVar("M", bound=nn.Module)


def load_weights(make: Callable[[], M], file: str | Path, key: str = "", prefix: str = "") -> M:
    """The module that `make` returns, in evaluation mode, with the weights of a file.

    file: .safetensors, or what `torch.save` wrote of a state dict, which is read with `weights_only=True`.
    key: where the file holds more than the weights, the path to them, as "ema_model" or "state.ema".
    prefix: removed from the names of the weights, as the "module." of DataParallel.
    The shapes are compared on the meta device before memory is taken. Raises InputError if anything does not fit.
    """
    path = Path(file).expanduser()
    weights = {name.removeprefix(prefix): value for name, value in read_weights(path, key).items()}
    with torch.device("meta"):
        expected = {name: value.shape for name, value in make().state_dict().items()}
    for name in (*expected, *weights):
        ours, theirs = expected.get(name), weights[name].shape if name in weights else None
        if ours != theirs:
            raise InputError(f"{path} does not fit the module: {name} is {_shown(theirs)}, not {_shown(ours)}.")
    module = make()
    module.load_state_dict(weights)
    return module.eval()


def read_weights(path: Path, key: str = "") -> dict[str, Tensor]:
    """The weights by name in a file, or at a path of keys in it. Raises InputError for anything else."""
    return weights_at(read_file(path), key, path)


def weights_at(found: Any, key: str, path: Path) -> dict[str, Tensor]:
    """The weights by name at a path of keys in the contents of a file. Raises InputError if they hold anything else."""
    return _tensors(_at(found, key, path), path)


def read_file(path: Path) -> Any:
    """What a file of safetensors or of torch.save holds, read without running code. Raises InputError."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} holds more than weights, and reading it could run code: save the state dict alone, or as "
            "safetensors."
        ) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError, TypeError, KeyError, IndexError,
            AttributeError, OverflowError, MemoryError, AssertionError, struct.error) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:150]
        raise InputError(f"{path} is damaged or not a file of weights: {type(error).__name__}: {reason}") from error


def _at(found: Any, key: str, path: Path) -> Any:
    """What lies at a path of keys in nested dictionaries."""
    for part in key.split(".") if key else ():
        if not isinstance(found, Mapping) or part not in found:
            names = ", ".join(map(str, list(found)[:5])) if isinstance(found, Mapping) else "nothing by name"
            raise InputError(f"{path} has no {part!r}: it holds {names}.")
        found = found[part]
    return found


def _tensors(found: Any, path: Path) -> dict[str, Tensor]:
    if not isinstance(found, Mapping):
        raise InputError(f"{path} holds {type(found).__name__}, not weights by name.")
    others = [str(name) for name, value in found.items() if not isinstance(value, Tensor) or not isinstance(name, str)]
    if others or not found:
        raise InputError(
            f"{path} holds {', '.join(others[:5]) or 'nothing'} beside or instead of weights: give the key of the "
            "state dict, as key='ema_model'."
        )
    return dict(found)


def _shown(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else "x".join(map(str, shape)) or "a single number"
