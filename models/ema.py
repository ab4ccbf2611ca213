"""Exponential moving average of a network's weights."""

import torch
from torch import Tensor, nn


class EMA:
    """avg <- d avg + (1 - d) weights, with d = min(decay, (1 + n) / (10 + n)) at update n.

    The ramp keeps the initial weights out of the average of a short training.
    weights: the averages, by their names in the network's state dict.
    """

    def __init__(self, net: nn.Module, decay: float = 0.999):
        self.decay = decay
        self.updates = 0
        self.weights: dict[str, Tensor] = {key: value.detach().clone() for key, value in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Move the average towards the network's current weights."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        state = net.state_dict()
        torch._foreach_lerp_(list(self.weights.values()), [state[key] for key in self.weights], 1 - decay)
