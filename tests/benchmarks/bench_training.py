"""Images per second of the training loop, beside a plain loop that is written by hand for `flow` alone.

pytest tests/benchmarks/bench_training.py
"""

import time
from collections.abc import Iterator
from statistics import median

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from samplerbench.data.dataset import DATASETS
from samplerbench.methods import get_recipe
from samplerbench.models import PRESETS, UNet
from samplerbench.training.loop import Settings, Trainer
from samplerbench.training.tasks import Inputs, Lesson, recipe_task

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
BATCH, WARM, ROUNDS = 128, 5, 40
DIGITS = DATASETS.get("digits")


def ours() -> Iterator[Tensor]:
    """The loop of `bench train flow`, which yields the loss after each iteration."""
    inputs = Inputs(DIGITS, DIGITS.load(), None, DEVICE)
    task = recipe_task(get_recipe("flow"), inputs, Lesson(), label_drop=0.1)
    return Trainer(task, Settings(batch_size=BATCH)).run()


def plain() -> Iterator[Tensor]:
    """The same network, loss, optimiser and average."""
    data = DIGITS.load()
    images, labels = data.train.to(DEVICE), data.train_labels.to(DEVICE)
    layout = torch.channels_last if DEVICE.type == "cuda" else torch.contiguous_format
    net = UNet(PRESETS["digits"]).to(DEVICE, memory_format=layout).train()
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.999))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-5, weight_decay=0.0, fused=True)
    while True:
        chosen = torch.randint(len(images), (BATCH,), device=DEVICE)
        x0, label = images[chosen].float() / 127.5 - 1, labels[chosen]
        label = torch.where(torch.rand(BATCH, device=DEVICE) < 0.1, 10, label)
        t, eps = torch.rand(BATCH, device=DEVICE), torch.randn_like(x0)
        x = torch.lerp(x0, eps, t[:, None, None, None])
        loss = (net(x, t, label) - (eps - x0)).square().mean()

        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(net)
        yield loss.detach()


def step(loop: Iterator[Tensor]) -> float:
    """The seconds of an iteration, to the end of its work on the device."""
    start = time.perf_counter()
    next(loop).item()
    return time.perf_counter() - start


def test_ours_beside_a_plain_loop(benchmark, capsys):
    """Iterations alternate, so that both meet the same load of the machine."""
    loop, other, seconds = ours(), plain(), list[float]()
    benchmark.pedantic(step, (loop,), setup=lambda: seconds.append(step(other)), rounds=ROUNDS, warmup_rounds=WARM)
    rates = {"ours": BATCH / benchmark.stats["median"], "plain": BATCH / median(seconds[WARM:])}
    benchmark.extra_info |= rates
    with capsys.disabled():
        text = ", ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
        print(f"\nimages/s on {DEVICE}: {text}, ratio {rates['ours'] / rates['plain']:.3f}")
