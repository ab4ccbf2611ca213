import json

import pytest

from samplerbench.errors import InputError
from samplerbench.methods import DiscreteVP, SpecError, get, get_recipe
from samplerbench.sweep.grids import own_grid
from samplerbench.sweep.plan import Job, Sweep, evaluations, expand, normalise


def jobs(**options) -> list[Job]:
    return expand(normalise(Sweep(**options)))


def test_a_sweep_is_every_method_at_every_step_count():
    found = jobs(methods="ddim[eta=0.5],flow", steps="10,50,10")
    assert [str(job) for job in found] == [
        "ddim[eta=0.5] 10 steps", "ddim[eta=0.5] 50 steps", "flow 10 steps", "flow 50 steps",
    ]  # fmt: skip
    assert [(job.recipe, job.grid) for job in found] == [("ddpm", "uniform")] * 2 + [("flow", "uniform")] * 2


def test_lists_may_be_sequences_or_text():
    assert jobs(methods=["ddim", "flow"], steps=[10, 50]) == jobs(methods="ddim,flow", steps="10,50")
    assert normalise(Sweep(seeds="0-2,7")).seeds == normalise(Sweep(seeds=[0, 1, 2, 7])).seeds == (0, 1, 2, 7)


def test_any_method_runs_on_any_recipe_and_grid():
    (job,) = jobs(methods="ddim", steps="5", recipe="flow", grid="karras[rho=5]")
    assert (job.recipe, job.grid) == ("flow", "karras[rho=5.0]")


def test_an_adaptive_method_is_one_cell_without_steps():
    found = jobs(methods="flow[solver=dopri5],ddim", steps="5,10")
    assert [(job.steps, job.grid) for job in found] == [(None, None), (5, "uniform"), (10, "uniform")]


@pytest.mark.parametrize("budget", [1, 2, 3, 7, 10, 50])
def test_a_budget_is_never_overspent_nor_left_unused(budget):
    for job in jobs(methods="ddim,flow,flow[solver=heun],pf_ode[solver=heun],pf_ode[solver=rk4]", nfe=str(budget)):
        if job.skip:
            assert evaluations(job.method, get_recipe(job.recipe), 1, job.grid) > budget
        else:
            spent = [evaluations(job.method, get_recipe(job.recipe), job.steps + more, job.grid) for more in (0, 1)]
            assert spent[0] <= budget < spent[1]


def test_adaptive_methods_keep_to_no_budget_and_say_so():
    adaptive, stepped = jobs(methods="flow[solver=dopri5],ddim", nfe="10")
    assert "no budget" in adaptive.skip
    assert (stepped.steps, stepped.skip) == (10, "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": "0"}, "--steps must be 1 or more, not 0"),
        ({"steps": "ten"}, "--steps takes whole numbers separated by commas, not 'ten'"),
        ({"steps": "10", "nfe": "10"}, "give one of them"),
        ({"samples": 1}, "--samples must lie between 2"),
        ({"samples": -5}, "--samples must lie between 2"),
        ({"batch_size": 0}, "--batch-size must be at least 1"),
        ({"seeds": "-1"}, "--seeds takes whole numbers"),
        ({"seeds": "4-2"}, "--seeds is empty"),
        ({"seeds": "4096"}, "--seeds must be below 4096"),
        ({"methods": ""}, "--methods is empty"),
        ({"dtype": "float33"}, "Did you mean 'float32'?"),
        ({"quality": False, "timing": False}, "leave nothing to measure"),
        ({"quality": False, "samples": 10}, "--samples has no effect with --no-quality"),
        ({"quality": False, "metrics": "fid"}, "--metrics has no effect with --no-quality"),
        ({"preset": "cifar10"}, "add --no-quality"),
        ({"preset": "cifar", "quality": False}, "Did you mean 'cifar10'?"),
        ({"preset": "cifar10", "quality": False, "dataset": "digits"}, "leave out --dataset"),
        ({"preset": "cifar10", "quality": False, "weights": "mine"}, "leave out --weights"),
        ({"quality": False, "data_root": "here"}, "--data-root has no effect"),
        ({"methods": "flow[solver=dopri5]", "steps": "10"}, "have no effect"),
        ({"methods": "flow[solver=dopri5]", "grid": "karras"}, "have no effect"),
        ({"steps": "1001", "grid": "leading"}, "cannot make 1001 steps"),
        ({"dataset": "digit"}, "Did you mean 'digits'?"),
        ({"grid": "kerras"}, "Did you mean 'karras'?"),
        ({"recipe": "flows"}, "Did you mean 'flow'?"),
    ],
)
def test_what_cannot_be_run_is_found_before_anything_runs(options, message):
    with pytest.raises((InputError, SpecError)) as caught:
        jobs(**options)
    assert message in str(caught.value)


