"""A sweep made ready: whatever can be wrong with the input is found here, before anything is measured."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from samplerbench.data.dataset import DATASETS, Dataset
from samplerbench.errors import InputError
from samplerbench.methods import TunedGrid, get_recipe, is_grid_file
from samplerbench.metrics.scoring import Scorer, SpeedOnly
from samplerbench.networks.checkpoints import load_network, random_network
from samplerbench.networks.conditioned import reconditioned
from samplerbench.networks.devices import DTYPES, layout_for, measuring_device, require_cuda
from samplerbench.networks.guides import with_guides
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.networks.model import get_model, load_model
from samplerbench.networks.teachers import with_teachers
from samplerbench.sampling.breakdown import Breakdown
from samplerbench.sampling.largest_batch import largest_batch
from samplerbench.store.provenance import environment, fingerprint
from samplerbench.sweep.dealing import places
from samplerbench.sweep.jobs import Job, expand
from samplerbench.sweep.normalise import normalise
from samplerbench.sweep.options import AUTO, CheckedSweep, Sweep
from samplerbench.sweep.shard import Shard


@dataclass(frozen=True)
class Prepared:
    """Everything that a sweep needs: its jobs, the networks they run on by recipe, and how their images are scored.

    notes: what to say of it before it runs. found_batch: the largest batch, where an earlier session has found it.
    """

    sweep: CheckedSweep
    device: torch.device
    jobs: Sequence[Job]
    networks: Mapping[str, LoadedNetwork]
    scorer: Scorer | SpeedOnly
    notes: Sequence[str] = ()
    found_batch: int | None = None

    def network(self, job: Job) -> LoadedNetwork:
        """The network of a job."""
        return self.networks[job.recipe]

    @cached_property
    def protocol(self) -> str:
        """The hash of all that must match for two quality metrics to be comparable."""
        return fingerprint(self.scorer.facts) if self.sweep.quality else "none"

    @cached_property
    def environment(self) -> dict:
        """The machine and the versions; seconds compare only where all of it is equal."""
        return environment(self.device)

    @cached_property
    def grid_files(self) -> dict[str, str]:
        """The grid files of this sweep with the hashes of their times."""
        named = dict.fromkeys(job.sampler.grid for job in self.jobs if job.sampler.grid)
        return {grid: TunedGrid(grid).digest for grid in named if is_grid_file(grid)}

    @property
    def samples(self) -> int:
        """Images per seed block; without quality, those of a batch."""
        return self.sweep.samples if self.sweep.quality else self._batch_size

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed blocks; none without quality."""
        return self.sweep.seeds if self.sweep.quality else ()

    @property
    def batch_size(self) -> int:
        """Images at a time."""
        return min(self._batch_size, self.samples)

    @property
    def settled(self) -> CheckedSweep:
        """The sweep, with a number as its batch size."""
        return replace(self.sweep, batch_size=self._batch_size)

    @cached_property
    def _batch_size(self) -> int:
        """As asked for. `auto` is the largest that every cell can run: one for all, so that their times compare."""
        size = self.sweep.batch_size
        return self.found_batch or self._largest_batch() if size == AUTO else int(size)

    def _largest_batch(self) -> int:
        jobs = [job for job in self.jobs if not (job.skip or job.fault)]
        one_of_each = {(job.recipe, job.sampler.guidance): job for job in jobs}.values()
        runs = [(job.sampler, self.network(job)) for job in one_of_each]
        return largest_batch(runs, self.device, self.sweep.samples if self.sweep.quality else None)

    @property
    def layout(self) -> str:
        """The memory layout of the networks that samplerbench has trained."""
        return str(layout_for(self.device, DTYPES[self.sweep.dtype])).removeprefix("torch.")


def prepare(options: Sweep, spent: Breakdown | None = None) -> Prepared:
    """Check and load everything. Raises InputError, SpecError or CheckpointError for what cannot be run.

    spent: where the time of scoring will be booked.
    """
    sweep = normalise(options)
    device = measuring_device(sweep.device, sweep.dtype, sweep.cudnn_benchmark)
    if sweep.cuda_graph:
        require_cuda(device, "--cuda-graph")
    models = load_models(sweep, device)
    jobs = expand(sweep, {spec: network.parametrisation for spec, network in models.items()})
    whole = _prepare_all(sweep, jobs, models, device, spent)
    return _part(whole, places(jobs, Shard.parse(sweep.shard))) if sweep.shard else whole


def _prepare_all(
    sweep: CheckedSweep,
    jobs: Sequence[Job],
    models: Mapping[str, LoadedNetwork],
    device: torch.device,
    spent: Breakdown | None,
) -> Prepared:
    """The whole sweep: every shard checks and loads all of it, so that all of them find the same wrong input."""
    jobs, networks, missing = _load_networks(jobs, models, sweep, device)
    notes = [f"Left out, for want of a network: {', '.join(missing)}."] if missing else []
    if sweep.condition:
        networks = reconditioned(networks, sweep.condition)
    if sweep.labels == "balanced":
        networks = {name: replace(network, balanced=True) for name, network in networks.items()}
    if not sweep.quality:
        return Prepared(sweep, device, jobs, networks, SpeedOnly(), notes)
    dataset = DATASETS.get(str(sweep.dataset)).of_shape(next(iter(networks.values())).picture_shape)
    _check_shapes(networks.values(), dataset)
    scorer = Scorer(
        dataset, sweep.metrics, sweep.samples, sweep.seeds, device, sweep.data_root, sweep.download, sweep.reference,
        sweep.labels == "balanced", spent,
    )  # fmt: skip
    _check_labels(scorer, networks)
    guidances = {
        job.sampler.guidance for job in jobs if job.sampler.guidance and networks[job.recipe].origin.cost.teacher
    }
    networks = with_teachers(networks, guidances, dataset, sweep.weights, needed=bool(scorer.needs("teacher")))
    return Prepared(sweep, device, jobs, networks, scorer, [*scorer.notes, *notes])


