from dataclasses import replace

import pytest
import torch

from samplerbench.methods import Sampler, get, get_guidance, get_recipe
from samplerbench.sampling import reference
from samplerbench.sampling.generate import generate
from samplerbench.sampling.noise import ImageNoise
from samplerbench.sampling.reference import exact_flow, reference_solution, rmse

QUICK = "pf_ode[solver=dopri5,rtol=0.0001,atol=0.0001]"


def test_rmse_is_the_root_of_the_mean_square_over_all_pixels():
    images = torch.tensor([[3.0, 0.0], [0.0, 4.0]]).view(2, 1, 1, 2)
    assert rmse(images, torch.zeros_like(images)) == pytest.approx((25 / 4) ** 0.5)


def test_a_fine_solution_is_the_limit_of_many_steps(flow_network):
    solution = reference_solution(flow_network, 1, 4, QUICK)
    few, many = (
        rmse(generate(Sampler(get("flow[solver=rk4]"), steps), flow_network, ImageNoise(1, range(4))).images, solution)
        for steps in (2, 32)
    )
    assert many < 3e-3
    assert few > 0.05


def test_defaults_are_the_modules_constants(flow_network, monkeypatch):
    monkeypatch.setattr(reference, "IMAGES", 3)
    monkeypatch.setattr(reference, "FINE", "pf_ode[solver=rk4]")  # one step
    solution = reference_solution(flow_network, 0)
    expected = generate(Sampler(get("pf_ode[solver=rk4]"), trained=get_recipe("flow")), flow_network,
                        ImageNoise(0, range(3))).images  # fmt: skip
    torch.testing.assert_close(solution, expected, rtol=0, atol=0)


def test_a_solution_is_computed_once_for_each_network_block_and_guidance(flow_network, monkeypatch):
    solved = []
    monkeypatch.setattr(reference, "_solve", lambda *arguments: solved.append(arguments) or torch.zeros(1))
    one, two = replace(flow_network), replace(flow_network)
    asked = [(one, 0), (one, 0), (one, 1), (two, 0), (two, 0)]
    for network, block in asked:
        reference_solution(network, block)
    reference_solution(one, 0, guidance=get_guidance("2"))
    reference_solution(one, 0, guidance=get_guidance("2"))
    reference_solution(one, 0, images=5)
    assert len(solved) == 5


def test_a_guided_solution_is_that_of_the_guided_sampler(flow_network):
    guided = reference_solution(flow_network, 0, 2, QUICK, get_guidance("3"))
    sampler = Sampler(get("flow[solver=rk4]"), 32, guidance=get_guidance("3"))
    assert rmse(generate(sampler, flow_network, ImageNoise(0, range(2))).images, guided) < 0.01
    assert rmse(reference_solution(flow_network, 0, 2, QUICK), guided) > 0.05


@pytest.mark.parametrize("recipe", ["flow", "ve"])
def test_the_solution_on_exact_data_is_the_exact_flow_from_the_spread_of_the_path(recipe, load):
    network = load(recipe, "mixture")
    noise = ImageNoise(2, range(3))(torch.empty(3, 1, 4, 4, dtype=torch.float64))
    x = (noise * network.path.prior_std).flatten(1)
    expected = network.distribution.flow(x, network.path).view(3, 1, 4, 4)
    torch.testing.assert_close(reference_solution(network, 2, 3), expected, rtol=0, atol=0)


def test_the_exact_flow_of_a_trained_network_is_unknown(flow_network):
    with pytest.raises(ValueError, match=r"shipped .* is a trained network: its exact flow is unknown"):
        exact_flow(flow_network, torch.zeros(1, 1, 8, 8))
