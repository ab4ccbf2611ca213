"""What rows are called, and how they are told apart."""

import pandas as pd
import pytest

from samplerbench.store.columns import typed
from samplerbench.store.labels import grids, guided, label, names, recipes
from samplerbench.store.results import load


def rows(*changes: dict) -> pd.DataFrame:
    plain = {"method": "a", "recipe": "ddpm", "grid": "uniform", "steps": 4, "dtype": "float32", "compiled": "false"}
    plain |= {"protocol": "p"}
    frame = pd.DataFrame([plain | {"steps": steps, "run": ""} | change for steps, change in enumerate(changes)])
    return typed(frame.drop(columns="run")).assign(run=frame["run"])


def test_rows_that_differ_in_nothing_but_their_steps_share_a_name():
    assert names(rows({}, {"options": "eta=1.0"}, {"method": "b"})) == ["a", "a[eta=1.0]", "b"]


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("recipe", ["ddpm", "flow"], ["a, ddpm", "a, flow"]),
        ("condition", ["inpaint", "inpaint[mask=left]"], ["a, inpaint", "a, inpaint[mask=left]"]),
        ("condition", ["", "text"], ["a, unconditional", "a, text"]),
        ("grid", ["uniform", "karras"], ["a, uniform", "a, karras"]),
        ("guidance", ["", "2"], ["a, unguided", "a, guidance 2"]),
        ("guidance", ["2", "cfg[weight=2.0]"], ["a, guidance 2", "a, cfg[weight=2.0]"]),
        ("dtype", ["float32", "float16"], ["a, float32", "a, float16"]),
        ("compiled", ["false", "true"], ["a, not compiled", "a, compiled"]),
    ],
)
def test_a_column_in_which_rows_of_a_method_differ_is_added(column, values, expected):
    same = {column: values[0], "method": "other"}
    assert names(rows(*({column: value} for value in values), same)) == [*expected, "other"]


def test_only_what_still_differs_is_added():
    """The recipe tells these rows apart, so that their grids need not be mentioned."""
    found = names(rows({"recipe": "ddpm", "grid": "uniform"}, {"recipe": "flow", "grid": "karras"}))
    assert found == ["a, ddpm", "a, flow"]


def test_the_run_is_added_where_two_runs_measured_the_same_cell():
    again = {"steps": 3, "run": "one"}, {"steps": 3, "run": "two"}, {"steps": 5, "run": "two"}
    assert names(rows(*again, {"method": "b", "run": "two"})) == ["a, one", "a, two", "a, two", "b"]
    adaptive = {"steps": pd.NA, "run": "one"}, {"steps": pd.NA, "run": "two"}
    assert names(rows(*adaptive)) == ["a, one", "a, two"]


def test_a_student_for_each_step_count_is_one_method(tmp_path, write_run, cell):
    each = [cell("progressive", 5.0, steps=steps, recipe=f"progressive[steps={steps}]") for steps in (1, 2, 4)]
    assert set(load(write_run(tmp_path / "a", *each)).rows["name"]) == {"progressive"}, "one line in every chart"
    one = [cell("cd", 5.0, recipe="cd[loss=a]"), cell("cd", 6.0, recipe="flow")]
    assert load(write_run(tmp_path / "b", *one)).rows["name"].tolist() == ["cd, cd[loss=a]", "cd, flow"]
    two = [cell("cd", 5.0 + steps, steps=steps, recipe=f"cd[loss={x}]") for x in "ab" for steps in (1, 2)]
    assert set(load(write_run(tmp_path / "c", *two)).rows["name"]) == {"cd, cd[loss=a]", "cd, cd[loss=b]"}


def test_recipes_lose_their_options_only_where_steps_identify_them():
    def told(*pairs: tuple[str, int]) -> list[str]:
        records = [{"recipe": recipe, "steps": steps} for recipe, steps in pairs]
        return recipes(records, ["kind"] * len(pairs))

    assert told(("p", 1), ("p[steps=2]", 2)) == ["p", "p"]
    assert told(("p[x=1]", 1), ("p[x=1]", 2)) == ["p[x=1]"] * 2, "one recipe only"
    assert told(("p[x=1]", 1), ("p[x=2]", 1)) == ["p[x=1]", "p[x=2]"], "at the same step count"
    assert told(("p[x=1]", 1), ("p[x=1]", 2), ("p[x=2]", 4)) == ["p[x=1]", "p[x=1]", "p[x=2]"]
    assert told(("p[x=1]", 1), ("q[x=2]", 2)) == ["p[x=1]", "q[x=2]"], "two families"


def test_default_grids_are_marked_only_beside_others():
    uniform = {"grid": "uniform", "own_grid": "true"}
    karras = {"grid": "karras", "own_grid": "false"}
    none = {"grid": "", "own_grid": "true"}
    assert grids([uniform, none]) == ["uniform", ""]
    assert grids([uniform, karras, none]) == ["uniform (default)", "karras", ""]


def test_labels_of_methods_and_guidances():
    assert label({"method": "ddim", "options": "eta=0.5"}) == "ddim[eta=0.5]"
    assert label({"method": "ddim", "options": ""}) == "ddim"
    assert [guided(text) for text in ("", "2", "cfg[weight=2.0]")] == ["", "guidance 2", "cfg[weight=2.0]"]
