"""Eight plug-ins in a package of their own, one file each and no other edit: listed, run, reported and gated."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pandas as pd
import pytest

from samplerbench.models import load, save

FILES = {
    "sampler.py": '''
        """A sampler."""

        from dataclasses import dataclass
        from itertools import pairwise

        from samplerbench.methods import Method, register


        @register("outside_euler")
        @dataclass(frozen=True)
        class OutsideEuler(Method):
            """x_s = alpha_s x0 + sigma_s eps: Euler's method in the noise level."""

            recipe = "outside_flow"
            order = 1

            def steps(self, field, x, times, noise):
                for now, then in pairwise(field.path.along(times)):
                    x = field(x, now).mix(then.alpha, then.sigma)
                    yield x
    ''',
    "recipe.py": '''
        """A recipe."""

        from dataclasses import dataclass

        from samplerbench.methods import Linear, Recipe, register, regression_loss


        @register("outside_flow")
        @dataclass(frozen=True)
        class OutsideFlow(Recipe):
            """|| v(x_t, t) - (eps - x0) ||^2 with t logit-normal."""

            path = Linear()
            target = "velocity"

            def loss(self, field, x0, label, noise, teacher):
                return regression_loss(field, x0, label, noise(x0[:, 0, 0, 0]).sigmoid(), noise)
    ''',
    "guidance.py": '''
        """A guidance."""

        from dataclasses import dataclass, field, replace
        from math import inf
        from typing import Annotated

        from samplerbench.methods import Between, Field, Guidance, GuidedField, register


        @register("outside_push")
        @dataclass(frozen=True)
        class OutsidePush(Guidance):
            """p + push (p - p_null)."""

            push: Annotated[float, Between(0, 100)] = field(default=1.0, metadata={"printed": True})
            low: float = 0.0
            high: float = inf

            neutral = 0.0
            strength = property(lambda self: self.push)

            def guide(self, field, guides):
                return Pushed(field, replace(field, label=None), self)


        @dataclass(frozen=True)
        class Pushed(GuidedField):
            field: Field
            null: Field
            guidance: Guidance

            def __call__(self, x, now, then=None):
                own, push = self.field(x, now, then), self.guidance.at(now)
                return replace(own, p=own.p + push * (own.p - self.null(x, now, then).p)) if push else own
    ''',
    "metric.py": '''
        """A metric."""

        from dataclasses import dataclass
        from typing import ClassVar

        from samplerbench.metrics.accumulators import Collect
        from samplerbench.metrics.base import METRICS, ImageMetric
        from samplerbench.metrics.column import Column


        @METRICS.register("outside_closeness")
        @dataclass(frozen=True)
        class OutsideCloseness(ImageMetric):
            """1 / (1 + d), d the distance between mean features."""

            columns: ClassVar = (
                Column(
                    "outside_closeness", "closeness", "higher", "{:.4f}",
                    "**closeness**: one over one plus the distance between mean features; higher is better.",
                ),
            )

            def accumulator(self, real):
                return Collect(lambda features: {"outside_closeness": closeness(features, real.reference)})


        def closeness(features, reference):
            return 1 / (1 + (features.mean(0) - reference.mean(0)).norm().item())
    ''',
    "encoder.py": '''
        """An encoder."""

        from dataclasses import dataclass

        from samplerbench.metrics.encoders.base import ENCODERS, Encoder, Encoding


        @ENCODERS.register("outside_rows")
        @dataclass(frozen=True)
        class OutsideRows(Encoder):
            """The mean of each row of pixels."""

            meaning = "the means of rows of pixels"

            def load(self, shape, device):
                return Encoding(shape[1], "none", lambda images: images.float().mean((1, 3)), device)
    ''',
    "dataset.py": '''
        """A data set."""

        from dataclasses import dataclass

        import torch

        from samplerbench.data.dataset import DATASETS, Dataset, Images


        @DATASETS.register("outside_squares")
        @dataclass(frozen=True)
        class OutsideSquares(Dataset):
            """Bright squares on the left or on the right of noisy images of 8x8."""

            resolution, channels, classes, preset, extractor = 8, 1, 2, "digits", "digits-cnn"
            metrics = ("fid", "outside_closeness")

            def load(self, root=None, download=False):
                generator = torch.Generator().manual_seed(0)
                images = torch.randint(0, 60, (300, 1, 8, 8), generator=generator, dtype=torch.uint8)
                labels = torch.arange(300) % 2
                images[labels == 0, :, 2:6, 0:4] += 180
                images[labels == 1, :, 2:6, 4:8] += 180
                return Images(images[:200], labels[:200], images[200:], labels[200:])
    ''',
    "condition.py": '''
        """A condition."""

        from dataclasses import dataclass

        from samplerbench.networks.conditions.base import CONDITIONS, Condition, Conditions, held_out, with_null


        @CONDITIONS.register("outside_brightness")
        @dataclass(frozen=True)
        class OutsideBrightness(Condition):
            """The mean brightness as a token."""

            def network(self, space):
                return {"context": 8}

            def training(self, source):
                return table(source.images.train, source.images.train_labels)

            def sampling(self, source):
                return table(*held_out(self, source))


        def table(images, labels):
            return Conditions(with_null(images.float().mean((1, 2, 3)).view(-1, 1, 1).expand(-1, 1, 8) / 255), labels)
    ''',
    "loader.py": '''
        """A loader of networks."""

        from dataclasses import dataclass, field

        import torch

        from samplerbench.methods import Linear
        from samplerbench.networks import ExternalNetwork
        from samplerbench.networks.model import MODELS, ExternalModel


        @MODELS.register("outside_shift")
        @dataclass(frozen=True)
        class OutsideShift(ExternalModel):
            """A constant velocity."""

            value: str = field(metadata={"argument": "NUMBER"})

            def record(self):
                value = float(self.value)
                return ExternalNetwork(
                    lambda x, t: torch.full_like(x, value), Linear(), "velocity", (1, 8, 8), digest=self.value
                )
    ''',
}  # fmt: skip
ENTRY_POINTS = """
    [samplerbench.methods]
    sampler = outside.sampler
    recipe = outside.recipe
    guidance = outside.guidance
    [samplerbench.metrics]
    metric = outside.metric
    [samplerbench.encoders]
    encoder = outside.encoder
    [samplerbench.datasets]
    dataset = outside.dataset
    [samplerbench.models]
    loader = outside.loader
    [samplerbench.conditions]
    condition = outside.condition
"""
CONTRACT = """
    from samplerbench.testing import contract

    test_sampler = contract("outside_euler")
    test_recipe = contract("outside_flow")
    test_guidance = contract("outside_push")
    test_metric = contract("outside_closeness")
    test_encoder = contract("outside_rows")
    test_dataset = contract("outside_squares")
    test_condition = contract("outside_brightness")
"""


@dataclass(frozen=True)
class Outside:
    """A Python with the package installed, in a folder that is neither ours nor its own."""

    installed: Path
    folder: Path

    def run(self, *arguments: str, expected: int = 0) -> str:
        """The output of `python -m ARGUMENTS`, which must exit with this code."""
        path = os.pathsep.join(filter(None, (str(self.installed), os.environ.get("PYTHONPATH"))))
        done = subprocess.run(
            [sys.executable, "-m", *arguments], cwd=self.folder, env=os.environ | {"PYTHONPATH": path},
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == expected, f"{arguments} exits with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def outside(tmp_path_factory) -> Outside:
    installed = tmp_path_factory.mktemp("site-packages")
    # What an installer writes for a package whose pyproject.toml declares these entry points.
    texts = {f"outside/{name}": text for name, text in FILES.items()} | {
        "outside/__init__.py": "",
        "outside-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n",
        "outside-1.0.dist-info/entry_points.txt": ENTRY_POINTS,
    }
    for name, text in texts.items():
        (installed / name).parent.mkdir(exist_ok=True)
        (installed / name).write_text(dedent(text))
    return Outside(installed, tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture(scope="module")
def runs(outside) -> dict[str, Path]:
    """Two runs of the sampler on the data set: of the trained network, and of one that predicts 0."""
    options = ["--dataset", "outside_squares", "--batch-size", "32"]
    settings = ["--iterations", "60", "--learning-rate", "0.01", "--ema-decay", "0.9", "--output", "trained"]
    outside.run("samplerbench", "train", "outside_flow", *options, *settings)
    trained = outside.folder / "trained" / "outside_squares" / "outside_flow.safetensors"
    checkpoint = load(trained)
    blank = {name: 0 * weight if "conv_out" in name else weight for name, weight in checkpoint.weights.items()}
    save(outside.folder / "blank" / "outside_squares" / trained.name, blank, checkpoint.metadata)

    options += ["--methods", "outside_euler", "--steps", "3", "--samples", "64", "--seeds", "0-3", "--no-timing"]
    options += ["--guidance", "outside_push[push=0.5]"]
    options += ["--metrics", "fid,outside_closeness,fd[encoder=outside_rows]"]
    for weights in ("trained", "blank"):
        outside.run("samplerbench", "run", *options, "--weights", weights, "--output", f"{weights}-run")
    return {weights: outside.folder / f"{weights}-run" for weights in ("trained", "blank")}


def test_all_are_listed(outside):
    listed = outside.run("samplerbench", "list")
    for name in ("euler", "flow", "push", "closeness", "rows", "squares", "shift", "brightness"):
        assert f"outside_{name}" in listed
    assert "Bright squares on the left or on the right" in listed


def test_its_loader_makes_networks_of_what_follows_the_colon(outside):
    options = ["--data", "outside_squares", "--samples", "32", "--steps", "2", "--no-timing", "--metrics", "fid"]
    models = "outside_shift:0.5,outside_shift:1.5"
    outside.run("samplerbench", "run", "--methods", "outside_euler", "--model", models, *options, "--output", "shifted")
    frame = pd.read_csv(outside.folder / "shifted" / "results.csv").set_index("recipe")
    assert frame["weights"].to_dict() == {f"outside_shift:{x}": f"outside_shift:{x}: outside_shift:{x} {x}"
                                          for x in ("0.5", "1.5")}  # fmt: skip
    assert frame["fid"]["outside_shift:0.5"] != frame["fid"]["outside_shift:1.5"]
    wrong = ["--methods", "outside_euler", "--model", "outside_shift:x", *options]
    outside.run("samplerbench", "run", *wrong, expected=2)


def test_a_run_has_the_column_of_the_metric(runs):
    frame = pd.read_csv(runs["trained"] / "results.csv")
    (row,) = frame.to_dict("records")
    assert (row["method"], row["recipe"], row["dataset"]) == ("outside_euler", "outside_flow", "outside_squares")
    assert (row["guidance"], row["nfe"], row["status"]) == ("outside_push[push=0.5]", 6, "ok")
    assert 0 < row["outside_closeness"] < 1
    assert row["fid"] > 0
    assert row["fd"] > 0
    assert "outside_closeness" in row["scores_per_seed"]


@pytest.mark.parametrize("report", ["report.md", "report.html"])
def test_the_report_shows_its_label_and_its_meaning(runs, report):
    text = (runs["trained"] / report).read_text(encoding="utf-8")
    assert "closeness" in text
    assert "FD (outside_rows)" in text
    assert "one over one plus the distance between mean features" in text
    value = pd.read_csv(runs["trained"] / "results.csv")["outside_closeness"][0]
    assert f"{value:.4f}" in text


@pytest.mark.parametrize(
    ("baseline", "current", "code", "verdict"),
    [
        ("trained", "trained", 0, "ok"),
        ("trained", "blank", 1, "regression"),
        ("blank", "trained", 0, "ok"),
    ],
)
def test_the_gate_judges_it_in_its_direction(outside, runs, baseline, current, code, verdict):
    rule = ("--fail-on", "outside_closeness:1%", "--format", "json")
    judged = outside.run("samplerbench", "compare", str(runs[baseline]), str(runs[current]), *rule, expected=code)
    found = {each["field"]: each["status"] for each in json.loads(judged)}
    assert found["outside_closeness"] == verdict


def test_an_author_runs_the_contract_with_one_line_a_plugin(outside):
    (outside.folder / "test_outside_plugins.py").write_text(dedent(CONTRACT))
    output = outside.run("pytest", "-q", "-p", "no:cacheprovider", "test_outside_plugins.py")
    assert int(output.split(" passed")[0].split()[-1]) > 58
