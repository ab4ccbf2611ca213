from dataclasses import replace

import pytest
import torch

from samplerbench.methods import get, get_recipe, sample
from samplerbench.methods.students.bespoke import COUNTS, NonStationary
from samplerbench.testing.exact import normal
from samplerbench.testing.small_net import seeded_noise


@pytest.mark.parametrize("steps", COUNTS)
def test_an_untrained_solver_is_eulers(steps, flow_map):
    field, x = replace(flow_map.teacher, modules={"solver": NonStationary()}), normal(8, 1, 4, 4)
    ours, eulers = (sample(get(name), field, x, steps, None) for name in ("bespoke", "flow"))
    torch.testing.assert_close(ours, eulers, rtol=1e-6, atol=1e-6)


def test_a_solver_with_other_times_alone_is_eulers_on_those_times(flow_map):
    solver, x = NonStationary(), normal(8, 1, 4, 4)
    torch.nn.init.normal_(solver.gaps["4"], generator=torch.Generator().manual_seed(0))
    times, _, _ = solver(4)
    assert (times[0].item(), times[-1].item()) == (1, 0)
    torch.testing.assert_close(-times.diff(), torch.softmax(solver.gaps["4"].double(), 0))
    ours = sample(get("bespoke"), replace(flow_map.teacher, modules={"solver": solver}), x, 4, None)
    *_, eulers = get("flow").steps(flow_map.teacher, x, times.detach(), None)
    torch.testing.assert_close(ours, eulers, rtol=1e-6, atol=1e-6)


def test_a_solver_learns_the_flow_of_a_gaussian(flow_map):
    """Its twelve parameters for three steps suffice for less than a tenth of Euler's error."""
    recipe, solver, noise = get_recipe("bespoke"), NonStationary().double(), seeded_noise(0)
    field = replace(flow_map.teacher, modules={"solver": solver})
    optimiser = torch.optim.Adam(solver.parameters(), 0.04)
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, total_iters=300)
    choice = torch.full((64,), -0.5).double()  # chooses three steps: 8 ndtr(-0.5) = 2.5
    for _ in range(300):
        eps = noise(torch.empty(64, 1, 4, 4, dtype=torch.float64))
        draw = lambda x, eps=eps: eps if x.shape == eps.shape else choice  # noqa: E731
        loss = recipe.loss(field, flow_map.end(eps), None, draw, flow_map.teacher)
        optimiser.zero_grad()
        loss.mean().backward()
        optimiser.step()
        decay.step()
    assert loss.shape == (64,)
    x = normal(256, 1, 4, 4, seed=9)
    with torch.inference_mode():
        images = [sample(get(name), field, x, 3, None) for name in ("bespoke", "flow")]
    errors = [(found - flow_map.end(x)).square().mean().sqrt() for found in images]
    assert errors[0] < errors[1] / 10


def test_every_step_count_is_trained_equally_often(flow_map):
    seen, solver = [], NonStationary().double()
    field = replace(flow_map.teacher, modules={"solver": lambda steps: seen.append(steps) or solver(steps)})
    for i in range(80):
        number = torch.special.ndtri(torch.tensor((i + 0.5) / 80, dtype=torch.float64))
        draw = lambda x, number=number: number.expand(2) if x.ndim == 1 else x  # noqa: E731
        get_recipe("bespoke").loss(field, normal(2, 1, 4, 4), None, draw, flow_map.teacher)
    assert [seen.count(steps) for steps in COUNTS] == [10] * len(COUNTS)
