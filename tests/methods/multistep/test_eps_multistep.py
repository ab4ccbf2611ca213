"""DEIS and LMS, and the polynomials of both."""

import diffusers
import pytest
import torch

from samplerbench.methods import DiscreteVP, Field, get

PATH = DiscreteVP()


@pytest.mark.parametrize("steps", [2, 5, 20])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_deis_in_log_rho_is_that_of_diffusers(compare_in_double, steps, order):
    scheduler = diffusers.DEISMultistepScheduler(
        solver_order=order, lower_order_final=False, timestep_spacing="trailing"
    )
    # In float32 its integrals of log(rho) lose up to 1e-3 to cancellation. It ends at timestep 0, not at data.
    compare_in_double(f"deis[order={order},space=log_rho]", scheduler, steps)


@pytest.mark.parametrize("steps", [1, 3, 20])
def test_lms_is_that_of_diffusers(compare, steps):
    scheduler = diffusers.LMSDiscreteScheduler(beta_start=1e-4, beta_end=0.02, timestep_spacing="trailing")
    compare("lms", scheduler, steps, exploding=True)


VARIABLES = {
    "deis": lambda m: m.t,
    "deis[space=rho]": lambda m: m.sigma / m.alpha,
    "deis[space=log_rho]": lambda m: (m.sigma / m.alpha).log(),
    "lms": lambda m: m.sigma / m.alpha,
}


@pytest.mark.parametrize("spec", VARIABLES)
def test_a_step_of_order_4_is_exact_for_a_cubic_eps_on_an_uneven_grid(spec):
    """If eps is a cubic in the method's variable, then x'/alpha' - x/alpha = int eps d rho."""

    def cubic(m):
        v = VARIABLES[spec](m)
        return 0.3 + 0.7 * v - 0.2 * v**2 + 0.1 * v**3

    times = torch.tensor([0.8, 0.71, 0.66, 0.5, 0.42, 0.2], dtype=torch.float64)
    field = Field(lambda x, t: cubic(PATH.at(t)).expand_as(x), PATH, "eps")
    *_, before, after = get(spec).steps(field, torch.zeros(1, 1, 1, 1, dtype=torch.float64), times, None)

    moments = PATH.at(torch.linspace(0.42, 0.2, 20001, dtype=torch.float64))
    exact = torch.trapezoid(cubic(moments).flatten(), (moments.sigma / moments.alpha).flatten())
    start, end = PATH.along(times[-2:])
    assert (after / end.alpha - before / start.alpha).item() == pytest.approx(exact.item(), rel=1e-7)
