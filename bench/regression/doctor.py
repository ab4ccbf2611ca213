"""What this machine can tell: its environment, the noise between equal runs, the smallest slowdown it would show."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import t as student

from samplerbench.data.datasets import DATASETS
from samplerbench.methods import METHODS
from samplerbench.networks.backbone import Backbone, load_backbone, pick_device
from samplerbench.regression.compare import CONFIDENCE, RULES
from samplerbench.sampling.measure import Cell, Gauge, measure
from samplerbench.sampling.timing import trimmed
from samplerbench.store.provenance import environment, fingerprint
from samplerbench.sweep.plan import Job

METHOD, STEPS = "ddim", 10  # on the digits
POWER = 0.8  # how often a slowdown of the size that is named would be caught
FIELDS = {"overhead_ratio": "overhead", "inner_ratio": "inner", "latency_s": "latency"}


@dataclass(frozen=True)
class Noise:
    """How one figure differs between runs of the same code.

    spread: standard deviation over the runs, relative to their mean. worst: the largest step from one run to the next.
    detectable: the relative slowdown that the 99 % bound tells from noise in 80 of 100 comparisons of two such runs.
    """

    field: str
    values: tuple[float, ...]
    spread: float
    worst: float
    detectable: float


def examine(device: str, runs: int, batch_size: int) -> list[Noise]:
    """Time the same cell again and again, as `bench run` does, and compare the runs. Raises InputError."""
    backbone = load_backbone(
        METHODS.get(METHOD).recipe, DATASETS.get("digits"), None, pick_device(device), torch.float32, False
    )
    cells = [_time(backbone, batch_size) for _ in range(runs)]
    return [noise(field, [[getattr(each, name) for each in cell.rounds] for cell in cells])
            for field, name in FIELDS.items()]  # fmt: skip


def noise(field: str, runs: Sequence[Sequence[float]]) -> Noise:
    """The A/A noise of a figure from its samples in each run."""
    values = np.array([trimmed(np.array(samples))[0] for samples in runs])
    spread = values.std(ddof=1) / values.mean()
    freedom = len(values) - 1
    reach = (student.ppf(CONFIDENCE, freedom) + student.ppf(POWER, freedom)) * spread * 2**0.5
    worst = np.abs(np.diff(values)).max() / values.mean()
    return Noise(field, tuple(values), float(spread), float(worst), float(reach))


def report(found: Sequence[Noise], device: str) -> str:
    """The environment and the noise, as text."""
    where = pick_device(device)
    facts = environment(where)
    lines = [
        f"device       {facts['device']}",
        f"cores        {facts['cores']}, of which torch uses {facts['threads']}; load {_load()}",
        f"platform     {facts['platform']}, Python {facts['python']}",
        f"versions     {', '.join(f'{name} {number}' for name, number in facts['packages'].items())}",
        f"environment  {fingerprint(facts)} (seconds compare only where this is equal)",
        "",
        f"A/A: {METHOD} at {STEPS} steps on the digits, {len(found[0].values)} runs of the same code",
        "",
        f"{'figure':<16}{'mean':>9}{'spread':>9}{'worst step':>12}{'smallest slowdown to be told from noise':>42}",
    ]
    for each in found:
        lines.append(
            f"{each.field:<16}{np.mean(each.values):>9.4g}{each.spread:>9.1%}{each.worst:>12.1%}{each.detectable:>42.1%}"
        )
    return "\n".join([*lines, "", *_advice(found)])


def _advice(found: Sequence[Noise]) -> list[str]:
    """What the noise means for the gate's default rules."""
    margins = {rule.field: rule.relative for rule in RULES}
    return [
        f"The gate lets {each.field} rise by {margins[each.field]:.0%}: here it fires from about "
        f"{margins[each.field] + each.detectable:.0%} on"
        + ("." if each.detectable < margins[each.field] else "; too noisy to be of use, close other programs.")
        for each in found
        if each.field in margins
    ]


def _time(backbone: Backbone, batch_size: int) -> Cell:
    """One cell, timed without images being kept."""
    cell = Cell(batch_size)
    job = Job(METHODS.get(METHOD), METHODS.get(METHOD).recipe, "uniform", STEPS)
    for _ in measure(job, backbone, cell, batch_size, (), True, Gauge()):
        pass
    return cell


def _load() -> str:
    """The load average of the last minute, where the system tells it."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
