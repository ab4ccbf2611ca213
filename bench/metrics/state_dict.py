"""The weights of others' networks, read from their files without running code from them."""

import pickle
from pathlib import Path

import torch
from torch import Tensor

from samplerbench.errors import InputError

# What torch.load raises for damaged files.
DAMAGED = (OSError, EOFError, RuntimeError, AttributeError, ValueError, LookupError, pickle.UnpicklingError)


def read_state(path: Path, network: str, usual: str) -> dict[str, Tensor]:
    """The state dict in a file of torch.save. Raises InputError.

    network: whose weights they are, and usual: the name of their file, for the message.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if all(isinstance(tensor, Tensor) for tensor in state.values()):
            return state
        reason = "it does not map names to tensors"
    except DAMAGED as error:
        reason = str(error).split("\n", 1)[0].rstrip(". ")
    raise InputError(f"{str(path)!r} cannot be read as the weights of {network} ({reason}): use {usual}.")
