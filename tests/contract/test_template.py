"""The package that docs/plugins.md describes, put together from its own words: it is found, and keeps the contract."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.S)


def block(page: str, language: str, mark: str) -> str:
    """The one code block of a page that contains this text."""
    (found,) = [text for text in blocks(page, language) if mark in text]
    return found


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The template as an installer leaves it; template(*arguments) is the output of `python -m ARGUMENTS` beside it."""
    installed, elsewhere = tmp_path_factory.mktemp("site-packages"), tmp_path_factory.mktemp("elsewhere")
    declared = block("docs/plugins.md", "toml", "[project]").replace('"', "")
    entry_points = re.sub(r"\[project\.entry-points\.(.*?)\].*", r"[\1]", declared)
    files = {
        "my_plugins/__init__.py": "",
        "my_plugins/sampler.py": block("README.md", "python", "@register"),
        "my_plugins/metric.py": block("docs/plugins.md", "python", '"mean_shift"').replace("mean_shift", "my_metric"),
        "my_plugins/encoder.py": block("docs/plugins.md", "python", '"edges"').replace('"edges"', '"my_encoder"'),
        "my_plugins/loader.py": block("docs/plugins.md", "python", "@MODELS").replace('"velocity")', '"my_loader")', 1),
        "my_plugins/images.py": block("docs/plugins.md", "python", '"cells"').replace('"cells"', '"my_images"'),
        "my_plugins/condition.py": block("docs/plugins.md", "python", "@CONDITIONS").replace(
            "brightness", "my_condition"
        ),
        "my_plugins-0.1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: my-plugins\nVersion: 0.1.0\n",
        "my_plugins-0.1.0.dist-info/entry_points.txt": entry_points[entry_points.index("[samplerbench.") :],
    }
    for name, text in files.items():
        (installed / name).parent.mkdir(exist_ok=True)
        (installed / name).write_text(text)
    (elsewhere / "test_contract.py").write_text(block("docs/plugins.md", "py", "import contract"))

    def run(*arguments: str) -> str:
        path = os.pathsep.join(filter(None, (str(installed), os.environ.get("PYTHONPATH"))))
        done = subprocess.run([sys.executable, "-m", *arguments], cwd=elsewhere, env=os.environ | {"PYTHONPATH": path},
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        assert done.stderr == ""
        return done.stdout

    return run


def test_the_plug_ins_of_the_template_are_listed(template):
    listed = template("samplerbench", "list")
    for name in ("my_sampler", "my_metric", "my_encoder", "my_images", "my_condition"):
        assert f"\n  {name}" in listed


def test_the_sampler_of_the_template_keeps_the_contract(template):
    assert "checks hold" in template("samplerbench", "check", "my_sampler")


def test_the_test_of_the_template_passes(template):
    output = template("pytest", "-q", "-p", "no:cacheprovider", "test_contract.py")
    assert int(output.split(" passed")[0].split()[-1]) > 20
