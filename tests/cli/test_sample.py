from pathlib import Path

import pytest


@pytest.mark.parametrize("guidance", [[], ["--guidance", "cfg[weight=2,high=1]"]])
def test_sample_writes_a_picture(guidance, invoke):
    result = invoke("sample", "flow", "--steps", "2", "--count", "5", "--output", "some/grid.png", *guidance)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"some/grid.png: 5 images, {3 if guidance else 2} network evaluations each\n"
    assert Path("some/grid.png").read_bytes().startswith(b"\x89PNG")
