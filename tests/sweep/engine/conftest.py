"""Methods that die, hang or take their time in workers, as another package's plug-ins, which workers import."""

import importlib
import os
import sys
from textwrap import dedent

import pytest

from samplerbench.methods import METHODS

PLUGIN = '''
    import os
    import signal
    import time
    from dataclasses import dataclass
    from itertools import pairwise
    from pathlib import Path

    from samplerbench.methods import Method, register

    HERE = Path(__file__).parent


    def in_worker():
        return str(os.getpid()) != (HERE / "main").read_text()


    class Mishap(Method):
        """DDIM, unless something happens in a worker."""

        recipe = "ddpm"
        grid = "uniform"

        def steps(self, field, x, times, noise):
            if len(x) > 1 and in_worker():  # not in the dry run
                self.happen()
            for now, then in pairwise(field.path.along(times)):
                x = field(x, now).mix(then.alpha, then.sigma)
                yield x


    @register("dies_once")
    @dataclass(frozen=True)
    class DiesOnce(Mishap):
        def happen(self):
            if not (HERE / "died").exists():
                (HERE / "died").touch()
                os.kill(os.getpid(), signal.SIGKILL)


    @register("hangs")
    @dataclass(frozen=True)
    class Hangs(Mishap):
        def happen(self):
            time.sleep(3600)


    @register("slow")
    @dataclass(frozen=True)
    class Slow(Mishap):
        def happen(self):
            time.sleep(0.5)
'''


@pytest.fixture(scope="module")
def mishaps(tmp_path_factory):
    """A folder with the plug-ins `dies_once`, `hangs` and `slow`, which this process knows too."""
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "mishaps.py").write_text(dedent(PLUGIN))
    (folder / "main").write_text(str(os.getpid()))
    facts = folder / "mishaps-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: mishaps\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[samplerbench.methods]\nmishaps = mishaps\n")
    with pytest.MonkeyPatch.context() as patch, METHODS.temporarily():
        patch.syspath_prepend(folder)
        sys.modules.pop("mishaps", None)
        importlib.import_module("mishaps")
        yield folder
