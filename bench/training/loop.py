"""The training loop: EMA weights, and a state from which training resumes exactly."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import cos, pi
from typing import Protocol

import torch
from torch import Tensor, nn

from samplerbench.data.dataset import to_float
from samplerbench.models import EMA, CheckpointFacts
from samplerbench.networks.counted import CountedNetwork
from samplerbench.networks.training_cost import NOTHING, TrainingCost
from samplerbench.training.modules import TrainedModules
from samplerbench.training.options import TrainOptions
from samplerbench.training.share import WHOLE, Share

WARMUP = 200  # iterations over which the learning rate rises
FUSED = ("cpu", "cuda")  # devices on which AdamW is one kernel
# Called with the fraction of the training done and the tensors of a batch; returns the loss of each image (B,).
Loss = Callable[..., Tensor]


def iteration_seed(seed: int, iteration: int) -> int:
    """The generator seed of an iteration, from 1 on; 0 is the initialisation of the weights.

    torch's CPU generator ignores all but 32 bits: 24 for the iteration leave 256 seeds. Images are sampled from another
    kind of generator (`sampling.noise`), and so never from noise that the network was trained on.
    """
    return (seed << 24) + iteration


@dataclass(frozen=True)
class Settings:
    """How long and how a network is trained.

    label_drop: the fraction of labels replaced by the null class.
    dtype: of the arithmetic, `float32` or `bfloat16`; weights and averages are float32. compile: whether the networks,
        also the teacher's, run through torch.compile.
    """

    iterations: int = TrainOptions.iterations
    batch_size: int = TrainOptions.batch_size
    learning_rate: float = TrainOptions.learning_rate
    ema_decay: float = TrainOptions.ema_decay
    label_drop: float = 0.1
    seed: int = TrainOptions.seed
    dtype: str = TrainOptions.dtype
    compile: bool = TrainOptions.compile

    def rate(self, iteration: int) -> float:
        """The learning rate: a linear rise, then half a cosine to zero."""
        rise = min(1.0, (iteration + 1) / WARMUP)
        return self.learning_rate * rise * (1 + cos(pi * iteration / self.iterations)) / 2


class Batches(Protocol):
    """Training data: `len` examples; indices (B,) select a batch, a tuple of tensors."""

    def __len__(self) -> int: ...

    def __getitem__(self, chosen: Tensor) -> tuple[Tensor, ...]: ...


@dataclass(frozen=True)
class LabelledImages:
    """Images (N, C, H, W) with labels (N,): uint8, of which a batch is floats in [-1, 1], or floats as they are."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        chosen = chosen.to(self.images.device)
        return self.floats(self.images[chosen]), self.labels[chosen]

    @staticmethod
    def floats(images: Tensor) -> Tensor:
        """Some of the images, as a network is given them."""
        return images if images.is_floating_point() else to_float(images)


@dataclass(frozen=True)
class Task:
    """What is trained, with what loss, on what data.

    facts: what the checkpoint records of it, apart from the settings.
    teacher: counts the evaluations of the teacher, which are part of the cost; None without one.
    before: the cost of earlier stages.
    finish: what else the checkpoint records, measured with the averaged weights.
    share: of each batch that this process trains on.
    """

    modules: TrainedModules
    loss: Loss
    data: Batches
    facts: CheckpointFacts
    teacher: CountedNetwork | None = None
    before: TrainingCost = NOTHING
    finish: Callable[[Mapping[str, Tensor]], Mapping[str, str]] | None = None
    share: Share = WHOLE

    def compile(self) -> None:
        """Compile the networks, in place, so that their weights keep their names."""
        for net in (*self.modules.networks, *([self.teacher.net] if self.teacher else [])):
            net.compile()


class Trainer:
    """Modules in training, whose whole state is a flat dictionary of tensors.

    Each iteration has its own seed, so a resumed training equals the uninterrupted one exactly.
    seconds: wall time spent in iterations, including those before an interruption.
    between_iterations: whether `state` is that after a whole number of iterations, from which training resumes exactly.
    """

    def __init__(self, task: Task, settings: Settings):
        self.task, self.settings = task, settings
        self.ema = EMA(task.modules, settings.ema_decay)
        self.parameters = list(task.modules.parameters())
        self.device = self.parameters[0].device
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=settings.learning_rate, weight_decay=0.0, fused=self.device.type in FUSED
        )
        self.iteration, self.seconds, self.between_iterations = 0, 0.0, True
        if settings.compile:
            task.compile()

    def run(self) -> Iterator[Tensor]:
        """Train up to `settings.iterations`, yielding the mean loss of each iteration, a scalar on the device."""
        self.task.modules.train()
        while self.iteration < self.settings.iterations:
            start = time.perf_counter()
            loss = self._step()
            self.iteration += 1
            self.between_iterations = True
            self.seconds += time.perf_counter() - start
            yield loss

    def _step(self) -> Tensor:
        task, settings = self.task, self.settings
        torch.manual_seed(iteration_seed(settings.seed, self.iteration + 1))
        batch = task.data[task.share.of(torch.randint(len(task.data), (settings.batch_size,)))]
        with self._autocast():
            loss = task.loss(self.iteration / settings.iterations, *batch).mean()

        self.optimizer.zero_grad()
        loss.backward()
        loss = task.share.average(loss.detach(), self.parameters)
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.rate(self.iteration)
        self.between_iterations = False
        self.optimizer.step()
        self.ema.update()
        return loss

    def _autocast(self) -> torch.autocast:
        # A weight that is cast first without gradient, as for targets, would be cached and get no gradient later.
        enabled = self.settings.dtype == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled, cache_enabled=False)

    @property
    def cost(self) -> TrainingCost:
        """The cost so far, including that of earlier stages."""
        return self.task.before + TrainingCost("", self.iteration, round(self.seconds, 1), self._teacher_nfe)

    @property
    def _teacher_nfe(self) -> int:
        return self.task.teacher.evaluations * self.task.share.processes if self.task.teacher else 0

    def state(self) -> dict[str, Tensor]:
        """Everything that the next iteration depends on, and the cost so far."""
        state = {f"net/{key}": value for key, value in self.task.modules.state_dict().items()}
        state |= {f"ema/{key}": value for key, value in self.ema.weights.items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            state |= {f"adam/{index}/{slot}": value for slot, value in slots.items()}
        spent = {
            "seconds": torch.tensor(self.seconds, dtype=torch.float64),
            "teacher": torch.tensor(self._teacher_nfe),
        }
        return state | {"iteration": torch.tensor(self.iteration)} | spent

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from a `state`. Raises KeyError or RuntimeError if it is that of other modules."""
        self.task.modules.load_state_dict({key[4:]: value for key, value in state.items() if key.startswith("net/")})
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
        if self.task.teacher:
            self.task.teacher.evaluations = int(state["teacher"]) // self.task.share.processes
