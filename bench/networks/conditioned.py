"""A U-Net that looks its conditions up."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from samplerbench.errors import InputError
from samplerbench.models import UNet
from samplerbench.networks.conditions.base import CONDITIONS, Condition, Conditions, Source
from samplerbench.networks.loaded import Home, LoadedNetwork


class Conditioned(nn.Module):
    """A U-Net called as net(x, t, number): with the condition of that number, or with none for None.

    Numbers take the place of labels, so that guidance, dropping in training and balance are those of labels.
    """

    rows: Tensor

    def __init__(self, net: UNet, conditions: Conditions):
        super().__init__()
        self.net = net
        self.register_buffer("rows", conditions.rows, persistent=False)

    def forward(self, x: Tensor, t: Tensor, number: Tensor | None = None, s: Tensor | None = None) -> Tensor:
        """The prediction (B, C, H, W) for states x (B, C, H, W) at times t (B,) under conditions (B,)."""
        if number is None:
            number = torch.full((len(x),), len(self.rows) - 1, device=x.device)
        row = self.rows[number]
        row = row.to(x.dtype) if row.is_floating_point() else row
        if self.net.config.inputs:
            return self.net(torch.cat((x, row), dim=1), t, None, s)
        return self.net(x, t, None, s, context=row)


def reconditioned(networks: Mapping[str, LoadedNetwork], spec: str) -> dict[str, LoadedNetwork]:
    """The same networks, with this condition for those that take one of its kind.

    Raises SpecError or InputError if there is no such condition, or if none of them takes it.
    """
    condition = CONDITIONS.get(spec)
    takers = [name for name, each in networks.items() if each.condition.partition("[")[0] == condition.name]
    if not takers:
        raise InputError(f"--condition has no effect: no network here takes the condition {condition.name!r}.")
    return {name: with_condition(each, condition) if name in takers else each for name, each in networks.items()}


def with_condition(loaded: LoadedNetwork, condition: Condition) -> LoadedNetwork:
    """The network with the conditions that its images are generated under, instead of others if it has some.

    Raises InputError if it takes another kind, or if the conditions cannot be made.
    """
    space, unet = cast(Home, loaded.home).space, loaded.eager
    if isinstance(unet, Conditioned):
        unet = unet.net
    options = condition.network(space)
    if {name: getattr(unet.config, name) for name in options} != options:
        raise InputError(f"{loaded.name} was trained with other options of its condition than {condition}.")
    conditions = condition.sampling(Source.of(space))
    eager = Conditioned(cast(UNet, unet), conditions).eval().to(loaded.device)
    net: Any = torch.compile(eager) if loaded.compiled else eager
    return replace(
        loaded, net=net, eager=eager, conditions=conditions, condition=str(condition), classes=len(conditions),
        provides=loaded.provides | {"labels", "unlabelled"}, code=(*loaded.code, type(condition)),
    )  # fmt: skip
