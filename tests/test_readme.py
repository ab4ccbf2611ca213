"""What the README shows works."""

import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.methods import METHODS, DiscreteVP, Field, get, sample

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCS = "\n".join(path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])


def test_the_methods_example_is_a_method(small_net):
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "@register" in block]
    try:
        exec(compile(code, "README.md", "exec"), {"__name__": "readme_example"})
        field = Field(small_net, DiscreteVP(), "eps")
        x = torch.randn(2, 1, 8, 8)
        ours = sample(get("my_sampler[strength=0.5]"), field, x, 5, None)
        torch.testing.assert_close(ours, sample(get("ddim"), field, x, 5, None))
    finally:
        METHODS._classes.pop("my_sampler", None)


@pytest.mark.parametrize("line", re.findall(r"^bench (.*)$", DOCS, re.M))
def test_every_command_is_one_that_exists(line):
    words = line.split("#")[0].split()
    command = words[:2] if words[0] == "baseline" else words[:1]
    shown = CliRunner().invoke(main, [*command, "--help"])
    assert shown.exit_code == 0, line
    for option in words:
        assert not option.startswith("--") or option in shown.output, f"{' '.join(command)} has no {option}"
