"""README, docs and CONTRIBUTING match the code: commands exist, snippets run, links and paths resolve."""

import re
import runpy
import shlex
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path
from unittest import SkipTest

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import samplerbench
from samplerbench.cli.main import main
from samplerbench.data.dataset import DATASETS
from samplerbench.methods import GRIDS, GUIDANCES, METHODS, RECIPES, DiscreteVP, Field, get, sample, split_specs
from samplerbench.metrics.base import METRICS, Features
from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.networks.conditions.base import CONDITIONS, Source
from samplerbench.networks.model import MODELS, get_model, load_model
from samplerbench.testing import checks

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = [line for page in PAGES for line in re.findall(r"^bench (.*)$", page.read_text().replace("\\\n", ""), re.M)]
NAMED = {"--methods": METHODS, "--metrics": METRICS, "--recipe": RECIPES, "--dataset": DATASETS}


def text(name: str) -> str:
    return (ROOT / name).read_text()


def python_blocks(name: str, marker: str = "") -> list[str]:
    """The snippets of a page; with a marker, those under it alone."""
    before = rf"<!-- {marker} -->\n" if marker else ""
    return re.findall(rf"{before}```python\n(.*?)```", text(name), re.S)


def run(code: str, **names: object) -> dict[str, object]:
    """The names that a snippet defines, given these."""
    names["__name__"] = "documentation"
    exec(compile(code, "documentation", "exec"), names)
    return names


