"""What is compared, section by section. Each yields rows: those of `Comparison`, or of `memory`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import samplers
import schedulers
import torch
from comparison import OURS, Comparison, Effort, Work
from memory import growth
from torch import Tensor
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric
from unet2d import timestep, unet2d

from samplerbench.data.dataset import DATASETS
from samplerbench.metrics.frechet import Reference, Statistics
from samplerbench.networks.checkpoints import load_network
from samplerbench.networks.loaded import LoadedNetwork

SAME_IMAGES, SAME_DISTANCE = 1e-3, 1e-6
SHORT = 2  # steps of a run that only warms up


@dataclass(frozen=True)
class Request:
    """What the command line asked for, and which peers are installed."""

    device: torch.device
    dtype: torch.dtype
    peers: frozenset[str]
    effort: Effort
    data: Sequence[str] = ("digits", "mnist5k")
    batches: Sequence[int] = (1, 16, 256)
    steps: Sequence[int] = (10, 50)
    sampler_steps: int = 50
    shapes: Sequence[tuple[int, ...]] = ((1, 1, 8, 8), (64, 3, 32, 32))
    features: tuple[int, int] = (10_000, 2048)
    counts: tuple[int, int] = (5_000, 50_000)

    @property
    def tolerance(self) -> float | None:
        """Of images; bfloat16 rounds differently wherever the order of operations does."""
        return SAME_IMAGES if self.dtype == torch.float32 else None

    def network(self, recipe: str, data: str = "digits", compiled: bool = False) -> LoadedNetwork:
        """The shipped network of a recipe, without labels, as pipelines of unconditional images have it."""
        found = load_network(recipe, DATASETS.get(data), None, self.device, self.dtype, compiled)
        return replace(found, classes=0, provides=found.provides - {"labels", "unlabelled"})


def forward(request: Request, compiled: bool = False) -> Iterator[Comparison]:
    """One forward pass, of our U-Net and of a UNet2DModel with its weights."""
    for data in request.data if "diffusers" in request.peers else ():
        network = request.network("flow", data, compiled)
        net, theirs = network.net, unet2d(network.eager, offset=0)
        theirs = torch.compile(theirs) if compiled else theirs
        for batch in request.batches:
            x = samplers.Noise.of(network, batch).draw()
            t = torch.full((batch,), 0.5, device=request.device)
            runs = {OURS: partial(net, x, t), "diffusers": partial(_unet2d, theirs, x, timestep(t, 0))}
            yield Comparison(
                "forward", f"{network.image_shape[-1]}x{network.image_shape[-1]}" + ", compiled" * compiled,
                {name: torch.inference_mode()(run) for name, run in runs.items()}, None, batch,
                tolerance=request.tolerance,
            )  # fmt: skip


def _unet2d(net, x: Tensor, time: Tensor) -> Tensor:
    return net(x, time, return_dict=False)[0]


def sampler(request: Request) -> Iterator[Comparison]:
    """Samplers without a network."""
    for shape in request.shapes:
        x = torch.randn(shape, device=request.device)
        for method in schedulers.METHODS:
            peers = schedulers.theirs(method, x, request.sampler_steps, request.peers)
            runs = {OURS: schedulers.ours(method, x, request.sampler_steps), **peers}
            size = "x".join(map(str, shape[1:]))
            yield Comparison("sampler", f"{method}, {size}", runs, None, shape[0], request.sampler_steps)


def images(request: Request) -> Iterator[Comparison]:
    """From noise to images: DDIM on the chain of DDPM, and Euler's method on a flow."""
    for recipe, method, grid, peers in (
        ("ddpm", "ddim", "leading", {"diffusers": samplers.diffusers_ddim, "k-diffusion": samplers.k_diffusion_euler}),
        ("flow", "flow", "uniform",
         {"flow_matching": samplers.flow_matching_euler, "torchcfm": samplers.torchcfm_euler}),
    ):  # fmt: skip
        network = request.network(recipe)
        for batch in request.batches:
            noise = samplers.Noise.of(network, batch)
            runs = {OURS: samplers.ours(network, method, grid, noise)}
            runs |= {name: make(network, noise) for name, make in peers.items() if name in request.peers}
            yield from _sampled(request, method, runs, batch)


def compiled(request: Request) -> Iterator[Comparison]:
    """Forward pass and DDIM through torch.compile, on both sides; compiling is not timed."""
    yield from forward(replace(request, data=request.data[:1]), compiled=True)
    network = request.network("ddpm", compiled=True)
    for batch in request.batches:
        noise = samplers.Noise.of(network, batch)
        runs = {OURS: samplers.ours(network, "ddim", "leading", noise)}
        if "diffusers" in request.peers:
            runs["diffusers"] = samplers.diffusers_ddim(network, noise, compiled=True)
        yield from _sampled(request, "ddim, compiled", runs, batch)


def _sampled(request: Request, work: str, runs: Mapping[str, samplers.Sample], batch: int) -> Iterator[Comparison]:
    short = {name: partial(run, SHORT) for name, run in runs.items()}
    for steps in request.steps:
        whole = {name: partial(run, steps) for name, run in runs.items()}
        yield Comparison("images", work, whole, short, batch, steps, request.tolerance)


def distance(request: Request) -> Iterator[Comparison]:
    """The Frechet distance of two sets of features, on the CPU, with the statistics of both."""
    count, width = request.features
    generator = torch.Generator().manual_seed(0)
    spectrum = torch.arange(1, width + 1)[:, None] ** -0.7
    mixing = torch.randn(width, width, generator=generator, dtype=torch.float64) * spectrum
    real, fake = (torch.randn(count, width, generator=generator, dtype=torch.float64) @ mixing for _ in range(2))

    def fidelity() -> float:
        statistics = (fid_features_to_statistics(each) for each in (fake, real))
        return fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]

    runs: dict[str, Work] = {
        OURS: lambda: Reference(Statistics.of(real)).distance(Statistics.of(fake)),
        "torch-fidelity": fidelity,
    }
    yield Comparison("distance", f"FID of {count:,} x {width} features", runs, short={}, tolerance=SAME_DISTANCE)


def memory(request: Request) -> Iterator[dict]:
    """Peak memory of processes that score few samples, and many."""
    for work in ("statistics", "torch-fidelity", "run"):
        yield growth(work, *request.counts)


COMPARED = {each.__name__: each for each in (forward, sampler, images, compiled, distance)}


def rows(section: str, request: Request) -> Iterator[dict]:
    """The rows of a section as they are measured; none where no peer is installed."""
    if section == "memory":
        yield from memory(request)
        return
    for comparison in COMPARED[section](request):
        if len(comparison.runs) > 1:
            yield from comparison.rows(request.device, request.effort)
