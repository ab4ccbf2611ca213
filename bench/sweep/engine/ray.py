"""A Ray cluster, or a Ray on this machine alone: one actor per GPU, or several that share the processors' cores."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from samplerbench.errors import InputError
from samplerbench.sweep.engine.base import ENGINES, Engine, Gone, Message, Pool, Setup
from samplerbench.sweep.engine.worker import Worker

ANSWERS_S = 5.0  # how long the machine at an address may take to accept a connection
HEALTHY_S = 30.0  # and Ray to say that it is one; `ray.init` would wait for minutes
POLL_S = 1.0  # between looks at Ctrl-C, for which `ray.wait` does not stop at once


@ENGINES.register("ray")
@dataclass(frozen=True)
class Ray(Engine):
    """Actors of a cluster; without an address, or RAY_ADDRESS, of a Ray that runs on this machine until the end."""

    address: str | None = None

    def in_process(self, device):
        if find_spec("ray") is None:
            raise InputError("--engine ray needs Ray: pip install 'samplerbench[ray]'.")
        if device.index is not None:
            raise InputError(f"--engine ray gives every worker a GPU of its own: write --device cuda, not {device}.")
        return False

    @contextmanager
    def open(self, setup, device):
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before it is imported
        import ray

        ours = not ray.is_initialized()
        if ours:
            with _same_sigterm():
                _connect(self.address or os.environ.get("RAY_ADDRESS"))
        try:
            pool = Actors(setup, device, self.workers)
            try:
                yield pool
            finally:
                for actor in pool.left:
                    ray.kill(actor.handle)
        finally:
            if ours:
                ray.shutdown()


@dataclass(eq=False)
class Actor:
    """A worker, and the message that is expected of it; None while it is idle."""

    handle: Any
    expected: Any


class Actors(Pool[Actor]):
    """Actors that load the networks once. Ray must not start them again: `dispatch` does."""

    def __init__(self, setup: Setup, device: torch.device, workers: int | None):
        """workers: None for one per GPU, or on processors per node. Raises InputError for more than there is room."""
        import ray

        self.setup, self.left = setup, set[Actor]()
        kind = "GPU" if device.type == "cuda" else "CPU"
        most = int(ray.cluster_resources().get(kind, 0))
        nodes = sum(node["Alive"] for node in ray.nodes())
        self.size = workers or (most if kind == "GPU" else nodes)
        if not 1 <= self.size <= most:
            raise InputError(f"--workers is at most {most} on this cluster, which has {most} {kind}s, not {self.size}.")
        # A processor's share is also its number of threads, which Ray passes on as OMP_NUM_THREADS.
        share = {"num_gpus": 1} if kind == "GPU" else {"num_cpus": most // self.size}
        self._actor = ray.remote(Worker).options(max_restarts=0, max_task_retries=0, **share)

    def start(self, slot):
        handle = self._actor.remote(self.setup)
        actor = Actor(handle, handle.ready.remote())
        self.left.add(actor)
        return actor

    def send(self, worker, unit):
        worker.expected = worker.handle.measure.remote(unit)

    def receive(self, workers: Collection[Actor], seconds: float | None) -> list[tuple[Actor, Message]]:
        import ray

        busy = {each.expected: each for each in workers if each.expected is not None}
        found, _ = ray.wait([*busy], num_returns=1, timeout=POLL_S if seconds is None else min(POLL_S, seconds))
        if found:
            found, _ = ray.wait([*busy], num_returns=len(busy), timeout=0)
        return [(busy[reference], self._message(busy[reference])) for reference in found]

    def kill(self, worker):
        import ray

        ray.kill(worker.handle)
        self.left.discard(worker)

    def _message(self, worker: Actor) -> Message:
        import ray

        expected, worker.expected = worker.expected, None
        try:
            return ray.get(expected)
        except ray.exceptions.RayError as error:
            self.kill(worker)
            return Gone(f"was lost ({type(error).__name__}: {str(error).strip().splitlines()[0]})")


@contextmanager
def _same_sigterm() -> Iterator[None]:
    """Keep the handler of SIGTERM, in whose place a Ray that starts here puts its own, which exits without a report."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _connect(address: str | None) -> None:
    """Join a cluster, or start Ray here. Raises InputError if there is none at the address."""
    import ray

    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        ray.init(address="local", **quiet)
        return
    if address != "auto":
        _check(address)
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise InputError(f"No Ray cluster at {address}: {' '.join(str(error).split())}") from error


def _check(address: str) -> None:
    """Raise InputError unless a Ray cluster answers."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and "/" not in host):
        raise InputError(
            f"--address takes HOST:PORT of a cluster's head, or auto on one of its nodes, not {address!r}."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWERS_S).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"Nothing answers at --address {address} ({error}): is the cluster's head running?") from error
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        subprocess.run(command, capture_output=True, timeout=HEALTHY_S, check=True)
    except subprocess.SubprocessError as error:
        raise InputError(
            f"What answers at --address {address} is no Ray cluster of this version: give the head's HOST:PORT."
        ) from error
