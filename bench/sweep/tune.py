"""`bench tune`: a grid file with the times that suit a method best, for budgets of network evaluations."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import Tensor

from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError, writing
from samplerbench.methods import TunedGrid, unmet
from samplerbench.networks.checkpoints import load_network
from samplerbench.networks.devices import measuring_device
from samplerbench.sampling.generate import generate
from samplerbench.sampling.noise import HOLDOUT, SEARCH, ImageNoise
from samplerbench.statistics import half_width
from samplerbench.store.provenance import commit, utc_now
from samplerbench.sweep.grid_search import GridError, SearchProgress, search
from samplerbench.sweep.jobs import Job, expand
from samplerbench.sweep.normalise import normalise
from samplerbench.sweep.options import Sweep, TuneOptions
from samplerbench.sweep.prepare import load_models


@dataclass(frozen=True)
class SearchStarted:
    """The search at a step count begins; `progress` can be read while it runs."""

    steps: int
    progress: SearchProgress


@dataclass(frozen=True)
class Found:
    """The result at one step count, on noise that the search has not seen.

    registered: the RMSE of each registered grid. rmse: of the searched grid. rival: the registered grid that is best on
    this noise. gain, reach: by how much the mean squared error is lower than the rival's, image by image, and half of
    its 95 % t-interval. times: the times for the file. kept: the registered grid whose times they are, unless the
    searched one is significantly better; then empty.
    """

    steps: int
    nfe: int
    registered: dict[str, float]
    rmse: float
    rival: str
    gain: float
    reach: float
    times: list[float]
    kept: str


class Tuning:
    """A prepared search; `run` carries it out. Raises InputError, SpecError or CheckpointError for wrong input."""

    def __init__(self, options: TuneOptions):
        sweep = normalise(
            Sweep(
                methods=[options.method], nfe=options.nfe, dataset=options.dataset, model=options.model,
                recipe=options.recipe, device=options.device, weights=options.weights,
            )
        )  # fmt: skip
        if len(sweep.model or ()) > 1:
            raise InputError("A grid is tuned for one network: give --model one spec.")
        device = measuring_device(sweep.device)
        models = load_models(sweep, device)
        found = expand(sweep, {spec: network.parametrisation for spec, network in models.items()})
        jobs = list({job.sampler.steps: job for job in found}.values())
        _check_steps(jobs)
        self.options, self.method, recipe = options, jobs[0].sampler.method, jobs[0].recipe
        dataset = DATASETS.get(options.dataset)
        self.network = models.get(recipe) or load_network(recipe, dataset, options.weights, device, strict=True)
        samplers = [replace(job.sampler, learned_path=self.network.path) for job in jobs]
        self.errors = [GridError(sampler, self.network, options.images) for sampler in samplers]
        _check_deterministic(self.errors[0])
        self.output = options.output or default_output(options.dataset, recipe, str(self.method))
        if self.output.suffix != ".json":
            raise InputError(f"--grid takes files that end in .json: give --output such a name, not {self.output}.")
        with writing(self.output.parent):
            self.output.parent.mkdir(parents=True, exist_ok=True)
        self.found: list[Found] = []

    def run(self) -> Iterator[SearchStarted]:
        """Search at each step count in turn, and write the file at the end."""
        for error in self.errors:
            progress = SearchProgress(self.options.evaluations)
            yield SearchStarted(error.sampler.steps or 1, progress)
            times = search(error, progress)
            self.found.append(compare(error, times))
        self.write()

    def write(self) -> None:
        """Write the grid file. Raises InputError if that fails."""
        facts = {
            "format": TunedGrid.format,
            "method": str(self.method),
            "recipe": self.network.name,
            "path": repr(self.network.path),
            "dataset": self.options.dataset,
            "checkpoint": str(self.network.origin),
            "images": self.options.images,
            "times": {str(each.steps): each.times for each in self.found},
            "held_out": [{k: v for k, v in asdict(each).items() if k != "times"} for each in self.found],
            "commit": commit(),
            "utc": utc_now(),
        }
        with writing(self.output.parent):
            self.output.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def compare(error: GridError, times: Tensor) -> Found:
    """Compare searched times with every registered grid on noise that the search has not seen."""
    registered = error.registered()
    squares = {name: error.squares(each, HOLDOUT) for name, each in registered.items()}
    rival = min(squares, key=lambda name: squares[name].mean())
    ours = error.squares(times, HOLDOUT)
    gains = squares[rival] - ours
    reach = half_width(gains)
    kept = "" if gains.mean() > reach else rival
    return Found(
        steps=error.sampler.steps or 1,
        nfe=error.sampler.nfe or 0,
        registered={name: float(each.mean() ** 0.5) for name, each in squares.items()},
        rmse=float(ours.mean() ** 0.5),
        rival=rival,
        gain=float(gains.mean()),
        reach=reach,
        times=(registered[kept] if kept else times).tolist(),
        kept=kept,
    )


def default_output(dataset: str, recipe: str, method: str) -> Path:
    """The path of the grid file, without brackets and commas, which --grid would take for a spec or a list."""
    plain = [re.sub(r"[^\w.]+", "-", text).strip("-") for text in (dataset, recipe, method)]
    return Path("grids", "-".join(plain) + ".json")


def _check_steps(jobs: Sequence[Job]) -> None:
    for job in jobs:
        method, recipe = job.sampler.method, job.sampler.recipe
        reason = job.skip or unmet({"ode"}, recipe.provides, recipe)
        if method.grid is None:
            reason = "its times are fixed"
        if reason:
            raise InputError(f"{method} cannot be tuned: {reason}.")
        if (job.sampler.steps or 1) < 2:
            raise InputError(f"{method} takes one step within its budget, which leaves no time to choose: raise --nfe.")


def _check_deterministic(error: GridError) -> None:
    noise = ImageNoise(0, range(1), SEARCH)
    generate(error.sampler, error.network, noise)
    if noise.draws > 1:
        raise InputError(
            f"{error.sampler.method} draws noise while sampling, so there is no exact solution that it could follow: "
            "tune a deterministic method, such as ddim or dpmpp_2m."
        )
