"""Processes of this machine: one per GPU, or several that share the processor's cores."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess, parent_process

import torch

from samplerbench.errors import InputError
from samplerbench.sweep.engine.base import ENGINES, Engine, Gone, Message, Pool, Setup
from samplerbench.sweep.engine.worker import Worker
from samplerbench.sweep.unit import Unit

PATIENCE = 5.0  # seconds until a killed process has ended
VISIBLE, THREADS = "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"


@ENGINES.register("local")
@dataclass(frozen=True)
class Local(Engine):
    """Spawned processes, each of which sees one GPU, or has an equal share of the cores as threads."""

    def in_process(self, device):
        return self._count(device) == 1

    @contextmanager
    def open(self, setup, device):
        pool = Processes(setup, self._count(device), device)
        try:
            yield pool
        finally:
            pool.close()

    def _count(self, device: torch.device) -> int:
        """The number of workers. Raises InputError for more than there are devices or cores."""
        devices = _devices(device)
        count = self.workers or devices
        most = cores() if device.type == "cpu" else devices
        if count > most:
            what = f"core{'s' * (most > 1)}" if device.type == "cpu" else f"device{'s' * (most > 1)} for {device}"
            raise InputError(f"--workers is at most {most} here, which has {most} {what}, not {count}.")
        return count


@dataclass(frozen=True, eq=False)
class Process:
    """A worker: its process, and the end of the pipe to it."""

    process: BaseProcess
    pipe: Connection


class Processes(Pool[Process]):
    """Spawned processes with a pipe to each."""

    def __init__(self, setup: Setup, size: int, device: torch.device):
        self.setup, self.size, self.device = setup, size, device
        self.left: set[Process] = set()

    def start(self, slot):
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, self.setup))
        # Both are read when torch is loaded, and the process inherits the mask: Ctrl-C reaches its parent alone.
        with _environment(self._variables(slot)), _without_interrupts():
            process.start()
        theirs.close()
        worker = Process(process, ours)
        self.left.add(worker)
        return worker

    def send(self, worker, unit):
        with suppress(OSError):  # it has died, and `receive` says so
            worker.pipe.send(unit)

    def receive(self, workers: Collection[Process], seconds: float | None) -> list[tuple[Process, Message]]:
        ready = set(wait([end for each in workers for end in (each.pipe, each.process.sentinel)], seconds))
        return [(each, self._message(each)) for each in workers if each.pipe in ready or each.process.sentinel in ready]

    def kill(self, worker):
        worker.process.kill()
        worker.process.join(PATIENCE)
        worker.pipe.close()
        self.left.discard(worker)

    def close(self) -> None:
        """Kill all that are left."""
        for worker in self.left:
            worker.process.kill()
        for worker in list(self.left):
            self.kill(worker)

    def _message(self, worker: Process) -> Message:
        try:
            if worker.pipe.poll():
                return worker.pipe.recv()
        except (EOFError, OSError):
            pass
        worker.process.join(PATIENCE)
        code = worker.process.exitcode
        self.kill(worker)
        return Gone(f"was ended by {signal.Signals(-code).name}" if code and code < 0 else f"ended with code {code}")

    def _variables(self, slot: int) -> dict[str, str]:
        """What the environment of a worker has in addition."""
        if self.size == 1:
            return {}
        share = {} if THREADS in os.environ else {THREADS: str(max(1, cores() // self.size))}
        if self.device.type != "cuda":
            return share
        visible = os.environ.get(VISIBLE, "").split(",") if os.environ.get(VISIBLE) else []
        return share | {VISIBLE: visible[slot] if visible else str(slot)}


def serve(pipe: Connection, setup: Setup) -> None:
    """A worker process: measure the units that come through the pipe, until the parent ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker = Worker(setup)
    pipe.send(worker.ready())
    while True:
        try:
            unit: Unit = pipe.recv()
        except EOFError:
            return
        pipe.send(worker.measure(unit))


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _devices(device: torch.device) -> int:
    return torch.cuda.device_count() if device.type == "cuda" and device.index is None else 1


def _end_with_parent() -> None:
    """End this process as soon as the parent has ended, even by a kill."""
    parent = parent_process()
    assert parent is not None, "this is a worker"
    wait([parent.sentinel])
    os._exit(1)


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _without_interrupts() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
