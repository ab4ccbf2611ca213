"""A sampling run under torch's profiler: its trace, and the operators that it spent its time in."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from samplerbench.methods import Sampler
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling.generate import generate
from samplerbench.sampling.noise import ImageNoise
from samplerbench.sampling.timing import synchronize


@dataclass(frozen=True)
class Operator:
    """The calls of an operator. seconds: without the operators that it calls; on a GPU, those of its kernels."""

    name: str
    seconds: float
    calls: int


@dataclass(frozen=True)
class Profile:
    """trace: as Chrome's JSON, gzipped. operators: by their seconds, the most first."""

    trace: bytes
    operators: list[Operator]


def profiled(sampler: Sampler, network: LoadedNetwork, batch_size: int) -> Profile:
    """Profile a sampling run of one batch, of the same noise as the first one of seed block 0."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler calls the absence of a GPU an error
    on_gpu = network.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as found:
        generate(sampler, network, ImageNoise(0, range(batch_size)))
        synchronize(network.device)
    # Kernels are events of their own, beside the operators that they belong to.
    events = [event for event in found.key_averages() if event.device_type == DeviceType.CPU]
    operators = [
        Operator(event.key, (event.self_device_time_total if on_gpu else event.self_cpu_time_total) / 1e6, event.count)
        for event in events
    ]
    return Profile(_trace(found), sorted(operators, key=lambda each: -each.seconds))


def _trace(found: profile) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json.gz")
        found.export_chrome_trace(str(path))
        return path.read_bytes()
