"""Shared fixtures: an exact field, a small network, the digits and their features."""

import functools
import json
import os
import pathlib
from dataclasses import dataclass, replace

if "PYTEST_XDIST_WORKER" in os.environ:  # the processes share the cores; set before torch is imported, here and below
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from hypothesis import settings
from torch import Tensor, nn

from samplerbench import models
from samplerbench.cli.main import main
from samplerbench.data.dataset import DATASETS, Images
from samplerbench.data.mnist5k import MNIST5k
from samplerbench.methods import Path
from samplerbench.metrics.column import Column
from samplerbench.store.columns import to_csv, typed
from samplerbench.testing import exact
from samplerbench.testing.small_net import SmallNet
from samplerbench.training.options import TrainOptions
from samplerbench.training.plan import plan_chain

settings.register_profile("shared-machine", deadline=None, derandomize=True)
settings.load_profile("shared-machine")


@dataclass(frozen=True)
class Gaussian(exact.Gaussian):
    """Independent Gaussian pixels, with the flow in closed form."""

    def flow(self, path: Path, x: Tensor, start: float, end: float) -> Tensor:
        """The solution of the probability-flow ODE at time `end`, from x (B, C, H, W) at time `start`."""
        now, then = path.along(torch.tensor([start, end], dtype=torch.float64))
        scale = (((then.alpha * self.std) ** 2 + then.sigma**2) / ((now.alpha * self.std) ** 2 + now.sigma**2)).sqrt()
        return then.alpha * self.mean + scale * (x - now.alpha * self.mean)


@pytest.fixture(scope="session")
def gaussian() -> Gaussian:
    """Images of 4x4, with a different mean and standard deviation at every pixel."""
    generator = torch.Generator().manual_seed(0)
    shape = (1, 1, 4, 4)
    mean = torch.rand(shape, generator=generator, dtype=torch.float64) - 0.5
    std = 0.2 + torch.rand(shape, generator=generator, dtype=torch.float64)
    return Gaussian(mean, std)


@pytest.fixture(scope="session")
def small_net() -> SmallNet:
    """A smooth network net(x, t, label, s) with fixed random weights, in float32."""
    return SmallNet().requires_grad_(False)


@pytest.fixture(scope="session")
def digits():
    from samplerbench.data.dataset import DATASETS

    return DATASETS.get("digits").load()


@pytest.fixture(scope="session")
def real(digits):
    from samplerbench.metrics.extractors import Extractor
    from samplerbench.metrics.reference import RealFeatures

    return RealFeatures(digits, Extractor("digits-cnn", torch.device("cpu")))


# Run directories as `bench run` writes them, for the tests of reports and of the store.

SPREAD = np.array([0.3, -0.2, 0.1, 0.0, -0.2])  # of the seed blocks, which all methods share: it cancels in pairs
JITTER = {"a": np.array([1, -1, 1, -1, 0]), "b": np.array([-1, 0, 1, 1, -1]), "c": np.array([0, 1, -1, 1, -1])}
METRIC_COLUMNS = [
    Column(
        "fid", "FID", "lower", spread="blocks", floor="fid_floor", floor_spread="fid_floor_sd", ceiling="fid_ceiling",
        extractor=True, label_exact="Frechet distance", meaning="**{label}**: of {samples} images, `{protocol}`.",
    ),
    Column("fid_floor", meaning="**real images**: the floor, of {floor_images} images."),
    Column("fid_floor_sd"),
    Column("fid_ceiling"),
    Column("trajectory_rmse", "trajectory RMSE", "lower", meaning="**trajectory RMSE**: error of the pixels."),
    Column("order", "order", format="{:.2f}"),
    Column("order_declared", "declared order", format="{:g}"),
]  # fmt: skip


