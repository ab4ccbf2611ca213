import diffusers
import pytest
import torch


class ThirdOrder(diffusers.DPMSolverMultistepScheduler):
    """The third-order update of diffusers with two errors mended.

    It takes phi_3 D_2 for 2 phi_3 D_2, and its SDE has the wrong sign before 1/2.
    """

    def multistep_dpm_solver_third_order_update(self, outputs, sample=None, noise=None):
        published = super().multistep_dpm_solver_third_order_update(outputs, sample=sample, noise=noise)
        i, sde = self.step_index, self.config.algorithm_type == "sde-dpmsolver++"
        s2, s1, s0, t = (-self.sigmas[i - 2 : i + 2].double().log()).tolist()  # lambda is -log(sigma / alpha)
        h, m0, m1, m2 = t - s0, *outputs[::-1]
        curvature = ((m0 - m1) / (s0 - s1) - (m1 - m2) / (s1 - s2)) * h**2 / (s0 - s2)  # D_2
        g = torch.tensor(2 * h if sde else h, dtype=torch.float64)
        right = 2 * (0.5 - (g - 1 + (-g).exp()) / g**2)
        taken = right / 2 - (1 if sde else 0)
        alpha = 1 / (1 + self.sigmas[i + 1] ** 2).sqrt()
        return published + alpha * (right - taken).to(published.dtype) * curvature


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 14, 15])  # from 15 on, the order stays 3 to the end
@pytest.mark.parametrize("sde", ["", "_sde"])
def test_dpmpp_3m_is_that_of_diffusers_with_the_right_curvature(compare, generator, steps, sde):
    algorithm = ("sde-" if sde else "") + "dpmsolver++"
    scheduler = ThirdOrder(algorithm_type=algorithm, solver_order=3, timestep_spacing="trailing")
    compare(f"dpmpp_3m{sde}", scheduler, steps, **({"generator": generator} if sde else {}))
