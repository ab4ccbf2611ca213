"""`bench tune`: search the time grid with which a sampler follows its network's own ODE most closely at a budget."""

import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t as student
from torch import Tensor

from samplerbench.data.datasets import DATASETS
from samplerbench.errors import InputError, writing
from samplerbench.methods import GRIDS, GridFile, SpecError, get_grid, get_recipe, trajectory
from samplerbench.methods import Path as NoisePath
from samplerbench.networks.backbone import load_backbone, pick_device
from samplerbench.sampling.noise import BLOCKS, ImageNoise
from samplerbench.sampling.reference import solution
from samplerbench.store.provenance import commit, utc_now
from samplerbench.sweep.marquardt import minimise
from samplerbench.sweep.plan import Job, Sweep, evaluations, expand, normalise

SEARCHED, HELD_OUT = BLOCKS - 1, BLOCKS - 2  # seed blocks far from those that a run takes
REFERENCE = "pf_ode[solver=dopri5,rtol=1e-05,atol=1e-05]"  # to 1e-3 that of tolerances ten times smaller
STARTS = 2  # of the registered grids, the best ones, from which the search begins
CONFIDENCE = 0.95  # of the two-sided interval that must exclude 0 before a grid is called better


@dataclass(frozen=True)
class Progress:
    """How far a search is: the step count, the evaluations spent and allowed, and the least RMSE so far."""

    steps: int
    spent: int
    allowed: int
    rmse: float


