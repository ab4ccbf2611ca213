import json

import pytest
import torch

from samplerbench.methods import DiscreteVP, Field, Linear, SpecError, TunedGrid, get, get_grid, is_grid_file, sample

TIMES = {"1": [1, 0], "3": [0.9, 0.4, 0.1, 0.0]}
FACTS = {"format": "samplerbench grid 1", "method": "ddim", "recipe": "ddpm", "path": repr(DiscreteVP())}


@pytest.fixture
def write(tmp_path):
    """write(**changes): the path of a grid file with these changes; None removes a key."""
    file = tmp_path / "mine.json"

    def write(**changes) -> str:
        content = {key: value for key, value in (FACTS | {"times": TIMES} | changes).items() if value is not None}
        file.write_text(json.dumps(content))
        return str(file)

    return write


def test_a_grid_file_has_the_times_in_it(write, small_net):
    grid = get_grid(write())
    assert grid(3, DiscreteVP()).tolist() == TIMES["3"]
    assert grid(1, DiscreteVP()).dtype == torch.float64
    assert str(grid) == grid.file

    x, field = torch.randn(2, 1, 8, 8), Field(small_net, DiscreteVP(), "eps")
    *_, expected = get("ddim").steps(field, x, torch.tensor(TIMES["3"], dtype=torch.float64), None)
    torch.testing.assert_close(sample(get("ddim"), field, x, 3, None, grid=write()), expected, rtol=0, atol=0)


def test_a_grid_file_may_end_above_zero(write):
    assert get_grid(write(times={"2": [1, 0.5, 0.1]}))(2, DiscreteVP()).tolist() == [1, 0.5, 0.1]


def test_other_step_counts_and_other_paths_are_errors_that_say_what_to_do(write):
    grid = get_grid(write())
    with pytest.raises(SpecError, match=r"has no 2 steps, only 1, 3: use one of these, or .* `bench tune ddim`"):
        grid(2, DiscreteVP())
    with pytest.raises(SpecError, match=r"tuned on the path DiscreteVP\(.*\); on Linear\(\) .* use the recipe ddpm"):
        grid(3, Linear())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"format": "another"}, "it has no format 'samplerbench grid 1'"),
        ({"recipe": None}, "it has no 'recipe'"),
        ({"path": 3}, "it has no 'path'"),
        ({"times": None}, "it has no times"),
        ({"times": {}}, "it has no times"),
        ({"times": {"2": [1, 0]}}, "its times for 2 steps"),
        ({"times": {"2": [1, 0.5, -0.1]}}, "its times for 2 steps"),
        ({"times": {"2": [1.1, 0.5, 0]}}, "its times for 2 steps"),
        ({"times": {"1": [1, 0], "2": [1, 1, 0]}}, "its times for 2 steps"),
        ({"times": {"2": [1, "0.5", 0]}}, "its times for 2 steps"),
        ({"times": {"2": [1, True, 0]}}, "its times for 2 steps"),
        ({"times": {"0": [0]}}, "its times for 0 steps"),
    ],
)
def test_an_invalid_grid_file_is_an_error_with_the_reason(write, changes, problem):
    with pytest.raises(SpecError, match="is not a grid file of `bench tune`: ") as caught:
        get_grid(write(**changes))
    assert problem in str(caught.value)


def test_a_missing_or_unreadable_file_is_an_error(tmp_path):
    with pytest.raises(SpecError, match=r"There is no grid file at .*nowhere\.json"):
        get_grid(str(tmp_path / "nowhere.json"))
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(SpecError, match="cannot be read as a grid file"):
        get_grid(str(tmp_path / "broken.json"))


def test_the_digest_depends_on_times_and_path_only(write):
    digest = TunedGrid(write()).digest
    assert len(digest) == 12
    assert TunedGrid(write(method="heun", recipe="subvp", note="later")).digest == digest
    assert TunedGrid(write(times=TIMES | {"1": [0.99, 0]})).digest != digest
    assert TunedGrid(write(path=repr(Linear()))).digest != digest


def test_paths_and_json_names_are_grid_files_and_other_specs_are_registered_grids(write):
    assert is_grid_file("mine.json")
    assert is_grid_file("here/mine")
    assert not is_grid_file("karras[rho=5]")
    assert str(get_grid("karras[rho=5]")) == "karras[rho=5.0]"
    with pytest.raises(SpecError, match=r"No grid is named 'kerras'\. Did you mean 'karras'\?"):
        get_grid("kerras")
