import json
from dataclasses import dataclass, replace

import pytest
import torch

from samplerbench.methods import (
    GRIDS,
    VE,
    DiscreteVP,
    Field,
    Grid,
    Guides,
    Linear,
    Sampler,
    SpecError,
    get,
    get_guidance,
    get_recipe,
    register,
    sample,
    trajectory,
)
from samplerbench.testing.small_net import seeded_noise


@pytest.fixture
def x():
    return torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def field(small_net):
    return Field(small_net, DiscreteVP(), "eps")


def test_its_states_are_those_of_the_method_on_the_grid(field, x):
    sampler = Sampler(get("dpmpp_2m_sde"), 5, "karras[rho=5]")
    times = GRIDS.get("karras[rho=5]")(5, DiscreteVP())
    expected = list(get("dpmpp_2m_sde").steps(field, x, times, seeded_noise(1)))
    for found in (sampler.trajectory(field, x, seeded_noise(1)),
                  trajectory(get("dpmpp_2m_sde"), field, x, 5, seeded_noise(1), "karras[rho=5]")):  # fmt: skip
        torch.testing.assert_close(list(found), expected, rtol=0, atol=0)
    last = sample(get("dpmpp_2m_sde"), field, x, 5, seeded_noise(1), "karras[rho=5]")
    torch.testing.assert_close(last, expected[-1], rtol=0, atol=0)
    torch.testing.assert_close(sampler.sample(field, x, seeded_noise(1)), expected[-1], rtol=0, atol=0)


def test_the_default_grid_is_the_methods_and_the_path_that_of_the_recipe():
    assert torch.equal(Sampler(get("heun"), 5).times, GRIDS.get("karras")(5, DiscreteVP()))
    on_flow = Sampler(get("heun"), 5, trained=get_recipe("flow"))
    assert torch.equal(on_flow.times, GRIDS.get("karras")(5, Linear()))
    learned = Sampler(get("heun"), 5, trained=get_recipe("flow"), learned_path=VE())
    assert torch.equal(learned.times, GRIDS.get("karras")(5, VE()))
    assert Sampler(get("progressive"), 8).recipe == get_recipe("progressive[steps=8]")
    assert Sampler(get("bespoke"), 5).times.shape == (6,)
    assert Sampler(get("flow[solver=dopri5]")).times.tolist() == [1, 0]


def test_sampling_starts_at_the_standard_deviation_of_the_prior(x):
    seen = []

    def net(x, t):
        seen.append(x)
        return x

    Sampler(get("ddim"), 1, trained=get_recipe("ve")).sample(Field(net, VE(), "eps"), x, None)
    torch.testing.assert_close(seen[0], 50 * x)


def test_times_are_computed_once(field, x):
    made = []

    @dataclass(frozen=True)
    class Counted(Grid):
        """A uniform grid that counts its calls."""

        def times(self, steps, path):
            made.append(steps)
            return torch.linspace(1, 0, steps + 1, dtype=torch.float64)

    with GRIDS.temporarily():
        register("counted")(Counted)
        sampler = Sampler(get("ddim"), 4, "counted")
        for _ in range(3):
            sampler.sample(field, x, None)
        assert sampler.nfe == 4
    assert made == [4]


def test_evaluations_are_counted_once(monkeypatch):
    sampler, runs = Sampler(get("heun"), 4), []
    monkeypatch.setattr(Sampler, "sample", lambda self, *args, run=Sampler.sample: runs.append(1) or run(self, *args))
    assert [sampler.nfe, sampler.nfe] == [7, 7]
    assert runs == [1]


# On the straight path, ten uniform steps start at sigma / alpha = inf, 9, 4, 2.33, 1.5, 1, 0.67, 0.43, 0.25, 0.11.
@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("1", 10), ("0", 10), ("2", 20), ("cfg[weight=2,high=1]", 15), ("cfg[weight=2,low=0.3,high=2]", 14),
        ("cfg[weight=0,low=5]", 10), ("auto", 20), ("auto[low=1]", 15), ("classifier", 10), ("classifier[scale=0]", 10),
    ],
)  # fmt: skip
def test_guided_evaluations_count_inside_the_interval_only(spec, expected):
    assert Sampler(get("flow"), 10, guidance=get_guidance(spec)).nfe == expected


def test_an_adaptive_method_has_no_number_of_evaluations():
    sampler = Sampler(get("flow[solver=dopri5]"))
    assert sampler.nfe is None
    assert sampler.within(100) is None
    assert sampler.shortest() is sampler


def test_guidance_wraps_the_field(small_net, x):
    field = Field(lambda x, t, label: small_net(x, t) + label.view(-1, 1, 1, 1), Linear(), "velocity", torch.ones(2))
    weak = replace(field, label=torch.zeros(2))
    sampler = Sampler(get("flow"), 3, guidance=get_guidance("auto[weight=3]"))
    strong = replace(field, label=3 * torch.ones(2))  # 0 + 3 (1 - 0)
    torch.testing.assert_close(
        sampler.sample(field, x, None, Guides(weak=weak)), Sampler(get("flow"), 3).sample(strong, x, None)
    )


@pytest.mark.parametrize(
    ("spec", "steps", "message"),
    [
        ("knowledge", 7, "knowledge cannot take 7 steps: it supports 1 step only"),
        ("bespoke", 7, "bespoke cannot take 7 steps: it supports 1, 2, 3, 4, 5, 6, 8 or 10 steps only"),
    ],
)
def test_an_unsupported_step_count_is_an_error(spec, steps, message, field, x):
    with pytest.raises(SpecError, match=message):
        Sampler(get(spec), steps).trajectory(field, x, None)
    with pytest.raises(SpecError, match=message):
        _ = Sampler(get(spec), steps).nfe


@pytest.mark.parametrize("guidance", [None, "2", "cfg[high=1]"])
@pytest.mark.parametrize("budget", [1, 2, 7, 10, 25])
@pytest.mark.parametrize("spec", ["ddim", "flow[solver=heun]", "pndm", "langevin"])
def test_a_budget_takes_the_most_steps_that_fit(spec, budget, guidance):
    sampler = Sampler(get(spec), guidance=get_guidance(guidance) if guidance else None)
    found = sampler.within(budget)
    steps = 0 if found is None else found.steps
    assert steps == 0 or found.nfe <= budget
    assert sampler.with_steps(steps + 1).nfe > budget


@pytest.mark.parametrize(("budget", "steps"), [(1, 1), (5, 4), (100, 32)])
def test_a_budget_takes_a_supported_step_count(budget, steps):
    assert Sampler(get("progressive")).within(budget).steps == steps


def test_a_grid_file_is_kept_in_a_budget_and_replaced_in_the_shortest_run(tmp_path):
    file = tmp_path / "mine.json"
    facts = {"format": "samplerbench grid 1", "method": "ddim", "recipe": "ddpm", "path": repr(DiscreteVP())}
    file.write_text(json.dumps(facts | {"times": {"5": [1, 0.8, 0.6, 0.4, 0.2, 0]}}))
    sampler = Sampler(get("heun"), 5, str(file))
    assert sampler.within(9) == sampler
    assert sampler.within(7).steps == 4, "the count does not need times"
    assert sampler.shortest().nfe == 1


def test_the_shortest_run_takes_the_fewest_steps():
    assert Sampler(get("ddim"), 50, "karras").shortest().steps == 1
    assert Sampler(get("progressive"), 8).shortest().steps == 1