def slug(heading: str) -> str:
    """The anchor that code hosts give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# Commands


@pytest.mark.parametrize("line", COMMANDS)
def test_documented_command_exists_with_its_options(line):
    words = shlex.split(line, comments=True)
    command = words[:2] if words[0] == "baseline" else words[:1]
    shown = CliRunner().invoke(main, [*command, "--help"])
    assert shown.exit_code == 0, line
    known = set(re.findall(r"--[\w-]+", shown.output))
    assert {word for word in words if word.startswith("--")} <= known | {"--help", "--version"}


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("run")])
def test_documented_command_names_registered_plugins(line):
    words = shlex.split(line, comments=True)
    for option, value in pairwise(words):
        for spec in split_specs(value) if option in NAMED and value != "all" else ():
            NAMED[option].get(spec)


@pytest.mark.parametrize("marker", ["run", "test"])
def test_readme_marks_the_commands_that_ci_runs(marker):
    block = re.search(rf"^<!-- {marker} -->\n```sh\n(.*)\n```$", text("README.md"), re.M)
    assert block[1].startswith("python3 -m venv .venv && .venv/bin/pip install -c constraints.txt ")


# Snippets


def test_readme_method_example_is_ddim_and_keeps_the_contract(small_net):
    (code,) = [block for block in python_blocks("README.md") if "@register" in block]
    with METHODS.temporarily():
        run(code)
        for _, check in checks("my_sampler"):
            check()
        field, x = Field(small_net, DiscreteVP(), "eps"), torch.randn(2, 1, 8, 8)
        ours = sample(get("my_sampler[strength=0.5]"), field, x, 5, None)
    torch.testing.assert_close(ours, sample(get("ddim"), field, x, 5, None))


def test_own_model_snippets_match_the_diffusers_scheduler():
    from diffusers import DDIMScheduler, UNet2DModel

    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(16, 16),
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
    ).eval()
    first, second = python_blocks("docs/models.md", "own model")
    names = run(second, **run(first, unet=unet, shape=(2, 1, 8, 8)))
    assert names["images"].isfinite().all()

    scheduler = DDIMScheduler(timestep_spacing="trailing", clip_sample=False)
    scheduler.set_timesteps(10)
    theirs = names["x"]
    with torch.inference_mode():
        for timestep in scheduler.timesteps:
            theirs = scheduler.step(unet(theirs, timestep).sample, timestep, theirs).prev_sample
        ours = sample(get("ddim"), names["field"], names["x"], 10, None, "trailing")
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * theirs.abs().max().item())


def test_records_in_the_docs_are_models(tmp_path, monkeypatch):
    code = "\n".join(python_blocks("docs/models.md", "record"))
    (tmp_path / "documented.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    weights = run(code)["Score"]().state_dict()
    torch.save({"ema": {f"module.{name}": value for name, value in weights.items()}}, "score.pt")
    specs = [f"documented:{name}" for name in re.findall(r"^def (\w+)\(\):", code, re.M)]
    frame = samplerbench.run(
        "ddim,dpmpp_2m", steps=3, model=specs, batch_size=2, quality=False, output=tmp_path / "out"
    )
    assert len(specs) == 3
    assert set(frame["status"]) == {"ok"}
    assert set(frame["recipe"]) == set(specs)


@pytest.fixture
def examples():
    """The names that the examples in docs/plugins.md define, registered for the time of a test."""
    with ExitStack() as stack:
        for registry in (RECIPES, GUIDANCES, GRIDS, METRICS, ENCODERS, DATASETS, MODELS, CONDITIONS):
            stack.enter_context(registry.temporarily())
        names = {}
        for block in python_blocks("docs/plugins.md"):
            names |= run(block)
        yield names


def test_loader_example_reads_a_file(examples, tmp_path):
    net = examples["Velocity"]()
    torch.save({"ema": net.state_dict(), "net": examples["Velocity"]().state_dict()}, tmp_path / "net.pt")
    network = load_model(get_model(f"velocity:{tmp_path / 'net.pt'}"), torch.device("cpu"), torch.float32)
    x, t = torch.randn(2, 1, 8, 8), torch.rand(2)
    torch.testing.assert_close(network.net(x, t), net(x, t))


def test_recipe_example_has_zero_loss_on_the_exact_prediction(examples):
    x0, eps = torch.randn(2, 4, 1, 8, 8)
    recipe = RECIPES.get("v_linear")

    def exact(x, t, label=None):
        now = recipe.path.at(t)
        return now.alpha * eps - now.sigma * x0

    field = Field(exact, recipe.path, recipe.target)
    loss = recipe.loss(field, x0, None, lambda x: eps if x.shape == eps.shape else torch.randn_like(x), None)
    torch.testing.assert_close(loss, torch.zeros(4))


def test_guidance_example_fades_from_its_weight_to_none(examples):
    def net(x, t, label=None):
        return torch.full_like(x, 0.0 if label is None else 1.0)

    path, label, x = DiscreteVP(), torch.zeros(2, dtype=torch.long), torch.randn(2, 1, 8, 8)
    guided = GUIDANCES.get("fading[weight=3]").guide(Field(net, path, "eps", label), None)
    start, middle, end = path.along(torch.tensor([1.0, 0.5, 0.0]))
    assert [guided(x, now).p.mean().item() for now in (start, middle, end)] == pytest.approx([3, 2, 1])


def test_grid_example_ends_at_data(examples):
    times = GRIDS.get("power[exponent=2]")(4, DiscreteVP())
    assert times.tolist() == [1, 9 / 16, 1 / 4, 1 / 16, 0]


def test_metric_example_measures_the_distance_of_means(examples, real):
    metric = METRICS.get("mean_shift")
    accumulator = metric.accumulator(real)
    for part in (real.reference + 2).split(100):
        accumulator.update(Features(part))
    assert accumulator.columns() == {metric.columns[0].name: pytest.approx(2 * real.width**0.5)}


def test_encoder_example_measures_edges_down_and_across(examples):
    image = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    image[..., 2:, :] = 255  # from -1 to 1 between the second and the third row
    encoding = ENCODERS.get("edges").load((1, 4, 4), torch.device("cpu"))
    assert encoding(image).tolist() == [[0, 2, 0, 0, 0, 0, 0]]


def test_data_set_example_reads_its_file(examples, tmp_path):
    with pytest.raises(examples["InputError"], match="--data-root"):
        DATASETS.get("cells").load(str(tmp_path))
    images, labels = np.zeros((4, 3, 32, 32), np.uint8), np.arange(4)
    np.savez(tmp_path / "cells.npz", train=images, train_labels=labels, test=images[:2], test_labels=labels[:2])
    loaded = DATASETS.get("cells").load(str(tmp_path))
    assert (loaded.train_labels.tolist(), loaded.test_labels.tolist()) == ([0, 1, 2, 3], [0, 1])


def test_condition_example_gives_each_image_its_brightness(examples, digits):
    table = CONDITIONS.get("brightness").sampling(Source(DATASETS.get("digits"), digits))
    expected = digits.test.double().mean((1, 2, 3)) / 255
    torch.testing.assert_close(table.rows[:-1], expected.float().view(-1, 1, 1, 1).expand(-1, 1, 8, 8))
    assert not table.rows[-1].any()


@pytest.mark.parametrize("name", ["v_linear", "fading", "power", "mean_shift", "edges", "cells", "brightness"])
def test_plugin_examples_keep_the_contract(examples, name):
    for _, check in checks(name):
        with suppress(SkipTest):  # the images of `cells` are not there
            check()


def test_documented_entry_point_groups_are_searched():
    from samplerbench.methods.core.discovery import GROUPS

    documented = re.findall(r'\[project\.entry-points\."(.*?)"\]', text("docs/plugins.md"))
    kinds = ("methods", "metrics", "encoders", "models", "datasets", "conditions")
    assert documented == [f"samplerbench.{kind}" for kind in kinds]
    assert set(documented) <= set(GROUPS)


# Figures, links and paths


def test_readme_figure_is_drawn_from_committed_results():
    drawing = runpy.run_path(str(ROOT / "docs/pictures/draw.py"))
    lines = drawing["draw"](drawing["load"]()).axes[0].lines
    assert len(lines) == len(drawing["SOLVERS"]) + len(drawing["STUDENTS"]) + 1  # the floor
    assert all(len(line.get_xdata()) and np.isfinite(line.get_ydata()).all() for line in lines)


def test_tables_in_the_texts_are_those_of_the_committed_results():
    drawing = runpy.run_path(str(ROOT / "docs/tables.py"))
    for page in drawing["TABLES"]:
        assert drawing["written"](page) == text(page), f"{page}: run docs/tables.py"


def test_readme_is_short():
    assert len(text("README.md").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_internal_links_resolve(page):
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(), re.M)
            assert anchor in map(slug, headings), target


def test_contributing_names_real_paths():
    spans = re.findall(r"`((?:bench|methods|models|results|tests|docs|\.github)/[\w./-]*)`", text("CONTRIBUTING.md"))
    assert len(spans) > 20
    assert [span for span in spans if "MODULE" not in span and not (ROOT / span).exists()] == []


def test_contributing_maps_every_package():
    folders = {path.parent for folder in ("bench", "methods") for path in (ROOT / folder).glob("*/__init__.py")}
    missing = [
        str(path.relative_to(ROOT)) for path in folders if f"`{path.relative_to(ROOT)}/`" not in text("CONTRIBUTING.md")
    ]
    assert missing == []


def test_pre_commit_runs_the_pinned_ruff():
    (pinned,) = re.findall(r"^ruff==.*$", text("constraints.txt"), re.M)
    assert set(re.findall(r"ruff==[\d.]+", text(".pre-commit-config.yaml"))) == {pinned}
