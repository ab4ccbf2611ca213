"""The kinds of networks that checkpoints hold, and how each is built from its metadata."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Size, Tensor, nn
from torch.overrides import TorchFunctionMode

from samplerbench.models.autoencoder import Autoencoder, AutoencoderConfig
from samplerbench.models.digits_cnn import DigitsCNN
from samplerbench.models.encoder import Encoder, EncoderConfig
from samplerbench.models.facts import CheckpointFacts
from samplerbench.models.noisy_classifier import NoisyClassifier, NoisyClassifierConfig
from samplerbench.models.unet import UNet, UNetConfig


@dataclass(frozen=True)
class Kind:
    """A kind of network.

    network: its class, constructed from a `config`; without arguments if that is None.
    described: how messages name it.
    """

    network: Callable[..., nn.Module]
    config: type | None
    described: str


KINDS: dict[str, Kind] = {
    "unet": Kind(UNet, UNetConfig, "a samplerbench U-Net"),
    "noisy-classifier": Kind(NoisyClassifier, NoisyClassifierConfig, "a noise-aware classifier"),
    "digits-cnn": Kind(DigitsCNN, None, "a digits classifier"),
    "encoder": Kind(Encoder, EncoderConfig, "an encoder"),
    "autoencoder": Kind(Autoencoder, AutoencoderConfig, "an autoencoder"),
}
# What a network can raise if the metadata of a damaged file describes an impossible one.
IMPOSSIBLE = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RuntimeError)


def facts_of(net: nn.Module) -> CheckpointFacts:
    """The kind and the architecture of a network, from which `build` makes another. Raises KeyError if unknown."""
    kind = {each.network: name for name, each in KINDS.items()}[type(net)]
    config: Any = net.config if KINDS[kind].config else None
    return CheckpointFacts(kind, json.dumps(asdict(config)) if config else "")


def build(kind: Kind, architecture: str, weights: Mapping[str, Tensor]) -> nn.Module:
    """A network of this kind with these weights, in evaluation mode. Raises ValueError, with the reason.

    Nothing is allocated before all shapes have been compared, whatever size the architecture claims.
    """
    make = _maker(kind, architecture)
    try:
        with torch.device("meta"), Uninitialised():
            expected = {name: value.shape for name, value in make().state_dict().items()}
    except IMPOSSIBLE as error:
        raise ValueError(f"its architecture is impossible ({_reason(error)})") from error
    check_shapes(expected, {name: value.shape for name, value in weights.items()})
    net = make()
    net.load_state_dict(weights)
    return net.eval()


class Uninitialised(TorchFunctionMode):
    """Networks made inside keep their parameters uninitialised: on the meta device, that avoids seconds of imports."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_):
            return kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def _maker(kind: Kind, architecture: str) -> Callable[[], nn.Module]:
    """The constructor of the network. Raises ValueError if the architecture is not one of this kind."""
    config_type = kind.config
    if config_type is None:
        return kind.network
    if not architecture:
        raise ValueError("its metadata has no architecture")
    try:
        options = json.loads(architecture)
        lists = {key: tuple(value) for key, value in options.items() if isinstance(value, list)}
        config = config_type(**(options | lists))
    except IMPOSSIBLE as error:
        raise ValueError(f"its architecture cannot be read ({_reason(error)})") from error
    return lambda: kind.network(config)


def _reason(error: Exception) -> str:
    """The first line of its message."""
    return str(error).partition("\n")[0]


def check_shapes(expected: Mapping[str, Size], found: Mapping[str, Size]) -> None:
    """Raises ValueError, with the first difference, unless all tensors have the shapes that the network has."""
    for name in [*expected, *(name for name in found if name not in expected)]:
        if name not in found:
            raise ValueError(f"it lacks {name}")
        if name not in expected:
            raise ValueError(f"its architecture has no {name}")
        if found[name] != expected[name]:
            raise ValueError(f"{name} is {_text(found[name])}, and {_text(expected[name])} by its architecture")


def _text(shape: Size) -> str:
    return "x".join(map(str, shape)) or "a single number"
