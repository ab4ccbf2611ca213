import pytest

from bench.errors import InputError
from bench.plan import Job, Sweep, evaluations, expand, normalise
from methods import SpecError, get, get_recipe


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
