"""The training loop: EMA weights, and a state from which it goes on exactly."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import cos, pi
from typing import Protocol

import torch
from torch import Tensor, nn

from samplerbench.data.datasets import to_float
from samplerbench.models import EMA
from samplerbench.networks.training_cost import NOTHING, Cost
from samplerbench.training.teacher import Counted

Loss = Callable[..., Tensor]  # share of the training done, then what `Batches` gave -> the loss of each image (B,)
WARMUP = 200  # iterations over which the learning rate rises


@dataclass(frozen=True)
class Settings:
    """How long and how a network is trained. `label_drop`: share of labels replaced by the null class."""

    iterations: int = 5_000
    batch_size: int = 128
    learning_rate: float = 1e-3
    ema_decay: float = 0.999
    label_drop: float = 0.1
    seed: int = 0

    def rate(self, iteration: int) -> float:
        """The learning rate: a linear rise, then half a cosine to zero."""
        rise = min(1.0, (iteration + 1) / WARMUP)
        return self.learning_rate * rise * (1 + cos(pi * iteration / self.iterations)) / 2


class Batches(Protocol):
    """What is trained on: `len` examples, of which indices (B,) choose a batch of tensors."""

    def __len__(self) -> int: ...

    def __getitem__(self, chosen: Tensor) -> tuple[Tensor, ...]: ...


@dataclass(frozen=True)
class LabelledImages:
    """uint8 images (N, C, H, W) with labels (N,); a batch is floats in [-1, 1] and labels."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        chosen = chosen.to(self.images.device)
        return to_float(self.images[chosen]), self.labels[chosen]


class Trainer:
    """A network in training, whose whole state is a flat dictionary of tensors.

    Every iteration draws from a seed of its own, so a resumed run repeats the uninterrupted one exactly.
    teacher: whose evaluations are part of the cost, where there is one.
    before: what had been spent when it began.
    seconds: of wall time spent in iterations, those before an interruption included.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: Loss,
        data: Batches,
        settings: Settings,
        teacher: Counted | None = None,
        before: Cost = NOTHING,
    ):
        self.net, self.loss, self.data, self.settings = net, loss, data, settings
        self.teacher, self.before = teacher, before
        self.ema = EMA(net, settings.ema_decay)
        self.optimizer = torch.optim.AdamW(net.parameters(), lr=settings.learning_rate, weight_decay=0.0)
        self.iteration, self.seconds = 0, 0.0

    def run(self) -> Iterator[Tensor]:
        """Train up to `settings.iterations`, yielding each iteration's mean loss, a scalar on the device."""
        self.net.train()
        while self.iteration < self.settings.iterations:
            start = time.perf_counter()
            torch.manual_seed((self.settings.seed << 24) + self.iteration)
            batch = self.data[torch.randint(len(self.data), (self.settings.batch_size,))]
            loss = self.loss(self.iteration / self.settings.iterations, *batch).mean()

            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            for group in self.optimizer.param_groups:
                group["lr"] = self.settings.rate(self.iteration)
            self.optimizer.step()
            self.ema.update(self.net)

            self.iteration += 1
            self.seconds += time.perf_counter() - start
            yield loss.detach()

    @property
    def cost(self) -> Cost:
        """What has been spent so far."""
        return self.before + Cost("", self.iteration, round(self.seconds, 1), self._asked)

    @property
    def _asked(self) -> int:
        return self.teacher.evaluations if self.teacher else 0

    def state(self) -> dict[str, Tensor]:
        """Everything that the next iteration depends on, and what has been spent."""
        state = {f"net/{key}": value for key, value in self.net.state_dict().items()}
        state |= {f"ema/{key}": value for key, value in self.ema.weights.items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            state |= {f"adam/{index}/{slot}": value for slot, value in slots.items()}
        spent = {"seconds": torch.tensor(self.seconds, dtype=torch.float64), "teacher": torch.tensor(self._asked)}
        return state | {"iteration": torch.tensor(self.iteration)} | spent

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from what `state` returned."""
        self.net.load_state_dict({key[4:]: value for key, value in state.items() if key.startswith("net/")})
        for key, average in self.ema.weights.items():
            average.copy_(state[f"ema/{key}"])
        slots: dict[int, dict[str, Tensor]] = {}
        for key in (key for key in state if key.startswith("adam/")):
            _, index, slot = key.split("/")
            slots.setdefault(int(index), {})[slot] = state[key]
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": slots, "param_groups": groups})
        self.iteration = self.ema.updates = int(state["iteration"])
        self.seconds = float(state["seconds"])
        if self.teacher:
            self.teacher.evaluations = int(state["teacher"])
