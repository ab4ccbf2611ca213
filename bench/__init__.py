"""samplerbench: speed and quality of few-step generative samplers, with counted evaluations and honest floors."""

import os
from typing import TYPE_CHECKING, Any

from samplerbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

# OpenMP's threads spin at barriers: on a busy machine a forward pass then takes several times as long. libgomp reads
# this when torch loads it.
if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys():
    os.environ["GOMP_SPINCOUNT"] = "1000"

__version__ = "0.2.0"
__all__ = ["InputError", "__version__", "run"]


def run(**options: Any) -> "pd.DataFrame":
    """Run a sweep as `bench run` does, and return its results, one row a cell.

    The options are the fields of `samplerbench.sweep.options.Sweep`, named as on the command line:
    run(methods="ddim,flow", steps=[10, 50]). The run directory is written as well; the frame's `attrs["output"]` names
    it. Raises InputError, or SpecError or CheckpointError, for what cannot be run; a cell that fails is a row that says
    why.
    """
    # torch takes seconds to import: only when something runs.
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
    write(session.store.folder)
    frame = session.store.frame()
    frame.attrs["output"] = str(session.store.folder)
    return frame
