"""The processes of one training, which torchrun starts and which are joined here."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from datetime import timedelta

import torch
import torch.distributed as dist

from samplerbench.errors import InputError
from samplerbench.methods import SpecError
from samplerbench.models import CheckpointError
from samplerbench.training.share import WHOLE, Share

LONGEST_WAIT = timedelta(days=2)  # for rank 0, which downloads data and generates pairs alone
PATIENCE = 60.0  # seconds in which rank 0 reports an error that all processes meet


@contextmanager
def torchrun_share(device: str) -> Iterator[Share]:
    """The share of this process, if torchrun started it, for the length of a block in which the processes are joined.

    device: as `bench train --device` takes it. In the block, `cuda` is the GPU of this process. Only rank 0 prints.
    Raises InputError for several machines, or if there is no GPU for each process.
    """
    if not dist.is_torchelastic_launched():
        yield WHOLE
        return
    share = Share(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    try:
        with _joined(share, device), _quiet() if share.rank else nullcontext():
            yield share
    except (InputError, SpecError, CheckpointError):
        if share.rank:
            time.sleep(PATIENCE)  # rank 0 reports the same error and exits, whereupon torchrun ends this process
        raise


@contextmanager
def _joined(share: Share, device: str) -> Iterator[None]:
    if share.processes != int(os.environ["LOCAL_WORLD_SIZE"]):
        raise InputError("A training takes the GPUs of one machine: give torchrun --nnodes 1.")
    gpu = _own_gpu(share, device)
    dist.init_process_group("nccl" if gpu else "gloo", timeout=LONGEST_WAIT, device_id=gpu)
    try:
        yield
    finally:
        dist.destroy_process_group()


def _own_gpu(share: Share, device: str) -> torch.device | None:
    """The GPU of this process, from now on the current one; None for training on CPUs."""
    kind, _, index = device.partition(":")
    if kind == "cpu" or (kind == "auto" and not torch.cuda.is_available()):
        return None
    if kind not in ("auto", "cuda") or (index and share.processes > 1):
        raise InputError(f"--device {device} is one device for all processes: give cuda, one GPU each, or cpu.")
    if share.processes > torch.cuda.device_count():
        raise InputError(
            f"{share.processes} processes need as many GPUs, not {torch.cuda.device_count()}: start fewer, or give "
            "--device cpu."
        )
    own = torch.device("cuda", int(index or share.rank))
    torch.cuda.set_device(own)
    return own


@contextmanager
def _quiet() -> Iterator[None]:
    """Print nothing in a block. A traceback, which is printed after it, is still shown."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield
