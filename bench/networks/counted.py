"""The one place where network evaluations are counted, for sampling and for training alike."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from samplerbench.methods import Limit


class CountedNetwork:
    """A network that a Field calls: it runs in its own precision, and its evaluations are counted, never declared.

    evaluations: of single images, so far.
    """

    def __init__(
        self,
        net: nn.Module,
        dtype: torch.dtype | None = None,
        lap: Callable[[], AbstractContextManager] = nullcontext,
        limit: Limit | None = None,
    ):
        """dtype: of the network; None for that of its input. lap: a context around each call, such as a stopwatch's.

        limit: what is allowed; calls beyond it raise ContractError.
        """
        self.net, self.dtype, self.lap, self.limit = net, dtype, lap, limit
        self.evaluations = 0

    def __call__(self, x: Tensor, t: Tensor, *rest: Tensor | None) -> Tensor:
        return self.evaluate(self.net, x, t, *rest)

    def evaluate(self, net: nn.Module, x: Tensor, t: Tensor, *rest: Tensor | None) -> Tensor:
        """Call a network, this one or a weaker one that guides it, and count it."""
        self.evaluations += len(x)
        if self.limit:
            self.limit.check(x, self.evaluations)
        with self.lap():
            predicted = net(x.to(self.dtype or x.dtype), t, *rest)
        return predicted.to(x.dtype)
