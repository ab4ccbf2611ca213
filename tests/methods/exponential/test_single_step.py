"""DPM-Solver-2 and -3 and DPM-Solver++(2S)."""

import diffusers
import pytest
import torch

from samplerbench.methods import DiscreteVP, Field, get

PATH = DiscreteVP()


@pytest.mark.parametrize("steps", [1, 3, 20])
def test_dpm2_is_kdpm2_of_diffusers(compare, steps):
    scheduler = diffusers.KDPM2DiscreteScheduler(beta_start=1e-4, beta_end=0.02, timestep_spacing="trailing")
    compare("dpm2", scheduler, steps, exploding=True, stages=2)


@pytest.mark.parametrize("spec", ["dpm2", "dpmpp_2s", "dpm3"])
def test_a_step_is_that_of_the_single_step_scheduler_of_diffusers(small_net, x, spec):
    scheduler = diffusers.DPMSolverSinglestepScheduler(
        algorithm_type="dpmsolver++" if "pp" in spec else "dpmsolver", final_sigmas_type="sigma_min"
    )
    scheduler.set_timesteps(10)
    ends = torch.tensor([0.9, 0.6], dtype=torch.float64)
    (ours,) = get(spec).steps(Field(small_net, PATH, "eps"), x, ends, None)

    inner = torch.linspace(*(PATH.log_snr(ends) / 2).tolist(), 4 if spec == "dpm3" else 3, dtype=torch.float64)
    scheduler.sigmas, outputs, state = (-inner).exp().float(), [], x
    for i, t in enumerate(PATH.time_at(2 * inner)[:-1]):
        scheduler._step_index = i
        eps = small_net(state, t.float().expand(4))
        outputs.append(scheduler.convert_model_output(eps, sample=state))
        if i == 0:
            state = scheduler.dpm_solver_first_order_update(outputs[0], sample=x)
        elif i == 1:
            # The second stage of the paper is what diffusers calls heun; its default, midpoint, differs.
            scheduler.register_to_config(solver_type="heun" if spec == "dpm3" else "midpoint")
            state = scheduler.singlestep_dpm_solver_second_order_update(outputs, sample=x)
            scheduler.register_to_config(solver_type="midpoint")
        else:
            state = scheduler.singlestep_dpm_solver_third_order_update(outputs, sample=x)
    torch.testing.assert_close(ours, state, rtol=2e-5, atol=5e-5)
