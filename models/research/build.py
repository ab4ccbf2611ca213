"""A network with the weights of a file, without taking memory for anything but them."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from samplerbench.models.kinds import IMPOSSIBLE, Uninitialised, check_shapes


def build(make: Callable[[], nn.Module], weights: Mapping[str, Tensor]) -> nn.Module:
    """The network that `make` returns, in evaluation mode, with these weights in place of its own.

    It is made on the meta device, so nothing is allocated, whatever size its configuration claims. Raises ValueError,
    with the reason, if it is impossible or the weights are others'.
    """
    try:
        with torch.device("meta"), Uninitialised():
            module = make()
    except IMPOSSIBLE as error:
        raise ValueError(f"its configuration is impossible ({str(error).partition(chr(10))[0][:150]})") from error
    expected = {name: value.shape for name, value in module.state_dict().items()}
    check_shapes(expected, {name: value.shape for name, value in weights.items()})
    for name, value in weights.items():
        if not value.is_floating_point() or value.layout != torch.strided:
            raise ValueError(f"{name} holds {value.dtype}, not plain floating-point numbers")
    module.load_state_dict(weights, assign=True)
    return module.eval().requires_grad_(False)
