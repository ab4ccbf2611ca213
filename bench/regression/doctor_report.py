"""The report of `bench doctor`: this machine, its noise, and how sensitive the gate is on it."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from samplerbench.networks.devices import measuring_device
from samplerbench.regression.doctor import DATASET, METHOD, STEPS
from samplerbench.regression.noise_level import NoiseLevel
from samplerbench.regression.rule import RULES
from samplerbench.store.provenance import environment, fingerprint

OPENMP = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")  # the package sets the last one, unless a user has


def report(levels: Sequence[NoiseLevel], device: str) -> str:
    """The environment, the noise levels and the advice, as text."""
    return "\n\n".join(map("\n".join, (_environment(device), _table(levels), _advice(levels))))


def _environment(device: str) -> list[str]:
    facts = environment(measuring_device(device))
    return [
        f"device       {facts['device']}",
        f"cores        {facts['cores']}; load {_load()}",
        f"threads      {threads()}",
        f"platform     {facts['platform']}, Python {facts['python']}",
        f"versions     {', '.join(f'{name} {number}' for name, number in facts['packages'].items())}",
        *([f"backends     {backends(facts['cuda'])}"] if "cuda" in facts else []),
        f"environment  {fingerprint(facts)} (seconds compare only where this is equal)",
    ]


def threads() -> str:
    """Torch's threads and OpenMP's settings: threads that spin while they wait are slowed down by other programs."""
    settings = [f"{name}={os.environ[name]}" for name in OPENMP if name in os.environ]
    return f"{torch.get_num_threads()}; {', '.join(settings)}"


def backends(settings: Mapping[str, object]) -> str:
    """How the GPU computes float32, which `--dtype tf32` and `--cudnn-benchmark` change."""
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _table(levels: Sequence[NoiseLevel]) -> list[str]:
    runs = len(levels[0].values)
    return [
        f"A/A: {METHOD} at {STEPS} steps on {DATASET}, {runs} runs of the same code",
        "",
        f"{'field':<16}{'mean':>9}{'spread':>9}{'worst step':>12}{'smallest detectable slowdown':>31}",
        *(
            f"{each.field:<16}{np.mean(each.values):>9.4g}{each.spread:>9.1%}{each.worst:>12.1%}{each.detectable:>31.1%}"
            for each in levels
        ),
    ]


def _advice(levels: Sequence[NoiseLevel]) -> list[str]:
    """What the noise means for the default rules."""
    margins = {rule.field: rule.relative for rule in RULES}
    return [
        f"The gate allows {each.field} to rise by {margins[each.field]:.0%}. On this machine it fires from about "
        f"{margins[each.field] + each.detectable:.0%}"
        + ("." if each.detectable < margins[each.field] else ", too late to be useful: close other programs.")
        for each in levels
        if each.field in margins
    ]


def _load() -> str:
    """The load average of the last minute, if the system records it."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
