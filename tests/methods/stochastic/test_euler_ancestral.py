import diffusers
import pytest


@pytest.mark.parametrize("steps", [1, 3, 20])
def test_euler_ancestral_is_that_of_diffusers(compare, generator, steps):
    scheduler = diffusers.EulerAncestralDiscreteScheduler(
        beta_start=1e-4, beta_end=0.02, timestep_spacing="trailing"
    )  # fmt: skip
    compare("euler_ancestral", scheduler, steps, exploding=True, generator=generator)
