"""The weights of published feature extractors, read from their files without running code from them."""

from pathlib import Path

from torch import Tensor

from samplerbench.errors import InputError
from samplerbench.networks.state_dict import read_weights


def read_state(path: Path, network: str, usual: str) -> dict[str, Tensor]:
    """The state dict in a file. Raises InputError.

    network: whose weights they are, and usual: the name of their file, for the message.
    """
    try:
        return read_weights(path)
    except InputError as error:
        raise InputError(
            f"{str(path)!r} cannot be read as the weights of {network} ({str(error).rstrip('.')}): use {usual}."
        ) from error