def _part(whole: Prepared, mine: Sequence[int]) -> Prepared:
    """The jobs at these places, with their networks alone, so that the others need no memory."""
    jobs = [whole.jobs[place] for place in mine]
    needed = {job.recipe for job in jobs}
    return replace(whole, jobs=jobs, networks={name: each for name, each in whole.networks.items() if name in needed})


def load_models(sweep: CheckedSweep, device: torch.device) -> dict[str, LoadedNetwork]:
    """Those of `sweep.model` that are not recipes, by spec. Raises InputError, SpecError or CheckpointError."""
    models = {spec: get_model(spec) for spec in sweep.model or ()}
    dtype = DTYPES[sweep.dtype]
    return {spec: load_model(model, device, dtype, sweep.compile) for spec, model in models.items() if model}


def _load_networks(
    jobs: Sequence[Job], models: Mapping[str, LoadedNetwork], sweep: CheckedSweep, device: torch.device
) -> tuple[list[Job], dict[str, LoadedNetwork], list[str]]:
    """The jobs, by recipe the networks they run on, with what their guidances need, and the methods left out.

    A job is skipped if only the checkpoint of its step count is missing. A method that `all` stands for is left out
    if its main one is. Raises InputError or CheckpointError if that of a named method is missing, or if all are, or
    if one does not fit.
    """
    networks = {name: _guided(network, jobs, sweep) for name, network in models.items()}
    found: list[Job] = []
    missing: list[str] = []  # the methods of the jobs whose checkpoint is
    for job in jobs:
        method = job.sampler.method
        try:
            placed = _placed(job, networks, jobs, sweep, device)
        except InputError:
            missing.append(method.name)
            if sweep.recipe or sweep.model or str(method) in sweep.named or len(missing) == len(jobs):
                raise
            continue
        if placed.recipe != job.recipe:
            missing.append(method.name)
            if len(missing) == len(jobs):
                raise InputError(placed.skip)
        found.append(_on_learned_path(placed, networks[placed.recipe]))
    present = {job.sampler.method.name for job in found}
    return found, networks, [name for name in dict.fromkeys(missing) if name not in present]


def _placed(
    job: Job, networks: dict[str, LoadedNetwork], jobs: Sequence[Job], sweep: CheckedSweep, device: torch.device
) -> Job:
    """The job, whose network is added to the others; skipped, on the main network, if its step count has none.

    Raises InputError if there is no main network.
    """
    try:
        networks[job.recipe] = networks.get(job.recipe) or _load(job.recipe, jobs, sweep, device)
        return job
    except InputError as error:
        main = get_recipe(job.sampler.method.recipe)
        if sweep.recipe or sweep.model or job.recipe == str(main):
            raise
        networks[str(main)] = networks.get(str(main)) or _load(str(main), jobs, sweep, device)
        return Job(replace(job.sampler, trained=main), str(error))


def _load(recipe: str, jobs: Sequence[Job], sweep: CheckedSweep, device: torch.device) -> LoadedNetwork:
    if sweep.preset:
        return random_network(recipe, sweep.preset, device, DTYPES[sweep.dtype], sweep.compile)
    dataset = DATASETS.get(str(sweep.dataset))
    network = load_network(
        recipe, dataset, sweep.weights, device, DTYPES[sweep.dtype], sweep.compile, strict=True, root=sweep.data_root
    )
    return _guided(network, jobs, sweep)


def _guided(network: LoadedNetwork, jobs: Sequence[Job], sweep: CheckedSweep) -> LoadedNetwork:
    """The network with what the guidances of its jobs need."""
    guidances = [job.sampler.guidance for job in jobs if job.recipe == network.name and job.sampler.guidance]
    if not guidances:
        return network
    return with_guides(network, guidances, DATASETS.get(str(sweep.dataset or "digits")), sweep.weights)


def _on_learned_path(job: Job, network: LoadedNetwork) -> Job:
    """The job with its network's path, where that was learned."""
    if network.path is job.sampler.path:
        return job
    return replace(job, sampler=replace(job.sampler, learned_path=network.path))


def _check_shapes(networks: Iterable[LoadedNetwork], dataset: Dataset) -> None:
    """Images are compared with the data's, so that both must have the same shape."""
    expected = (dataset.channels, dataset.resolution, dataset.resolution)
    for network in networks:
        found = network.picture_shape
        if found != expected:
            raise InputError(
                f"{network.name} makes images of {_size(found)}, and {dataset} has images of {_size(expected)}: name "
                "the network's data with --data, or measure speed alone with --no-quality."
            )


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _check_labels(scorer: Scorer, networks: Mapping[str, LoadedNetwork]) -> None:
    """Metrics that compare with labels need networks that are given some."""
    metric = scorer.needs("labels")
    without = [name for name, network in networks.items() if metric and "labels" not in network.provides]
    if without:
        raise InputError(f"{metric} needs networks with class labels, and {without[0]} has none: leave it out.")
