"""Exponential moving average of a network's weights."""

import torch
from torch import Tensor, nn


class EMA:
    """avg <- d avg + (1 - d) weights, with d = min(decay, (1 + n) / (10 + n)) at update n.

    The ramp keeps the initial weights out of the average of a short training.
    weights: the averages, by their names in the state dict of `net`, whose tensors must stay the same objects.
    """

    def __init__(self, net: nn.Module, decay: float = 0.999):
        self.decay = decay
        self.updates = 0
        state = net.state_dict()
        self.weights: dict[str, Tensor] = {key: value.clone() for key, value in state.items()}
        self._pairs = list(self.weights.values()), list(state.values())  # averages and weights, collected once

    @torch.no_grad()
    def update(self) -> None:
        """Move the averages towards the network's current weights."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        torch._foreach_lerp_(*self._pairs, 1 - decay)
