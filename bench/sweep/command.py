"""The command that measures one cell again."""

import os
import shlex
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samplerbench.store.protocol import ranges
from samplerbench.sweep.jobs import Job
from samplerbench.sweep.normalise import normalise
from samplerbench.sweep.options import HOW, CheckedSweep, Sweep

if TYPE_CHECKING:
    from samplerbench.networks.loaded import LoadedNetwork

MODULE = Path(__file__).parents[1] / "__main__.py"  # that of `python -m samplerbench`
# The job says these itself, or they do not affect the result.
NOT_COPIED = {"methods", "model", "steps", "nfe", "grid", "guidance", "output", "save_images", *HOW}


def command_of(job: Job, sweep: CheckedSweep) -> str:
    """The `bench run` that measures a job of a normalised sweep again, for a shell; defaults are left out."""
    sampler = job.sampler
    words = ["bench", "run", "--methods", str(sampler.method)]
    words += ["--steps", str(sampler.steps)] * bool(sampler.steps)
    words += ["--grid", str(sampler.grid)] * (job.default_grid == "false")
    words += ["--model", relative(job.recipe)] * bool(sweep.model)
    words += ["--guidance", str(sampler.guidance)] * bool(sampler.guidance)
    told = {"reference", "preset", "quality"} | ({"dataset"} if sweep.dataset != sweep.reference else set())
    usual = normalise(Sweep(**{name: getattr(sweep, name) for name in told | {"dataset"}}))
    for field in fields(Sweep):
        value = getattr(sweep, field.name)
        differs = field.name in told or value != getattr(usual, field.name)
        if field.name not in NOT_COPIED and differs and value != field.default:
            words += _option(field.name, value)
    return shlex.join(words)


def _option(name: str, value: Any) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if value is None or (name, value) == ("dataset", "digits"):
        return []
    if name in ("timing", "quality"):
        return [f"--no-{name}"]
    if value is True:
        return [flag]
    if name == "seeds":
        return [flag, ranges(value)]
    return [flag, relative(",".join(map(str, value)) if isinstance(value, list | tuple) else str(value))]


def own_command(otherwise: str) -> str:
    """The command line of this process if it is `bench`; else the name of the function that was called."""
    started = Path(sys.argv[0])
    ours = started.name == "bench" or started == MODULE
    return shlex.join(["bench", *map(relative, sys.argv[1:])]) if ours else otherwise


def sources_of(network: "LoadedNetwork") -> dict[str, str]:
    """Source and digest of every checkpoint that a network uses, by name, with relative paths."""
    parts = ((name, *source.rpartition(" ")) for name, source in network.sources.items())
    return {name: f"{relative(source)}{space}{digest}" for name, source, space, digest in parts}


def relative(word: str) -> str:
    """A word of a command with paths below the current folder relative to it, so that it holds in another clone."""
    flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return flag + equals + ",".join(map(_relative_path, value.split(",")))


def _relative_path(path: str) -> str:
    kind, colon, place = path.rpartition(":")
    if colon and os.path.isabs(place):  # as in folder:DIR
        return f"{kind}:{_relative_path(place)}"
    below = os.path.isabs(path) and Path(path).is_relative_to(Path.cwd())
    return str(Path(path).relative_to(Path.cwd())) if below else path
