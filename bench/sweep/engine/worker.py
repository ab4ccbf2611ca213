"""What runs in a worker, whatever the engine: networks that are loaded once, and one unit after another."""

import os
import socket
import warnings
from dataclasses import replace

import torch
from torch import nn

from samplerbench.errors import InputError, WriteError
from samplerbench.methods import FAULTS, SpecError
from samplerbench.models import CheckpointError
from samplerbench.sampling.measure import Measurement
from samplerbench.store.place import as_place
from samplerbench.sweep.block import images_of, measure_blocks, timing_of
from samplerbench.sweep.cell_key import sweep_key
from samplerbench.sweep.engine.base import Ready, Refused, Setup
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.prepare import prepare
from samplerbench.sweep.row import failure_of
from samplerbench.sweep.unit import Result, Unit


class Worker:
    """The networks of a sweep, which measure its units."""

    def __init__(self, setup: Setup):
        """Load everything; what is wrong with that is said by `ready`."""
        self.setup, self.refused = setup, ""
        self.warm: set[nn.Module] = set()
        warnings.simplefilter("ignore")  # the process that started it has said them
        try:
            os.chdir(setup.cwd)
            self.prepared = replace(prepare(for_one_process(setup.sweep)), found_batch=setup.batch_size)
        except (InputError, SpecError, CheckpointError, OSError, RuntimeError) as error:
            self.refused = f"A worker on {socket.gethostname()} cannot start: {' '.join(str(error).split())}"
            return
        if sweep_key(self.prepared) != setup.cells:
            self.refused = (
                f"A worker on {socket.gethostname()} would measure other cells than this process: samplerbench, "
                "plug-ins, weights, data and the kind of device must be the same everywhere."
            )

    def ready(self) -> Ready | Refused:
        """Whether it can measure the sweep."""
        return Refused(self.refused) if self.refused else Ready()

    def measure(self, unit: Unit) -> Result | Refused:
        """The result of a unit; Refused if the run directory cannot be written."""
        job = self.prepared.jobs[unit.place]
        try:
            return self._measure(unit)
        except WriteError as error:
            return Refused(str(error))
        except FAULTS as error:  # a plug-in may raise anything
            if self.prepared.device.type == "cuda":
                torch.cuda.empty_cache()
            return failure_of(error, job)

    def _measure(self, unit: Unit) -> Result:
        prepared = self.prepared
        job, found = prepared.jobs[unit.place], Measurement(prepared.batch_size, warm=self.warm)
        found.scorer_mb = prepared.scorer.memory_mb
        if unit.block is not None:
            images = images_of(unit.cell, prepared, as_place(self.setup.run))
            (result,) = measure_blocks(job, prepared, [unit.block], found, False, images)
            return result
        if unit.nfe is not None:
            found.evaluations.append(unit.nfe)
        for _ in measure_blocks(job, prepared, [], found, True, None):
            pass
        return timing_of(found)


def for_one_process(sweep: Sweep) -> Sweep:
    """The options of a sweep as a process that starts no others takes them."""
    return replace(sweep, workers=1, engine="local", address=None, cell_timeout=None)
