"""How far a sampler ends from the exact solution of its network's ODE: the solver's error without the model's."""

from functools import lru_cache

from torch import Tensor

from samplerbench.methods import METHODS, Guidance
from samplerbench.networks.backbone import Backbone
from samplerbench.sampling.measure import Gauge, generate
from samplerbench.sampling.noise import ImageNoise
from samplerbench.sweep.plan import Job

IMAGES = 32  # of each seed block
# On the digits' checkpoints it agrees with ten times smaller tolerances to 1e-4 (DDIM at 50 steps: 2e-2).
FINE = "pf_ode[solver=dopri5,rtol=1e-06,atol=1e-06]"


def trajectory_rmse(job: Job, backbone: Backbone, block: int) -> float:
    """The RMSE over the pixels, in [-1, 1], of the first images to those of a fine solution from the same noise.

    NaN for a sampler that draws noise on its way, since it solves no ODE, and for a student, which may jump.
    """
    if backbone.student:
        return float("nan")
    noise = ImageNoise(block, range(IMAGES))
    images, *_ = generate(job, backbone, noise, Gauge())
    if noise.draws > 1:
        return float("nan")
    return (images - solution(backbone, block, IMAGES, FINE, job.guidance)).square().mean().sqrt().item()


@lru_cache(maxsize=64)
def solution(backbone: Backbone, block: int, images: int, method: str, guidance: Guidance | None = None) -> Tensor:
    """Where the (guided) ODE takes the noise of a block's first images: by an adaptive solver, or exactly.

    Returns (images, C, H, W).
    """
    noise = ImageNoise(block, range(images))
    if backbone.distribution:
        return backbone.exact_flow(backbone.noise(noise) * backbone.path.prior_std)
    job = Job(METHODS.get(method), str(backbone.recipe), None, None, guidance=guidance)
    return generate(job, backbone, noise, Gauge())[0]
