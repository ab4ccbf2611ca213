"""The options of a sweep, declared once: the command line and the Python function are made of them. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

AUTO = "auto"  # as a batch size, or a number of workers
Texts = Sequence[str] | str
Counts = Sequence[int] | str | int


@dataclass(frozen=True)
class Sweep:
    """The options of `bench run`. None means not given; an option that has no effect is an error.

    Lists may be sequences or as on the command line: methods="ddim[eta=0.5],flow", steps="10,50", seeds="0-4",
    grid="default,karras[rho=5],grids/mine.json". methods="all" is every method.

    The metadata of a field is its help text, its `metavar`, and `shown`, the default as the help shows it.
    """

    methods: Texts = field(
        default=("ddpm", "ddim", "pf_ode", "flow"),
        metadata={"help": "As in ddim[eta=0.5],flow, or all.", "metavar": "SPECS", "shown": "ddpm,ddim,pf_ode,flow"},
    )
    steps: Counts | None = field(
        default=None,
        metadata={"help": "Intervals of the time grid, one or several counts.", "metavar": "N,...", "shown": "10,50"},
    )
    nfe: Counts | None = field(
        default=None,
        metadata={"help": "Instead of --steps: at most this many network evaluations per image.", "metavar": "N,..."},
    )
    data: str | None = field(
        default=None,
        metadata={
            "help": "Real images: folder:DIR, npz:FILE, ..., digits, or data with a closed form, such as mixture; see "
            "`bench list datasets` and docs/data.md.",
            "metavar": "SPEC",
            "shown": "digits",
        },
    )
    dataset: str | None = field(default=None, metadata={"help": "The same as --data.", "metavar": "SPEC"})
    reference: str | None = field(
        default=None,
        metadata={
            "help": "Compare with all of these images, or with stats:FILE.npz (mu, sigma); --data gives the floor.",
            "metavar": "SPEC",
        },
    )
    labels: str = field(
        default="independent",
        metadata={"help": "Labels of the images: independent, or balanced (image i gets i modulo the classes)."},
    )
    model: Texts | None = field(
        default=None,
        metadata={
            "help": "Run every method on these networks: recipes, FILE.safetensors, diffusers:DIR, "
            "package.module:function; see docs/models.md.",
            "metavar": "SPEC,...",
        },
    )
    recipe: str | None = field(
        default=None,
        metadata={"help": "Run every method on this recipe's checkpoint instead of its own.", "metavar": "NAME"},
    )
    condition: str | None = field(
        default=None,
        metadata={
            "help": "What networks with conditions are given, as in text[prompts=FILE]; see `bench list conditions`.",
            "metavar": "SPEC",
            "shown": "as in training",
        },
    )
    grid: Texts | None = field(
        default=None,
        metadata={
            "help": "Time grids, as in uniform,karras[rho=5] or a file of `bench tune`; `default` is the method's.",
            "metavar": "NAMES",
            "shown": "default",
        },
    )
    guidance: Sequence[str | float] | str | float | None = field(
        default=None,
        metadata={"help": "As in 1,2 (classifier-free), cfg[weight=2,high=1], auto, classifier.", "metavar": "W,..."},
    )
    samples: int | None = field(
        default=None, metadata={"help": "Images per cell and seed block.", "metavar": "N", "shown": "1000"}
    )
    seeds: Counts | None = field(
        default=None,
        metadata={"help": "Seed blocks, as in 0-4; several give an interval.", "metavar": "K,...", "shown": "0"},
    )
    batch_size: int | str = field(default=256, metadata={"help": "Images at a time, or auto.", "metavar": "N"})
    metrics: Texts | None = field(
        default=None,
        metadata={"help": "Quality metrics; see `bench list metrics`.", "metavar": "NAMES", "shown": "fid,novelty"},
    )
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda, cuda:1, ..."})
    dtype: str = field(default="float32", metadata={"help": "Of the network: float32, tf32, bfloat16, float16."})
    compile: bool = field(default=False, metadata={"help": "Run the network through torch.compile."})
    cuda_graph: bool = field(default=False, metadata={"help": "Replay a whole sampling run as one CUDA graph."})
    cudnn_benchmark: bool = field(default=False, metadata={"help": "Take the algorithms that cuDNN finds fastest."})
    output: str | Path | None = field(
        default=None,
        metadata={
            "help": "Run directory, or the URL of one, as in s3://bucket/run.",
            "metavar": "DIR",
            "shown": "the same for the same command",
        },
    )
    shard: str | None = field(
        default=None,
        metadata={
            "help": "Measure the I-th of N parts of the cells, into DIR/shard-I-of-N; see docs/scale.md.",
            "metavar": "I/N",
        },
    )
    workers: str | int = field(
        default=1,
        metadata={
            "help": "Processes that measure: auto for one per GPU, or N, among which the cores are divided; see "
            "docs/scale.md.",
            "metavar": "N|auto",
            "shown": "1",
        },
    )
    engine: str = field(
        default="local",
        metadata={"help": "Where the workers run: local, or ray for a cluster.", "metavar": "NAME"},
    )
    address: str | None = field(
        default=None,
        metadata={"help": "With --engine ray: join the cluster at this address.", "metavar": "HOST:PORT"},
    )
    cell_timeout: float | None = field(
        default=None,
        metadata={
            "help": "Stop a seed block or a timing after so many seconds; its cell fails.",
            "metavar": "SECONDS",
        },
    )
    join: bool = field(
        default=False,
        metadata={"help": "Share this sweep with other `bench run --join` of the same --output; see docs/scale.md."},
    )
    save_images: bool = field(
        default=False, metadata={"help": "Keep all images, as images/CELL-BLOCK.npy in the run directory."}
    )
    timing: bool = field(default=True, metadata={"help": "Do not measure speed."})
    quality: bool = field(default=True, metadata={"help": "Do not measure quality."})
    preset: str | None = field(
        default=None,
        metadata={
            "help": "With --no-quality: time a random network of this size; see `bench list presets`.",
            "metavar": "NAME",
        },
    )
    weights: str | None = field(
        default=None,
        metadata={
            "help": "Your own checkpoints. If given, they must hold every network under test.",
            "metavar": "DIR",
            "shown": "checkpoints",
        },
    )
    data_root: str | None = field(
        default=None, metadata={"help": "Where data sets are stored.", "metavar": "DIR", "shown": "data"}
    )
    download: bool = field(default=False, metadata={"help": "Allow downloading the data set and Inception's weights."})


@dataclass(frozen=True)
class CheckedSweep(Sweep):
    """A sweep as `normalise` returns it: complete, and with lists as tuples.

    named: the methods that were named, and not only meant by `all`.
    """

    methods: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    model: tuple[str, ...] | None = None
    steps: tuple[int, ...] | None = None
    nfe: tuple[int, ...] | None = None
    grid: tuple[str, ...] | None = None
    guidance: tuple[str, ...] | None = None
    samples: int = 0
    seeds: tuple[int, ...] = ()
    metrics: tuple[str, ...] | None = None
    output: str | None = None


def as_in_run(name: str, **changes: str) -> Any:
    """The option of that name as `bench run` has it."""
    same = Sweep.__dataclass_fields__[name]
    return field(default=same.default, metadata={**same.metadata, **changes})


# Options on where and how a sweep is measured: its results do not depend on them.
HOW = ("shard", "workers", "engine", "address", "cell_timeout", "join")
SEED = {"help": "Seed block of the noise.", "min": 0, "max": 4095}


@dataclass(frozen=True)
class SampleOptions:
    """The options of `bench sample`. None means not given."""

    method: str = field(metadata={"metavar": "METHOD"})
    steps: int | None = field(
        default=None,
        metadata={"help": "Intervals of the time grid.", "shown": "10, or the nearest that it supports", "min": 1},
    )
    count: int = field(default=64, metadata={"help": "Images to draw.", "min": 1, "max": 4096})
    output: Path = field(default=Path("samples.png"), metadata={"help": "PNG file."})
    seed: int = field(default=0, metadata=SEED)
    dataset: str = field(default="digits", metadata={"help": "What it was trained on.", "metavar": "NAME"})
    model: str | None = field(
        default=None,
        metadata={
            "help": "Run on this network: a recipe, FILE.safetensors, diffusers:DIR, package.module:function.",
            "metavar": "SPEC",
        },
    )
    recipe: str | None = field(
        default=None,
        metadata={"help": "Run on this recipe's checkpoint instead of the method's default.", "metavar": "NAME"},
    )
    condition: str | None = as_in_run("condition")
    grid: str | None = field(
        default=None,
        metadata={"help": "Time grid, or a file of `bench tune`.", "metavar": "NAME", "shown": "the method's"},
    )
    guidance: str | None = field(
        default=None,
        metadata={"help": "As in 2 (classifier-free), cfg[weight=2,high=1], auto, classifier.", "metavar": "W"},
    )
    device: str = as_in_run("device")
    weights: str | None = as_in_run("weights")


@dataclass(frozen=True)
class ScoreOptions:
    """The options of `bench score`. None means not given."""

    images: str = field(metadata={"metavar": "IMAGES"})
    data: str | None = as_in_run("data", shown="--reference")
    reference: str | None = as_in_run("reference")
    metrics: str | None = as_in_run("metrics")
    samples: int | None = field(
        default=None,
        metadata={"help": "Images in a seed block; more are further blocks.", "shown": "all of a source", "min": 2},
    )
    labels: str = as_in_run("labels")
    name: str | None = field(default=None, metadata={"help": "Of the row.", "metavar": "NAME", "shown": "the file's"})
    output: str | None = field(
        default=None,
        metadata={"help": "Run directory, to which the row is added.", "metavar": "DIR", "shown": "one a protocol"},
    )
    device: str = as_in_run("device")
    data_root: str | None = as_in_run("data_root")
    download: bool = as_in_run("download")


@dataclass(frozen=True)
class TuneOptions:
    """The options of `bench tune`. None means not given."""

    method: str = field(metadata={"metavar": "METHOD"})
    nfe: Counts = field(default="5,10", metadata={"help": "Budgets of network evaluations.", "metavar": "N,..."})
    dataset: str = field(default="digits", metadata={"help": "What the network was trained on.", "metavar": "NAME"})
    model: str | None = field(
        default=None,
        metadata={
            "help": "Run on this network: a recipe, FILE.safetensors, diffusers:DIR, package.module:function.",
            "metavar": "SPEC",
        },
    )
    recipe: str | None = field(
        default=None,
        metadata={"help": "Run on this recipe's checkpoint instead of the method's default.", "metavar": "NAME"},
    )
    images: int = field(default=64, metadata={"help": "Noise to search on.", "min": 8, "max": 4096})
    evaluations: int = field(
        default=80, metadata={"help": "Grids to try for each budget, at most.", "min": 10, "max": 100_000}
    )
    output: Path | None = field(
        default=None,
        metadata={"help": "Grid file.", "metavar": "FILE", "shown": "grids/DATASET-RECIPE-METHOD.json"},
    )
    device: str = as_in_run("device")
    weights: str | None = as_in_run("weights")