def _cell(method: str, fid: float, steps: int = 10, blocks: int = 5, jitter: str = "a", **changes) -> dict:
    values = (fid + SPREAD + 0.02 * JITTER[jitter])[:blocks]
    half = 2.776 * values.std(ddof=1) / blocks**0.5 if blocks > 1 else np.nan
    row = {
        "method": method, "options": "", "recipe": "ddpm", "dataset": "digits", "resolution": 8, "grid": "uniform",
        "steps": steps, "nfe": steps, "guidance": "", "seeds": ",".join(map(str, range(blocks))), "samples": 1000,
        "fid": values.mean(), "fid_ci_low": values.mean() - half, "fid_ci_high": values.mean() + half,
        "fid_floor": 3.0, "fid_floor_sd": 0.21, "fid_ceiling": 311.0,
        "scores_per_seed": json.dumps({"fid": values.tolist()}),
        "latency_s": 0.06 * steps, "latency_iqr_s": 0.001, "images_per_s": 4000 / steps, "overhead_ratio": 1.01,
        "device": "cpu", "dtype": "float32", "batch_size": 256, "compiled": "false", "status": "ok", "error": "",
        "cell": f"{method}{steps}", "protocol": "p", "commit": "c", "utc": "2026-01-01T00:00:00+00:00",
        "command": f"bench run --methods {method} --steps {steps}",
    }  # fmt: skip
    return row | changes


def _write_run(
    folder: pathlib.Path, *rows: dict, device: str = "cpu (A)", columns: list[Column] | None = None, **quality
) -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.csv").write_text(to_csv(typed(pd.DataFrame(list(rows)))))
    facts = {
        "command": "bench run",
        "sweep": {"methods": ["ddpm"], "dataset": "digits", "dtype": "float32", "preset": None},
        "environment": {"python": "3.11", "device": device, "threads": 2, "packages": {"samplerbench": "0.1.0"}},
        "checkpoints": {"ddpm": "shipped 123"},
        "protocol": rows[0]["protocol"] if rows else "p",
        "quality": {
            "dataset": "digits", "reference_images": 797, "floor_images": 1000, "extractor": "digits-cnn",
            "features": 64, "samples": 1000, "seeds": [0, 1, 2, 3, 4],
        } | quality,
        "columns": [column.to_json() for column in (METRIC_COLUMNS if columns is None else columns)],
        "commit": "c",
        "utc": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(facts))
    return folder


@pytest.fixture(scope="session")
def cell():
    """cell(method, fid, steps=10, blocks=5, jitter="a", **changes): a row, whose blocks share their noise."""
    return _cell


@pytest.fixture(scope="session")
def failed():
    """failed(method, error): the row of a cell that failed."""
    missing = "nfe fid fid_ci_low fid_ci_high latency_s images_per_s overhead_ratio".split()
    return lambda method, error: _cell(method, 1.0, status="failed", error=error) | dict.fromkeys(missing, np.nan)


@pytest.fixture(scope="session")
def write_run():
    """write_run(folder, *rows, device=..., columns=..., **quality): a run directory, all under one protocol."""
    return _write_run


@pytest.fixture(scope="session")
def add_seconds():
    """add_seconds(run, **seconds): the run, with one session, which spent these on its parts ("start_up": start-up)."""

    def add(run: pathlib.Path, **seconds: float) -> pathlib.Path:
        facts = json.loads((run / "run.json").read_text())
        spent = {name.replace("_", "-"): value for name, value in seconds.items()}
        (run / "run.json").write_text(json.dumps(facts | {"sessions": [{"command": "bench run", "seconds": spent}]}))
        return run

    return add


@pytest.fixture(scope="session")
def metric_columns() -> list[Column]:
    """The columns of metrics that `write_run` records by default."""
    return METRIC_COLUMNS


@pytest.fixture(scope="session")
def bench_report():
    """bench_report(*arguments): the result of `bench report`, as click's runner gives it."""
    return lambda *arguments: CliRunner().invoke(main, ["report", *map(str, arguments)])


# Networks, loaded once and shared: a test that hooks into one removes its hook.


@pytest.fixture(scope="session")
def load():
    """load(recipe, dataset="digits"): the shipped network or the closed form, on the CPU in float32 or float64."""
    from samplerbench.data.dataset import DATASETS
    from samplerbench.networks.checkpoints import load_network

    @functools.cache
    def load(recipe: str, dataset: str = "digits"):
        return load_network(recipe, DATASETS.get(dataset), None, torch.device("cpu"))

    return load