def test_evaluations_are_counted_by_calling():
    assert evaluations(get("flow[solver=rk4]"), get_recipe("flow"), 5) == 20


def test_grids_are_an_axis_and_each_is_run_once():
    found = jobs(
        methods="ddim,heun,flow[solver=dopri5]", steps="5", grid=["default", "karras", "karras[rho=7]", "logsnr"]
    )
    assert [(job.method.name, job.grid) for job in found] == [
        ("ddim", "uniform"), ("ddim", "karras"), ("ddim", "logsnr"),
        ("heun", "karras"), ("heun", "logsnr"), ("flow", None),
    ]  # fmt: skip
    assert [own_grid(job) for job in found] == ["true", "false", "false", "true", "false", ""]
    assert jobs(methods="ddim", steps="5", grid="default,quadratic") == jobs(
        methods="ddim", steps="5", grid=["uniform", "quadratic"]
    )


def test_one_of_several_grids_that_does_not_exist_is_skipped_with_its_reason(tmp_path):
    tuned = write_grid(tmp_path / "tuned.json", {"5": [1, 0.5, 0.3, 0.2, 0.1, 0]})
    found = jobs(methods="ddim,flow", nfe="5,7", grid=f"uniform,{tuned}")
    skipped = {(job.method.name, job.steps): job.skip for job in found if job.grid == str(tuned)}
    assert skipped.pop(("ddim", 5)) == ""
    assert "has no 7 steps, only 5" in skipped.pop(("ddim", 7))
    assert all("tuned on the path DiscreteVP" in reason for reason in skipped.values())
    with pytest.raises(SpecError, match="tuned on the path DiscreteVP"):
        jobs(methods="flow", steps="5", grid=f"uniform,{tuned}")
    with pytest.raises(SpecError, match="has no 7 steps"):
        jobs(methods="ddim", steps="5,7", grid=str(tuned))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no grid file at"),
        ("{", "cannot be read as a grid file"),
        ("[1, 0]", "it has no format"),
        ({"path": 3}, "it has no 'path'"),
        ({"times": {}}, "it has no times"),
        ({"times": {"2": [1, 0.5, 0.5]}}, "its times for 2 steps do not fall"),
        ({"times": {"2": [1, 0]}}, "its times for 2 steps do not fall"),
        ({"times": {"1": [1, "0"]}}, "its times for 1 steps do not fall"),
        ({"times": {"1": [float("nan"), 0]}}, "its times for 1 steps do not fall"),
    ],
)
def test_what_is_no_grid_file_is_said_in_one_sentence(tmp_path, content, message):
    file = tmp_path / "grid.json"
    if isinstance(content, dict):
        write_grid(file, **{"times": {"1": [1, 0]}} | content)
    elif content:
        file.write_text(content)
    with pytest.raises(SpecError) as caught:
        jobs(methods="ddim", steps="1", grid=str(file))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def write_grid(file, times, **changes):
    facts = {"format": "samplerbench grid 1", "method": "ddim", "recipe": "ddpm", "path": repr(DiscreteVP())}
    file.write_text(json.dumps(facts | {"times": times} | changes))
    return file
