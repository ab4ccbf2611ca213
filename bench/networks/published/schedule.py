"""The configuration of a diffusers scheduler, as a noise path, a prediction target and a time map."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import cos, pi
from typing import Any

import numpy as np
import torch
from torch import Tensor

from samplerbench.errors import InputError
from samplerbench.methods import DiscreteVP, Linear, Path, Tabulated, Target

TARGETS: dict[str, Target] = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}
LONGEST = 100_000  # timesteps of a chain
SNAP = 1e-3  # a time this close to a whole timestep is that timestep, which float32 does not resolve


@dataclass(frozen=True)
class Schedule:
    """What a scheduler's configuration says of its network. time: maps t (B,), 1 at the noise, to the network's."""

    path: Path
    target: Target
    time: Callable[[Tensor], Tensor]


def read_schedule(config: Mapping[str, Any]) -> Schedule:
    """The schedule of a scheduler_config.json. Raises InputError for one that is not supported."""
    name = str(config.get("_class_name", "a scheduler without a class"))
    steps = config.get("num_train_timesteps", 1000)
    if type(steps) is not int or not 2 <= steps <= LONGEST:
        raise InputError(f"num_train_timesteps of {name} must lie between 2 and {LONGEST}, not {steps!r}.")
    if name.startswith("FlowMatch") or config.get("prediction_type") == "flow_prediction":
        return Schedule(Linear(), "velocity", lambda t: t * steps)
    if "beta_schedule" not in config and "trained_betas" not in config:
        raise InputError(
            f"{name} is not supported: it defines neither betas nor flow matching. A function of yours can describe "
            "the network (docs/models.md)."
        )
    kind = config.get("prediction_type", "epsilon")
    if kind not in TARGETS:
        raise InputError(f"prediction_type {kind!r} of {name} is not supported: {', '.join(TARGETS)} are.")
    return Schedule(_path(config, steps), TARGETS[kind], lambda t: timestep(t, steps))


def timestep(t: Tensor, steps: int) -> Tensor:
    """diffusers' timestep index i = T t - 1 of times t (B,), in float32."""
    index = steps * t.double() - 1
    whole = index.round()
    return torch.where((index - whole).abs() < SNAP, whole, index).float()


def _path(config: Mapping[str, Any], steps: int) -> Path:
    zero_snr = bool(config.get("rescale_betas_zero_snr"))
    low, high = (_number(config, key, default) for key, default in (("beta_start", 1e-4), ("beta_end", 0.02)))
    if config.get("beta_schedule") == "linear" and not zero_snr and config.get("trained_betas") is None and low < high:
        return DiscreteVP(steps, low, high)
    squares = np.cumprod(1 - _betas(config, steps, low, high))
    try:
        return Tabulated(tuple(_with_zero_snr(squares) if zero_snr else squares))
    except ValueError as error:
        raise InputError(f"The betas of the scheduler are impossible: {error}.") from error


def _betas(config: Mapping[str, Any], steps: int, low: float, high: float) -> np.ndarray:
    """The variances (T,) that the chain adds, in float64."""
    trained = config.get("trained_betas")
    if trained is not None:
        betas = np.asarray(trained, dtype=np.float64)
        if betas.shape != (steps,):
            raise InputError(f"trained_betas has {betas.size} values for {steps} timesteps.")
        return betas
    kind = config.get("beta_schedule", "linear")
    if kind == "linear":
        return np.linspace(low, high, steps)
    if kind == "scaled_linear":
        return np.linspace(low**0.5, high**0.5, steps) ** 2
    if kind == "squaredcos_cap_v2":
        squares = [cos((i / steps + 0.008) / 1.008 * pi / 2) ** 2 for i in range(steps + 1)]
        return np.minimum(1 - np.divide(squares[1:], squares[:-1]), 0.999)
    if kind == "sigmoid":
        return low + (high - low) / (1 + np.exp(-np.linspace(-6, 6, steps)))
    raise InputError(f"beta_schedule {kind!r} is not supported: linear, scaled_linear, squaredcos_cap_v2, sigmoid are.")


def _with_zero_snr(squares: np.ndarray) -> np.ndarray:
    """alpha shifted and scaled so that it ends at 0 and begins as before (arXiv 2305.08891, algorithm 1)."""
    alphas = np.sqrt(squares)
    scaled = (alphas - alphas[-1]) * alphas[0] / (alphas[0] - alphas[-1])
    return scaled**2


def _number(config: Mapping[str, Any], key: str, default: float) -> float:
    value = config.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise InputError(f"{key} of the scheduler must lie between 0 and 1, not {value!r}.")
    return float(value)