@pytest.fixture(scope="session")
def flow_network(load):
    return load("flow")


@pytest.fixture(scope="session")
def ddpm_network(load):
    return load("ddpm")


STUDENT_COST = {"iterations": 12_500, "seconds": 81.5, "teacher_nfe": 1_234_567}


@pytest.fixture(scope="session")
def make_student():
    """make_student(folder, weights="flow", **metadata): a checkpoint of `ot_flow`, as if distilled from `flow`.

    Its weights are shipped ones, which `ot_flow` reads as `flow` does.
    """
    from samplerbench.models import load, save, shipped

    facts = {"recipe": "ot_flow", "teacher": "flow", "origin": "flow", "cost": json.dumps(STUDENT_COST)}

    def make(folder: pathlib.Path, weights: str = "flow", **metadata: str) -> None:
        source = load(shipped("digits", weights))
        path = pathlib.Path(folder, "digits", "ot_flow.safetensors")
        save(path, source.weights, source.metadata | facts | metadata)

    return make


@pytest.fixture(scope="session")
def random_vit():
    """random_vit(side=37): DINOv2's transformer of 64 features in 2 blocks, its weights far from their initial ones."""
    from samplerbench.models.vit import VisionTransformer

    def make(side: int = 37) -> VisionTransformer:
        torch.manual_seed(0)
        net = VisionTransformer(64, 2, side).eval()
        for parameter in net.parameters():
            nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 0.5)
        return net.requires_grad_(False)

    return make


@pytest.fixture(scope="session")
def guided_network(flow_network):
    """The network of `flow` with the networks that any guidance needs."""
    from samplerbench.data.dataset import DATASETS
    from samplerbench.methods import get_guidance
    from samplerbench.networks.guides import with_guides

    return with_guides(
        flow_network, [get_guidance(spec) for spec in ("auto", "classifier")], DATASETS.get("digits"), None
    )


# A few images of mnist5k, and networks of them and of their latents, with random weights.


@functools.cache
def _few_images() -> Images:
    images = MNIST5k().load()
    return Images(images.train[:120], images.train_labels[:120], images.test[:60], images.test_labels[:60], True)


@dataclass(frozen=True)
class Few(MNIST5k):
    """120 images of mnist5k for training, and 60 held out."""

    def load(self, root=None, download=False):
        return _few_images()


@pytest.fixture
def few():
    """The data set `few`, registered."""
    with DATASETS.temporarily():
        DATASETS.register("few")(Few)
        yield DATASETS.get("few")


@pytest.fixture(scope="session")
def few_weights(tmp_path_factory) -> pathlib.Path:
    """The folder of the checkpoints of `few`, as short trainings write them. Read only."""
    options = TrainOptions("few", iterations=2, batch_size=8, device="cpu", output=str(tmp_path_factory.mktemp("few")))
    weak, latent = {"weak": True}, {"latent": "kl"}
    trainings = [("autoencoder", {}), ("flow", latent), ("flow", latent | weak), ("superres", latent)]
    with DATASETS.temporarily():
        DATASETS.register("few")(Few)
        for name, changes in [*trainings, *((name, each) for name in ("text", "inpaint") for each in ({}, weak))]:
            (training,) = plan_chain(name, replace(options, **changes))
            assert list(training.run()) == [], "too short for progress"
            if name != "autoencoder":
                _randomise(training.output)
    return pathlib.Path(options.output)


def _randomise(file: pathlib.Path) -> None:
    """As far from zero as the weights of a trained network, so that the output depends on all inputs."""
    checkpoint, generator = models.load(file), torch.Generator().manual_seed(0)
    weights = {
        name: value + torch.randn(value.shape, generator=generator) / value[0].numel() ** 0.5
        for name, value in checkpoint.weights.items()
    }
    models.save(file, weights, checkpoint.metadata)
