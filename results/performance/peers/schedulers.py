"""Samplers alone, on a network that returns its input: this suite's methods and what peers have of the same kind."""

from collections.abc import Callable, Mapping

import torch
from samplers import Velocity
from torch import Tensor

from samplerbench.methods import DiscreteVP, Field, Linear, Sampler, get

Run = Callable[[], object]

# Our method -> diffusers' scheduler, k-diffusion's sampler and the name of torchdiffeq's and torchdyn's solver.
DIFFUSERS = {
    "ddim": "DDIMScheduler", "ddpm": "DDPMScheduler", "dpmpp_2m": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler", "flow": "FlowMatchEulerDiscreteScheduler",
}  # fmt: skip
K_DIFFUSION = {"ddim": "sample_euler", "dpmpp_2m": "sample_dpmpp_2m"}
ODE = {"flow": "euler"}
METHODS = tuple(DIFFUSERS)
SPACING = {"ddim", "ddpm", "dpmpp_2m", "unipc"}  # whose schedulers take `timestep_spacing`


def ours(method: str, x: Tensor, steps: int) -> Run:
    """The method on a field without a network."""
    flow = method == "flow"
    field = Field(lambda x, *_: x, Linear() if flow else DiscreteVP(), "velocity" if flow else "eps")

    @torch.inference_mode()
    def run() -> Tensor:
        sampler = Sampler(get(method), steps, "trailing", learned_path=field.path)
        return sampler.sample(field, x, torch.randn_like)

    return run


def theirs(method: str, x: Tensor, steps: int, peers: frozenset[str]) -> Mapping[str, Run]:
    """The same kind of sampler of each peer that has one."""
    found: dict[str, Run] = {}
    if "diffusers" in peers:
        found["diffusers"] = _diffusers(method, x, steps)
    if "k-diffusion" in peers and method in K_DIFFUSION:
        found["k-diffusion"] = _k_diffusion(K_DIFFUSION[method], x, steps)
    if "flow_matching" in peers and method in ODE:
        found["flow_matching"] = _flow_matching(ODE[method], x, steps)
    if "torchcfm" in peers and method in ODE:
        found["torchcfm"] = _torchcfm(ODE[method], x, steps)
    return found


def _diffusers(method: str, x: Tensor, steps: int) -> Run:
    import diffusers

    options = {"timestep_spacing": "trailing"} if method in SPACING else {}
    scheduler = getattr(diffusers, DIFFUSERS[method])(**options)

    @torch.inference_mode()
    def run() -> Tensor:
        scheduler.set_timesteps(steps, device=x.device)
        state = x
        for timestep in scheduler.timesteps:
            state = scheduler.step(state, timestep, state, return_dict=False)[0]
        return state

    return run


def _k_diffusion(name: str, x: Tensor, steps: int) -> Run:
    from k_diffusion import sampling

    sampler = getattr(sampling, name)

    def run() -> Tensor:
        sigmas = sampling.get_sigmas_karras(steps, 0.03, 15.0, device=x.device)
        return sampler(lambda x, sigma: x, x, sigmas, disable=True)

    return run


def _flow_matching(name: str, x: Tensor, steps: int) -> Run:
    from flow_matching.solver import ODESolver

    solver = ODESolver(lambda x, t: x)
    return lambda: solver.sample(
        x, step_size=None, method=name, time_grid=torch.linspace(1, 0, steps + 1, device=x.device)
    )


def _torchcfm(name: str, x: Tensor, steps: int) -> Run:
    from torchdyn.core import NeuralODE

    node = NeuralODE(Velocity(lambda x, t: x), solver=name)

    @torch.no_grad()
    def run() -> Tensor:
        return node.trajectory(x, t_span=torch.linspace(1, 0, steps + 1, device=x.device))

    return run
