import json

import pytest

from samplerbench.methods import DiscreteVP, Sampler, SpecError
from samplerbench.sweep.jobs import Job, expand
from samplerbench.sweep.normalise import normalise
from samplerbench.sweep.options import Sweep


def jobs(**options) -> list[Job]:
    return expand(normalise(Sweep(**options)))


def cells(found: list[Job]) -> list[tuple]:
    return [(job.sampler.method.name, job.recipe, job.sampler.grid, job.sampler.steps) for job in found]


def test_a_sweep_is_every_method_at_every_step_count():
    found = jobs(methods="ddim[eta=0.5],flow", steps="10,50,10")
    assert [str(job) for job in found] == [
        "ddim[eta=0.5] 10 steps", "ddim[eta=0.5] 50 steps", "flow 10 steps", "flow 50 steps",
    ]  # fmt: skip
    assert [cell[1:3] for cell in cells(found)] == [("ddpm", "uniform")] * 2 + [("flow", "uniform")] * 2


def test_any_method_runs_on_any_recipe_and_grid():
    assert cells(jobs(methods="ddim", steps="5", recipe="flow", grid="karras[rho=5]")) == [
        ("ddim", "flow", "karras[rho=5.0]", 5)
    ]


def test_an_adaptive_method_is_one_cell_without_steps():
    assert [cell[2:] for cell in cells(jobs(methods="flow[solver=dopri5],ddim", steps="5,10"))] == [
        (None, None), ("uniform", 5), ("uniform", 10),
    ]  # fmt: skip


@pytest.mark.parametrize("budget", [1, 2, 7, 50])
@pytest.mark.parametrize("guidance", [None, "2,cfg[high=1],auto,classifier"])
def test_a_budget_is_never_overspent_nor_left_unused(budget, guidance):
    for job in jobs(methods="ddim,flow[solver=heun],pf_ode[solver=rk4],dpmpp_2m", nfe=str(budget), guidance=guidance):
        sampler = job.sampler
        if job.skip:
            assert "one step takes more" in job.skip
            assert sampler.with_steps(1).nfe > budget
        else:
            assert sampler.nfe <= budget < sampler.with_steps(sampler.steps + 1).nfe


def test_adaptive_methods_keep_to_no_budget_and_say_so():
    adaptive, stepped = jobs(methods="flow[solver=dopri5],ddim", nfe="10")
    assert "no budget" in adaptive.skip
    assert (stepped.sampler.steps, stepped.skip) == (10, "")


def test_grids_are_an_axis_and_each_is_run_once():
    found = jobs(
        methods="ddim,heun,flow[solver=dopri5]", steps="5", grid=["default", "karras", "karras[rho=7]", "logsnr"]
    )
    assert [(job.sampler.method.name, job.sampler.grid) for job in found] == [
        ("ddim", "uniform"), ("ddim", "karras"), ("ddim", "logsnr"),
        ("heun", "karras"), ("heun", "logsnr"), ("flow", None),
    ]  # fmt: skip
    assert [job.default_grid for job in found] == ["true", "false", "false", "true", "false", ""]
    assert jobs(methods="ddim", steps="5", grid="default,quadratic") == jobs(
        methods="ddim", steps="5", grid=["uniform", "quadratic"]
    )


def test_the_times_of_a_job_are_those_that_were_checked():
    (job,) = jobs(methods="ddim", steps="5", grid="karras")
    assert job.sampler.times is job.sampler.times
    assert "times" in vars(job.sampler), "they were computed when the job was made"


def test_one_of_several_grids_that_does_not_exist_is_skipped_with_its_reason(tmp_path):
    tuned = write_grid(tmp_path / "tuned.json", {"5": [1, 0.5, 0.3, 0.2, 0.1, 0]})
    found = [job for job in jobs(methods="ddim,flow", nfe="5,7", grid=f"uniform,{tuned}")
             if job.sampler.grid == str(tuned)]  # fmt: skip
    skipped = {(job.sampler.method.name, job.sampler.steps): job.skip for job in found}
    assert skipped.pop(("ddim", 5)) == ""
    assert "has no 7 steps, only 5" in skipped.pop(("ddim", 7))
    assert all("tuned on the path DiscreteVP" in reason for reason in skipped.values())
    with pytest.raises(SpecError, match="tuned on the path DiscreteVP"):
        jobs(methods="flow", steps="5", grid=f"uniform,{tuned}")
    with pytest.raises(SpecError, match="has no 7 steps"):
        jobs(methods="ddim", steps="5,7", grid=str(tuned))


def test_a_method_runs_on_the_checkpoint_that_serves_its_steps():
    assert cells(jobs(methods="progressive", nfe="5")) == [("progressive", "progressive[steps=4]", "uniform", 4)]
    assert [cell[1] for cell in cells(jobs(methods="progressive", steps="1,8"))] == [
        "progressive",
        "progressive[steps=8]",
    ]


def test_a_network_that_lacks_what_a_method_requires_is_a_reason_to_skip():
    def reasons(methods, **options):
        return [job.skip for job in jobs(methods=methods, steps="1", **options)]

    (reason,) = reasons("meanflow", recipe="flow")
    assert reason == "it needs a network conditioned on (t, s); flow does not provide that"
    (reason,) = reasons("improved_ddpm", recipe="ddpm")
    assert "predicted variance" in reason
    (reason,) = reasons("bespoke", recipe="flow")
    assert "learned solver" in reason
    assert all("closed form" in reason for reason in reasons("knowledge,meanflow,improved_ddpm", dataset="mixture"))
    assert reasons("ddim,flow,dpmpp_3m", recipe="reflow") == ["", "", ""]


def test_step_counts_that_a_method_does_not_support_are_skipped():
    found = jobs(methods="knowledge,meanflow,progressive,ddim", steps="1,3")
    assert [bool(job.skip) for job in found] == [False, True, False, False, False, True, False, False]
    assert found[1].skip == "it supports 1 step only"
    assert found[5].skip == "it supports 1, 2, 4, 8, 16 or 32 steps only"


def test_a_job_is_a_sampler_on_the_network_of_its_recipe():
    (job,) = jobs(methods="ddim", steps="5", guidance="2")
    assert isinstance(job.sampler, Sampler)
    assert (job.sampler.nfe, job.recipe, str(job)) == (10, "ddpm", "ddim 2 5 steps")


def write_grid(file, times, **changes):
    facts = {"format": "samplerbench grid 1", "method": "ddim", "recipe": "ddpm", "path": repr(DiscreteVP())}
    file.write_text(json.dumps(facts | {"times": times} | changes))
    return file
