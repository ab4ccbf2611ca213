"""Sampling as users of this suite and of its peers do it: the same weights, noise and steps, and images in [0, 1].

Each function returns a `Sample`, which draws its noise itself, as diffusers' pipelines do.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from unet2d import TIMESTEPS, unet2d

from samplerbench.methods import Sampler, get
from samplerbench.networks.counted import CountedNetwork
from samplerbench.networks.loaded import LoadedNetwork

Sample = Callable[[int], Tensor]  # number of steps -> images (B, C, H, W)
OFFSET = 1  # diffusers counts the timesteps of a chain from 0, so that timestep i is t = (i + 1) / 1000
SEED = 0


@dataclass(frozen=True)
class Noise:
    """Standard normal noise (B, C, H, W), the same whenever it is drawn."""

    shape: tuple[int, ...]
    device: torch.device
    dtype: torch.dtype

    @classmethod
    def of(cls, network: LoadedNetwork, batch: int) -> "Noise":
        """The noise from which a batch starts."""
        return cls((batch, *network.image_shape), network.device, network.dtype)

    def generator(self) -> torch.Generator:
        """A new generator of it."""
        return torch.Generator(self.device).manual_seed(SEED)

    def draw(self) -> Tensor:
        """The noise itself."""
        return torch.randn(self.shape, generator=self.generator(), device=self.device, dtype=self.dtype)


def ours(network: LoadedNetwork, method: str, grid: str, noise: Noise) -> Sample:
    """This suite, called as `bench run` calls it."""
    state = torch.promote_types(noise.dtype, torch.float32)

    @torch.inference_mode()
    def sample(steps: int) -> Tensor:
        sampler = Sampler(get(method), steps, grid, trained=network.parametrisation)
        field = network.field(CountedNetwork(network.net, network.dtype))
        return _shown(sampler.sample(field, noise.draw().to(state), torch.randn_like))

    return sample


def diffusers_ddim(network: LoadedNetwork, noise: Noise, compiled: bool = False) -> Sample:
    """DDIMPipeline with a UNet2DModel, for a network on the chain of DDPM that predicts eps."""
    from diffusers import DDIMPipeline, DDIMScheduler

    scheduler = DDIMScheduler(beta_start=1e-4, beta_end=0.02, clip_sample=False)
    pipeline = DDIMPipeline(unet2d(network.eager, OFFSET), scheduler)
    pipeline.set_progress_bar_config(disable=True)
    if compiled:
        pipeline.unet = torch.compile(pipeline.unet)

    def sample(steps: int) -> Tensor:
        generator = noise.generator()
        return pipeline(noise.shape[0], generator, num_inference_steps=steps, output_type="pt").images

    return sample


def k_diffusion_euler(network: LoadedNetwork, noise: Noise) -> Sample:
    """k-diffusion's Euler sampler on our network, in sigma / alpha, where it is DDIM (arXiv 2206.00364, appendix C)."""
    from k_diffusion.external import DiscreteEpsDDPMDenoiser
    from k_diffusion.sampling import sample_euler

    def eps(x: Tensor, index: Tensor) -> Tensor:
        return network.net(x.to(network.dtype), (index + OFFSET) / TIMESTEPS)

    chain = network.path.along(torch.arange(1, TIMESTEPS + 1, dtype=torch.float64) / TIMESTEPS)
    squares = torch.tensor([moment.alpha**2 for moment in chain], device=noise.device)
    model = DiscreteEpsDDPMDenoiser(eps, squares, quantize=False)

    def sample(steps: int) -> Tensor:
        times = Sampler(get("ddim"), steps, "leading", trained=network.parametrisation).times
        moments = network.path.along(times)
        sigmas = torch.tensor([moment.sigma / moment.alpha for moment in moments], device=noise.device)
        return _shown(sample_euler(model, noise.draw() / moments[0].alpha, sigmas, disable=True))

    return sample


def flow_matching_euler(network: LoadedNetwork, noise: Noise) -> Sample:
    """flow_matching's ODESolver on our network, from t = 1 to 0 as it was trained."""
    from flow_matching.solver import ODESolver

    solver = ODESolver(lambda x, t: network.net(x, t.expand(len(x))))

    def sample(steps: int) -> Tensor:
        times = torch.linspace(1, 0, steps + 1, device=noise.device)
        return _shown(solver.sample(noise.draw(), step_size=None, method="euler", time_grid=times))

    return sample


def torchcfm_euler(network: LoadedNetwork, noise: Noise) -> Sample:
    """torchdyn's NeuralODE on our network, as torchcfm's examples sample."""
    from torchdyn.core import NeuralODE

    node = NeuralODE(Velocity(network.net), solver="euler")

    @torch.no_grad()
    def sample(steps: int) -> Tensor:
        times = torch.linspace(1, 0, steps + 1, device=noise.device)
        return _shown(node.trajectory(noise.draw(), t_span=times)[-1])

    return sample


class Velocity(nn.Module):
    """A network net(x, t) as torchdyn calls it."""

    def __init__(self, net: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.net = net

    def forward(self, t: Tensor, x: Tensor, args: object = None) -> Tensor:
        """The velocity (B, C, H, W) of states x (B, C, H, W) at the time t, a number."""
        return self.net(x, t.expand(len(x)))


def _shown(states: Tensor) -> Tensor:
    return (states / 2 + 0.5).clamp(0, 1)
