"""ADM's U-Net (arXiv 2105.05233) as EDM writes it (arXiv 2206.00364, appendix F)."""

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samplerbench.models.research.config import Range
from samplerbench.models.research.edm_layers import Block, BlockStyle, Conv, Sinusoids, group_norm
from samplerbench.models.research.unet_config import Channels, EDMUNetConfig, Factor, Side


@dataclass(frozen=True)
class DhariwalUNetConfig(EDMUNetConfig):
    """The arguments of EDM's DhariwalUNet, in their order. Raises ValueError if they are impossible."""

    model_channels: Channels = 192
    channel_mult: tuple[Factor, ...] = (1, 2, 3, 4)
    num_blocks: Annotated[int, Range(1, 32)] = 3
    attn_resolutions: tuple[Side, ...] = (32, 16, 8)


class DhariwalUNet(nn.Module):
    """forward(x, time, label): x (B, C, H, W), time (B,), label (B, label_dim) or None -> (B, outputs, H, W)."""

    Config = DhariwalUNetConfig

    def __init__(self, config: DhariwalUNetConfig):
        super().__init__()
        self.config = config
        channels, width = config.model_channels, config.model_channels * config.channel_mult_emb
        self.map_noise = Sinusoids(channels, endpoint=False)
        # Not used: the label of an image that is not augmented is zero.
        self.map_augment = nn.Linear(config.augment_dim, channels, bias=False) if config.augment_dim else None
        self.map_layer0, self.map_layer1 = nn.Linear(channels, width), nn.Linear(width, width)
        self.map_label = nn.Linear(config.label_dim, width, bias=False) if config.label_dim else None

        layers, skips = _encoder(config, BlockStyle(width))
        self.enc = nn.ModuleDict(layers)
        self.dec = nn.ModuleDict(_decoder(config, BlockStyle(width), skips))
        _, finest = config.widths()[0]
        self.out_norm, self.out_conv = group_norm(finest, 1e-5), Conv(finest, config.out_channels, 3)

    def forward(self, x: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        embedding = self._embedding(time, label).to(x.dtype)
        skips = []
        for layer in self.enc.values():
            x = layer(x, embedding) if isinstance(layer, Block) else layer(x)
            skips.append(x)
        for layer in self.dec.values():
            x = layer(torch.cat((x, skips.pop()), dim=1) if x.shape[1] != layer.inputs else x, embedding)
        return self.out_conv(F.silu(self.out_norm(x)))

    def _embedding(self, time: Tensor, label: Tensor | None) -> Tensor:
        h = self.map_noise(time).to(self.map_layer0.weight.dtype)
        h = self.map_layer1(F.silu(self.map_layer0(h)))
        if self.map_label is not None and label is not None:
            h = h + self.map_label(label.to(h.dtype))
        return F.silu(h)


def _encoder(config: DhariwalUNetConfig, style: BlockStyle) -> tuple[dict[str, nn.Module], list[int]]:
    """The layers, and the channels of the features that the decoder takes from them."""
    layers: dict[str, nn.Module] = {}
    skips: list[int] = []
    _, channels = config.widths()[0]
    for level, (side, width) in enumerate(config.widths()):
        at = f"{side}x{side}"
        if level == 0:
            layers[f"{at}_conv"] = Conv(config.in_channels, channels, 3)
        else:
            layers[f"{at}_down"] = Block(channels, channels, style, down=True)
        skips.append(channels)
        for i in range(config.num_blocks):
            layers[f"{at}_block{i}"] = Block(channels, width, style, attention=side in config.attn_resolutions)
            channels = width
            skips.append(channels)
    return layers, skips


def _decoder(config: DhariwalUNetConfig, style: BlockStyle, skips: list[int]) -> dict[str, nn.Module]:
    layers: dict[str, nn.Module] = {}
    *_, (_, channels) = config.widths()
    for level, (side, width) in reversed(list(enumerate(config.widths()))):
        at = f"{side}x{side}"
        if level == len(config.channel_mult) - 1:
            layers[f"{at}_in0"] = Block(channels, channels, style, attention=True)
            layers[f"{at}_in1"] = Block(channels, channels, style)
        else:
            layers[f"{at}_up"] = Block(channels, channels, style, up=True)
        for i in range(config.num_blocks + 1):
            attention = side in config.attn_resolutions
            layers[f"{at}_block{i}"] = Block(channels + skips.pop(), width, style, attention=attention)
            channels = width
    return layers
