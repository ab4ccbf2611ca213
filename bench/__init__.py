"""samplerbench: speed and quality of few-step generative samplers, with counted evaluations and honest floors."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samplerbench.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import torch

    from samplerbench.methods import Method
    from samplerbench.store.place import Place
    from samplerbench.store.results import Results

    def report(*runs: str | Place, output: str | Place | None = None, mixed: bool = False) -> Place:
        """See `samplerbench.report`, the package, which is called."""

    Counts = Sequence[int | str] | str | int
else:
    from samplerbench import report

# OpenMP's threads spin at barriers: on a busy machine a forward pass then takes several times as long. Without spinning
# it does on an idle one (docs/speed.md). libgomp reads this when torch loads it; its own default is 300,000.
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = "10000"

__version__ = "0.2.0"
__all__ = ["InputError", "__version__", "load", "report", "run"]

# torch takes seconds to import, and pandas a part of one: only inside the functions that need them.


def run(
    methods: "Sequence[str | Method] | str | Method" = ("ddpm", "ddim", "pf_ode", "flow"),
    *,
    steps: "Counts | None" = None,
    nfe: "Counts | None" = None,
    data: str | None = None,
    dataset: str | None = None,
    reference: str | None = None,
    labels: str = "independent",
    model: "Sequence[str] | str | None" = None,
    recipe: str | None = None,
    condition: str | None = None,
    grid: "Sequence[str | Path] | str | Path | None" = None,
    guidance: "Sequence[str | float] | str | float | None" = None,
    samples: int | None = None,
    seeds: "Counts | None" = None,
    batch_size: int | str = 256,
    metrics: "Sequence[str] | str | None" = None,
    device: "str | torch.device" = "auto",
    dtype: "str | torch.dtype" = "float32",
    compile: bool = False,
    cuda_graph: bool = False,
    cudnn_benchmark: bool = False,
    output: "str | Path | None" = None,
    shard: str | None = None,
    workers: str | int = 1,
    engine: str = "local",
    address: str | None = None,
    cell_timeout: float | None = None,
    join: bool = False,
    save_images: bool = False,
    timing: bool = True,
    quality: bool = True,
    preset: str | None = None,
    weights: "str | Path | None" = None,
    data_root: "str | Path | None" = None,
    download: bool = False,
) -> "pd.DataFrame":
    """Run a sweep as `bench run` does, and return its results, one row a cell.

    The options are those of `bench run --help`; --no-timing is timing=False. Several values are a sequence, or text as
    on the command line: run("ddim,flow", steps=[10, 50], seeds="0-4"). The frame's `attrs["output"]` names the run
    directory. A failed cell is a row that says why. Raises InputError, SpecError or CheckpointError for wrong input.
    """
    return _run(**locals())


def _run(**options: Any) -> "pd.DataFrame":
    from samplerbench.report.write import write
    from samplerbench.sweep.options import Sweep
    from samplerbench.sweep.session import Session

    session = Session(Sweep(**options))
    try:
        for _ in session.execute():
            pass
    except InputError:  # the directory is in use or cannot be written
        raise
    except BaseException:
        write(session.store.folder)
        raise
    frame = session.store.frame()
    with session.reporting():
        write(session.store.folder)
    frame.attrs["output"] = str(session.store.folder)
    return frame


def load(run: "str | Place") -> "Results":
    """The results of a run directory, or of a report of several: `.rows` (a DataFrame), `.facts` and `.arrays(cell)`.

    Raises InputError if there are none.
    """
    from samplerbench.store.place import as_place
    from samplerbench.store.results import load

    return load(as_place(run))
