"""Networks trained elsewhere: a record of their conventions, mapped once to those of samplerbench."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from samplerbench.errors import InputError
from samplerbench.methods import FAULTS, Field, Path, Target
from samplerbench.networks.loaded import LoadedNetwork, Origin

Shape = tuple[int, int, int]
BIGGEST = 2**24  # numbers in a state: 3 x 2048 x 2048 are fewer


def unchanged(value: Tensor) -> Tensor:
    """The value itself: the convention of samplerbench."""
    return value


@dataclass(frozen=True, eq=False)
class ExternalNetwork:
    """How to call a network that samplerbench did not train, and what it predicts.

    net: called as net(x, time), or net(x, time, label) for labelled images: states x (B, C, H, W) -> predictions
        (B, C, H, W), or (B, 2C, H, W) with a learned variance. An `nn.Module` is moved to the device and its weights
        are hashed; any other callable must be on the device already.
    path: the noise path, x_t = alpha x0 + sigma eps, with t = 0 at the data and t = 1 at the noise.
    target: what the network predicts: x0, eps, v, velocity (dx/dt, from data to noise) or score.
    image_shape: (C, H, W) of the states.
    time: maps t (B,) to the network's time, as `lambda t: 1000 * t - 1`; for networks with t = 1 at the data,
        `lambda t: 1 - t`, and sign = -1 for their velocity.
    scale: maps t (B,) to the factor on the network's input, such as EDM's c_in; None for none.
    sign: factor on the prediction.
    classes: the number of labels, 0 ... classes - 1; 0 for a network without labels.
    null: the label that stands for no label in classifier-free guidance; None if it was not trained for that.
    label: maps labels (B,), null included, to the form in which the network takes them, as one-hot vectors.
    variance: whether it predicts C more channels, the interpolation of iDDPM's learned variance (arXiv 2102.09672).
    distilled: whether it was trained to take finite steps, so that its own probability-flow ODE is undefined.
    decode: maps the last state (B, C, H, W) to images in [-1, 1], as an autoencoder's decoder; not timed.
    parts: modules that `net`, `label` and `decode` use besides: moved to the device and hashed too.
    digest: identifies the weights; by default the hash of those of `net` and `parts`.
    name: set on loading.
    """

    net: Callable[..., Tensor]
    path: Path
    target: Target
    image_shape: Shape
    time: Callable[[Tensor], Tensor] = unchanged
    scale: Callable[[Tensor], Tensor] | None = None
    sign: float = 1.0
    classes: int = 0
    null: int | None = None
    label: Callable[[Tensor], Any] = unchanged
    variance: bool = False
    distilled: bool = False
    decode: Callable[[Tensor], Tensor] | None = None
    parts: tuple[nn.Module, ...] = ()
    digest: str = ""
    name: str = "external"

    def __str__(self) -> str:
        return self.name

    @property
    def provides(self) -> frozenset[str]:
        """Its capabilities."""
        has = {
            "ode": not self.distilled,
            "variance": self.variance,
            "labels": bool(self.classes),
            "unlabelled": self.null is not None,
        }
        return frozenset(name for name, given in has.items() if given)

    @property
    def outputs(self) -> int:
        """Output channels per image channel."""
        return 1 + self.variance

    def modules(self) -> Mapping[str, nn.Module]:
        """None besides the network."""
        return {}

    def field(self, net: Callable[..., Tensor], modules: Mapping[str, nn.Module]) -> Field:
        """The field of the network, called through `net` in samplerbench's conventions."""
        return Field(net, self.path, self.target, modules=modules)


class Adapted(nn.Module):
    """A network called in samplerbench's conventions: net(x, t) or net(x, t, label), t = 1 at the noise."""

    def __init__(self, record: ExternalNetwork):
        super().__init__()
        self.record = record
        self.net = record.net if isinstance(record.net, nn.Module) else None  # found by `to` and by compilers
        self.parts = nn.ModuleList(record.parts)

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """The prediction (B, C or 2C, H, W) of states x (B, C, H, W) at times t (B,)."""
        record = self.record
        if record.scale:
            x = x * record.scale(t).to(x.dtype).view(-1, 1, 1, 1)
        if label is None and record.null is not None:
            label = torch.full((len(x),), record.null, device=x.device)
        labels = () if label is None else (record.label(label),)
        predicted = record.net(x, record.time(t), *labels)
        return predicted if record.sign == 1 else record.sign * predicted


def load_external(
    record: ExternalNetwork, name: str, device: torch.device, dtype: torch.dtype, compiled: bool
) -> LoadedNetwork:
    """The network of a record, ready to run. Raises InputError if a call of it fails or returns something else."""
    record = replace(record, name=name)
    _check_shape(record)
    adapted = Adapted(record).eval().requires_grad_(False).to(device)
    if adapted.net is not None:
        adapted.net.to(dtype)
    _check(record, adapted, device, dtype)
    net: Any = torch.compile(adapted) if compiled else adapted
    return LoadedNetwork(
        name, net, adapted, record.path, record.target, record.image_shape, record.classes, record.provides,
        Origin(name, record.digest or weights_digest(adapted)), dtype, device, external=record, decode=record.decode,
    )  # fmt: skip


def weights_digest(module: nn.Module) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of a module's weights, with their names, types and shapes."""
    total = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()[:12]


def _check_shape(record: ExternalNetwork) -> None:
    """Raises InputError for states that no memory holds, before any is taken."""
    shape = record.image_shape
    whole = len(shape) == 3 and all(isinstance(size, int) and size > 0 for size in shape)
    if not whole or prod(shape) > BIGGEST:
        raise InputError(
            f"The network {record} makes images of {shape}: (C, H, W), at most {BIGGEST} numbers, is needed."
        )


@torch.inference_mode()
def _check(record: ExternalNetwork, net: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Evaluate the network once, so that a wrong record is found before anything is measured."""
    x, t = torch.zeros(2, *record.image_shape, device=device, dtype=dtype), torch.full((2,), 0.5, device=device)
    label = torch.zeros(2, dtype=torch.int64, device=device) if record.classes else None
    expected = (2, record.image_shape[0] * record.outputs, *record.image_shape[1:])
    try:
        found = net(x, t, label)
        shape = tuple(found.shape)
        images = record.decode(x.float()) if record.decode else x
        described = f"{tuple(images.shape)} from its decoder" if images.ndim != 4 or len(images) != 2 else ""
    except FAULTS as error:
        raise InputError(
            f"The network {record} fails on images of {'x'.join(map(str, record.image_shape))}: "
            f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        ) from error
    if shape != expected or described:
        raise InputError(f"The network {record} returns {described or shape}, not {expected}: correct its record.")
