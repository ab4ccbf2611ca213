"""Networks with prompts: UNet2DConditionModel (SD, SDXL) and the flow transformers of SD3 and FLUX."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from samplerbench.errors import InputError
from samplerbench.networks.external import ExternalNetwork, Shape
from samplerbench.networks.published.folder import component, load_module
from samplerbench.networks.published.latent import load_decoder
from samplerbench.networks.published.prompts import EMBEDDINGS, POOLED, Prompts
from samplerbench.networks.published.schedule import Schedule
from samplerbench.networks.published.unet import state_shape


@dataclass(frozen=True)
class Text:
    """What a network with prompts is loaded from. guidance: the input of guidance-distilled networks."""

    folder: Path
    schedule: Schedule
    prompts: Prompts
    guidance: float


class Prompted(nn.Module):
    """A network called as net(x, time, label), with the prompt of that label looked up."""

    net: Any  # of diffusers, with a config

    def __init__(self, net: nn.Module, prompts: Prompts):
        super().__init__()
        self.net = net
        for name, table in prompts.tables.items():
            self.register_buffer(name, table)

    def look_up(self, name: str, label: Tensor) -> Tensor:
        """The rows of a table for labels (B,)."""
        return getattr(self, name)[label]


class PromptedUNet(Prompted):
    """A UNet2DConditionModel. Those of SDXL also take pooled embeddings, and the sizes and the crop of the image."""

    def __init__(self, net: nn.Module, prompts: Prompts, size: tuple[int, int]):
        super().__init__(net, prompts)
        self.sizes = (*size, 0, 0, *size)

    def forward(self, x: Tensor, time: Tensor, label: Tensor) -> Tensor:
        """The prediction for latents x (B, C, h, w)."""
        more: dict[str, Any] = {}
        if POOLED in dict(self.named_buffers()):
            ids = torch.tensor(self.sizes, device=x.device, dtype=x.dtype).expand(len(x), -1)
            more = {"added_cond_kwargs": {"text_embeds": self.look_up(POOLED, label), "time_ids": ids}}
        embeds = self.look_up(EMBEDDINGS, label)
        return self.net(x, time, encoder_hidden_states=embeds, return_dict=False, **more)[0]


class PromptedSD3(Prompted):
    """An SD3Transformer2DModel."""

    def forward(self, x: Tensor, time: Tensor, label: Tensor) -> Tensor:
        """The velocity at latents x (B, C, h, w)."""
        return self.net(
            x, timestep=time, encoder_hidden_states=self.look_up(EMBEDDINGS, label),
            pooled_projections=self.look_up(POOLED, label), return_dict=False,
        )[0]  # fmt: skip


class PromptedFlux(Prompted):
    """A FluxTransformer2DModel, which takes latents as sequences of 2x2 patches, and the guidance as an input."""

    def __init__(self, net: nn.Module, prompts: Prompts, guidance: float):
        super().__init__(net, prompts)
        self.guidance = guidance

    def forward(self, x: Tensor, time: Tensor, label: Tensor) -> Tensor:
        """The velocity at latents x (B, C, h, w). time: in 0 ... 1, which the network itself multiplies by 1000."""
        b, c, h, w = x.shape
        patches = x.view(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(b, h * w // 4, 4 * c)
        embeds = self.look_up(EMBEDDINGS, label)
        strength = torch.full((b,), self.guidance, device=x.device, dtype=x.dtype)
        found = self.net(
            patches, timestep=time, guidance=strength if self.net.config.guidance_embeds else None,
            encoder_hidden_states=embeds, pooled_projections=self.look_up(POOLED, label),
            img_ids=self._places(h // 2, w // 2, x), txt_ids=x.new_zeros(embeds.shape[1], 3), return_dict=False,
        )[0]  # fmt: skip
        return found.view(b, h // 2, w // 2, c, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(b, c, h, w)

    @staticmethod
    def _places(rows: int, columns: int, like: Tensor) -> Tensor:
        """Row and column of each patch, after a zero: (rows * columns, 3)."""
        row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        return torch.stack((torch.zeros_like(row), row, column), dim=-1).view(-1, 3).to(like)


def conditional_unet(text: Text) -> ExternalNetwork:
    """The record of a UNet2DConditionModel."""
    from diffusers import UNet2DConditionModel

    unet = load_module(UNet2DConditionModel, component(text.folder, "unet"))
    shape = state_shape(unet.config)
    vae, decode = load_decoder(text.folder / "vae")
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    net = PromptedUNet(unet, text.prompts, (factor * shape[1], factor * shape[2]))
    return _record(net, text, shape, vae, decode)


def sd3(text: Text) -> ExternalNetwork:
    """The record of an SD3Transformer2DModel."""
    from diffusers import SD3Transformer2DModel

    transformer = load_module(SD3Transformer2DModel, component(text.folder, "transformer"))
    _need_pooled(text)
    vae, decode = load_decoder(text.folder / "vae")
    return _record(PromptedSD3(transformer, text.prompts), text, state_shape(transformer.config), vae, decode)


def flux(text: Text, size: int) -> ExternalNetwork:
    """The record of a FluxTransformer2DModel, for images of that size."""
    from diffusers import FluxTransformer2DModel

    transformer = load_module(FluxTransformer2DModel, component(text.folder, "transformer"))
    _need_pooled(text)
    vae, decode = load_decoder(text.folder / "vae")
    side = size // 2 ** (len(vae.config.block_out_channels) - 1)
    if side < 2 or side % 2:
        raise InputError(
            f"FLUX takes images whose latents have an even side, which images of {size} do not: see size=."
        )
    net = PromptedFlux(transformer, text.prompts, text.guidance)
    return _record(net, text, (transformer.config.in_channels // 4, side, side), vae, decode, time=lambda t: t)


def _need_pooled(text: Text) -> None:
    if POOLED not in text.prompts.tables:
        raise InputError(f"The transformer in {text.folder} needs {POOLED} of the prompts too.")


def _record(
    net: nn.Module,
    text: Text,
    shape: Shape,
    vae: nn.Module,
    decode: Callable[[Tensor], Tensor],
    time: Callable[[Tensor], Tensor] | None = None,
) -> ExternalNetwork:
    schedule, prompts = text.schedule, text.prompts
    return ExternalNetwork(
        net, schedule.path, schedule.target, shape, time=time or schedule.time, classes=prompts.count,
        null=prompts.null, decode=decode, parts=(vae,),
    )  # fmt: skip
