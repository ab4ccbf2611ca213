"""The share of every batch that a process trains on, for training on several devices, one process each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Share:
    """One of `processes` equal and consecutive parts of every batch, that of the process `rank`.

    Everything random is drawn for the whole batch in each process, from the same generator, so that training gives the
    weights that a single process would give, up to rounding.
    """

    rank: int = 0
    processes: int = 1

    def of(self, batch: Tensor) -> Tensor:
        """This share of a tensor (B, ...) of the whole batch; B must be a multiple of the number of processes."""
        return batch.chunk(self.processes)[self.rank]

    def drawn(self, draw: Callable[[Tensor], Tensor], share: Tensor) -> Tensor:
        """This share of what `draw`, as `torch.randn_like`, draws for the whole batch of which `share` is a part."""
        return draw(share) if self.processes == 1 else self.of(draw(torch.cat([share] * self.processes)))

    def average(self, loss: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Average the gradients over all processes, in place, and return the average of the loss, a scalar.

        One plain sum serves every recipe: DistributedDataParallel wraps one network, of which each pass forward is
        followed by one pass backward, whereas recipes train several networks, and evaluate them several times.
        """
        if self.processes == 1:
            return loss
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        total = torch.cat([loss.view(1), *(gradient.flatten() for gradient in gradients)])
        dist.all_reduce(total)
        mean, *means = (total / self.processes).split([1, *(gradient.numel() for gradient in gradients)])
        for gradient, averaged in zip(gradients, means, strict=True):
            gradient.copy_(averaged.view(gradient.shape))
        return mean[0]

    def wait(self) -> None:
        """Wait until all processes have come here."""
        if self.processes > 1:
            dist.barrier()

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """A block that rank 0 runs before the others, which find the files that it has made."""
        if self.rank:
            self.wait()
        try:
            yield
        except Exception:
            self._release()  # the others fail in the same way
            raise
        self._release()

    def _release(self) -> None:
        if self.rank == 0:
            self.wait()

    def share_dropout(self, modules: nn.Module) -> None:
        """Replace dropout in all parts of `modules`, so that it is drawn for the whole batch too."""
        if self.processes == 1:
            return
        for module in list(modules.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.Dropout):
                    setattr(module, name, SharedDropout(child.p, self).train(child.training))


WHOLE = Share()  # of a single process


class SharedDropout(nn.Dropout):
    """Dropout of a share of a batch: the mask is that share of the mask of the whole batch."""

    def __init__(self, p: float, share: Share):
        super().__init__(p)
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """x (B / processes, ...), with a fraction p of its numbers zeroed and the others scaled by 1 / (1 - p)."""
        if not (self.training and self.p):
            return x
        return x * self.share.drawn(partial(F.dropout, p=self.p), torch.ones_like(x))
