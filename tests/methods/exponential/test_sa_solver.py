import diffusers
import pytest


@pytest.mark.parametrize("steps", [2, 5, 20])
@pytest.mark.parametrize(("order", "corrector"), [(1, 1), (2, 2), (3, 3), (3, 4), (4, 4)])
@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_sa_solver_is_that_of_diffusers(compare_in_double, generator, steps, order, corrector, tau):
    scheduler = diffusers.SASolverScheduler(
        predictor_order=order, corrector_order=corrector, tau_func=lambda t: tau, timestep_spacing="trailing"
    )
    # In float32 its coefficients lose up to 1e-2 to cancellation at order 4. It ends at timestep 0, not at data.
    spec = f"sa_solver[order={order},corrector={corrector},tau={tau}]"
    compare_in_double(spec, scheduler, steps, generator=generator)