@dataclass(frozen=True)
class Found:
    """The outcome at one step count, on noise that the search has not seen.

    registered: the RMSE of each registered grid. rmse: that of the searched one. rival: the registered grid that
    does best on this noise. gain, reach: how much less the mean squared error is than the rival's, image by image,
    and the half-width of its 95 % interval. times: what goes into the file. kept: the registered grid they are
    those of, where the searched one is not surely better; else empty.
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
    """A search made ready; `run` carries it out. Raises InputError, SpecError or CheckpointError for wrong input."""

    def __init__(
        self, method: str, nfe: str, dataset: str = "digits", recipe: str | None = None, images: int = 64,
        evaluations: int = 80, output: Path | None = None, device: str = "auto", weights: str | None = None,
    ):  # fmt: skip
        sweep = normalise(Sweep(methods=[method], nfe=nfe, dataset=dataset, recipe=recipe))
        self.jobs = list({job.steps: job for job in expand(sweep)}.values())
        self.method, self.images, self.evaluations = self.jobs[0].method, images, evaluations
        _check_steps(self.jobs)
        self.dataset, self.budgets, where = sweep.dataset, sweep.nfe, pick_device(device)
        self.backbone = load_backbone(
            self.jobs[0].recipe, DATASETS.get(sweep.dataset), weights, where, torch.float32, False
        )
        self._check_deterministic()
        self.output = output or default_output(self.dataset, self.jobs[0].recipe, str(self.method))
        if self.output.suffix != ".json":
            raise InputError(f"A grid file ends in .json, so that --grid knows it: not {str(self.output)!r}.")
        with writing(self.output.parent):
            self.output.parent.mkdir(parents=True, exist_ok=True)
        self.found: list[Found] = []

    @property
    def path(self) -> NoisePath:
        """The noise path on which the times mean something."""
        return self.backbone.path

    def run(self) -> Iterator[Progress]:
        """Search every step count in turn, and write the file at the end."""
        for job in self.jobs:
            times = yield from self._search(job)
            self.found.append(self._judge(job, times))
        self.write()

    def _search(self, job: Job) -> Iterator[Progress]:
        """The times of least error on the noise that is searched on, beginning from the best registered grids."""
        registered = self.registered(job)
        errors = {name: self.errors(job, each, SEARCHED).mean() for name, each in registered.items()}
        starts = sorted(errors, key=errors.get)[:STARTS]
        times, best, spent = registered[starts[0]], errors[starts[0]] ** 0.5, len(errors)
        yield Progress(job.steps, spent, self.evaluations, best)

        for turn, name in enumerate(starts):
            first, share = registered[name], (self.evaluations - spent) // (len(starts) - turn)
            trials = minimise(
                lambda point, t=first: self._residuals(job, spaced(point, t, self.path)), spacing(first, self.path)
            )
            for point, rmse in islice(trials, max(0, share)):
                spent += 1
                if rmse < best:
                    best, times = rmse, spaced(point, first, self.path)
                yield Progress(job.steps, spent, self.evaluations, best)
        return times

    def _judge(self, job: Job, times: Tensor) -> Found:
        """Compare with every registered grid on noise that the search has not seen."""
        registered = self.registered(job)
        errors = {name: self.errors(job, each, HELD_OUT) for name, each in registered.items()}
        rival = min(errors, key=lambda name: errors[name].mean())
        ours = self.errors(job, times, HELD_OUT)
        gains = errors[rival] - ours
        reach = student.ppf((1 + CONFIDENCE) / 2, len(gains) - 1) * gains.std(ddof=1) / len(gains) ** 0.5
        kept = "" if gains.mean() > reach else rival
        return Found(
            job.steps, evaluations(job.method, self.backbone.recipe, job.steps),
            {name: float(each.mean() ** 0.5) for name, each in errors.items()},
            float(ours.mean() ** 0.5), rival, float(gains.mean()), float(reach),
            (registered[kept] if kept else times).tolist(), kept,
        )  # fmt: skip

    def registered(self, job: Job) -> dict[str, Tensor]:
        """The registered grids that exist at this step count, without those that are the same times again."""
        found: dict[str, Tensor] = {}
        for name in dict.fromkeys([self.method.grid, *GRIDS.names()]):
            try:
                times = get_grid(name)(job.steps, self.path)
            except SpecError:
                continue
            if not any(torch.equal(times, other) for other in found.values()):
                found[name] = times
        return found

    def errors(self, job: Job, times: Tensor, block: int) -> np.ndarray:
        """The mean squared error of each image's pixels (N,) on a seed block's noise."""
        return np.square(self._differences(job, times, block)).mean(axis=1)

    def _residuals(self, job: Job, times: Tensor) -> np.ndarray:
        """Residuals whose norm is the RMSE; infinite where the times do not fall."""
        if not (times.diff() < 0).all():
            return np.full(1, np.inf)
        differences = self._differences(job, times, SEARCHED)
        return differences.ravel() / differences.size**0.5

    @torch.inference_mode()
    def _differences(self, job: Job, times: Tensor, block: int) -> np.ndarray:
        """What the sampler ends on minus the fine solution from the same noise (N, pixels)."""
        indices = range(self.images)
        noise, field = ImageNoise(block, indices), self.backbone.field(self.backbone.labels(block, indices))
        states = job.method.steps(field, self.backbone.noise(noise) * self.path.prior_std, times, noise)
        images = deque(states, maxlen=1).pop()
        return (images - solution(self.backbone, block, self.images, REFERENCE)).flatten(1).double().cpu().numpy()

    def _check_deterministic(self) -> None:
        noise = ImageNoise(SEARCHED, range(1))
        field = self.backbone.field(self.backbone.labels(SEARCHED, range(1)))
        with torch.inference_mode():
            deque(trajectory(self.method, field, self.backbone.noise(noise), 3, noise), maxlen=1)
        if noise.draws > 1:
            raise InputError(
                f"{self.method} draws noise on its way, so there is no exact path that it could follow: tune a "
                "deterministic method, such as ddim or dpmpp_2m."
            )

    def write(self) -> None:
        """Write the grid file. Raises InputError where that cannot be done."""
        facts = {
            "format": GridFile.format,
            "method": str(self.method),
            "recipe": str(self.backbone.recipe),
            "path": repr(self.path),
            "dataset": self.dataset,
            "checkpoint": f"{self.backbone.source} {self.backbone.digest}",
            "images": self.images,
            "times": {str(each.steps): each.times for each in self.found},
            "held_out": [{k: v for k, v in asdict(each).items() if k != "times"} for each in self.found],
            "commit": commit(),
            "utc": utc_now(),
        }
        with writing(self.output.parent):
            self.output.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def spacing(times: Tensor, path: NoisePath) -> np.ndarray:
    """The logarithms of the differences in log-SNR up to each interior time: n - 1 numbers, all of them possible."""
    log_snr = path.log_snr(times[:-1].clamp(max=path.t_max)).numpy()
    return np.log(np.maximum(np.diff(log_snr), 1e-6))


def spaced(point: np.ndarray, times: Tensor, path: NoisePath) -> Tensor:
    """The inverse of `spacing`: times with the first and the last of `times`, the interior ones at `point`."""
    first = path.log_snr(times[:1].clamp(max=path.t_max)).item()
    interior = path.time_at(torch.from_numpy(first + np.cumsum(np.exp(np.minimum(point, 50.0)))))
    return torch.cat((times[:1], interior, times[-1:]))


def describe(found: Found, own: str) -> list[str]:
    """The outcome in lines of text, the best grid first."""
    rows = [(rmse, f"{name} (own)" if name == own else name) for name, rmse in found.registered.items()]
    lines = [f"{found.steps} steps, {found.nfe} NFE: trajectory RMSE on held-out noise"]
    lines += [f"  {name:<16}{rmse:.4f}" for rmse, name in sorted([*rows, (found.rmse, "searched")])]
    margin = f"mean squared error lower by {found.gain:.2g} ± {found.reach:.1g}"
    if found.kept:
        return [*lines, f"  not surely better than {found.rival} ({margin}): the file holds the times of {found.kept}"]
    return [*lines, f"  better than {found.rival}: {margin}"]


def default_output(dataset: str, recipe: str, method: str) -> Path:
    """Where the grid file goes: a name without brackets and commas, which --grid would take for something else."""
    plain = [re.sub(r"[^\w.]+", "-", text).strip("-") for text in (dataset, recipe, method)]
    return Path("grids", "-".join(plain) + ".json")


def _check_steps(jobs: list[Job]) -> None:
    for job in jobs:
        if job.skip:
            raise InputError(f"{job.method} cannot be tuned: {job.skip}.")
        if job.method.own_times or get_recipe(job.recipe).student:
            raise InputError(
                f"{job.method} cannot be tuned: a student has no path of its own that a grid could follow."
            )
        if job.steps < 2:
            raise InputError(
                f"{job.method} takes one step within its budget, which has no interior times: raise --nfe."
            )
