"""The bound of variational diffusion, and the schedule that is trained on its variance."""

import pytest
import torch

from samplerbench.methods import Field, get_recipe
from samplerbench.methods.recipes.vdm import MonotoneSchedule
from samplerbench.testing.exact import normal


def bent(**options) -> MonotoneSchedule:
    """A schedule with weights far from the initial ones."""
    path = MonotoneSchedule(units=4, **options)
    torch.nn.init.constant_(path.heights, 3.0)
    torch.nn.init.constant_(path.shifts, -2.0)
    return path


def test_the_schedule_has_fixed_ends_and_is_initially_almost_straight():
    ends, t = torch.tensor([0.0, 1.0], dtype=torch.float64), torch.linspace(0, 1, 50, dtype=torch.float64)
    for path in (MonotoneSchedule(), bent()):
        assert path.log_snr(ends).tolist() == pytest.approx([13.3, -5])
    torch.testing.assert_close(MonotoneSchedule().log_snr(t), 13.3 - 18.3 * t, rtol=0, atol=0.3)
    assert (bent().log_snr(t) - (13.3 - 18.3 * t)).abs().max() > 1


@pytest.mark.parametrize("path", [MonotoneSchedule(start=-6.0), bent(start=-6.0)], ids=["straight", "bent"])
def test_the_bound_of_a_gaussian_depends_only_on_the_ends(path, gaussian):
    """1/2 integral of the posterior variance of eps in gamma = 1/2 ln((1 + s^2 SNR_0) / (1 + s^2 SNR_1)) per pixel."""
    count = 40_000
    x0 = gaussian.mean + gaussian.std * normal(count, 1, 4, 4)
    evenly = torch.special.ndtri((torch.arange(count, dtype=torch.float64) + 0.5) / count)
    draws = iter([evenly, normal(count, 1, 4, 4, seed=1)])
    path.requires_grad_(False)
    bound = get_recipe("vdm").loss(gaussian.field(path), x0, None, lambda _: next(draws), None)
    first, last = path.log_snr(torch.tensor([0.0, 1.0]).double()).exp()
    expected = ((1 + gaussian.std**2 * first) / (1 + gaussian.std**2 * last)).log().mean() / 2
    assert bound.mean().item() == pytest.approx(expected.item(), rel=0.01)


def test_the_schedule_minimises_the_relative_variance_and_the_network_the_mean():
    recipe, path, x0 = get_recipe("vdm"), bent(), normal(32, 1, 2, 2)
    weight = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)

    def bound():
        draws = iter([normal(32, seed=1), normal(32, 1, 2, 2, seed=2)])
        field = Field(lambda x, t, label=None: weight * x, path, recipe.target)
        return recipe.loss(field, x0, None, lambda _: next(draws), None)

    parameters = [weight, *path.parameters()]
    found = torch.autograd.grad(bound().mean(), parameters)
    # Expected gradients by central differences, since autograd sees the replaced ones.
    for index, parameter in enumerate(parameters):
        flat, step = parameter.data.view(-1), 1e-3
        values = []
        for sign in (1, -1):
            flat[0] += sign * step
            values.append(bound().detach())
            flat[0] -= sign * step
        scale = bound().detach().mean() ** 2
        measure = torch.mean if index == 0 else lambda values, scale=scale: values.square().mean() / scale
        slope = (measure(values[0]) - measure(values[1])) / (2 * step)
        torch.testing.assert_close(found[index].view(-1)[0], slope.to(parameter.dtype), rtol=1e-2, atol=1e-6)
