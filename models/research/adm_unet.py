"""The U-Net of guided-diffusion (arXiv 2105.05233), which torchcfm uses as well."""

from dataclasses import dataclass
from math import log
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samplerbench.models.research.config import Config, Range
from samplerbench.models.research.unet_config import Images, Labels, Side, check_levels

Channels = Annotated[int, Range(32, 16_384)]


@dataclass(frozen=True)
class ADMConfig(Config):
    """The architecture. Raises ValueError if it is impossible.

    base: width of the time embedding before its layers. widths: channels at each resolution, from fine to coarse.
    blocks: residual blocks per resolution. attention: resolutions with self-attention, as levels 0, 1, ...
    heads: of each attention layer; 0 for `head_channels` channels each. split_first: whether q, k and v are split
    before the heads ("new attention order").
    scale_shift: whether the embedding scales as well as shifts. residual_resampling: whether residual blocks change the
    resolution, instead of single convolutions.
    """

    image_size: Side
    in_channels: Images
    out_channels: Images
    base: Channels
    widths: tuple[Channels, ...]
    blocks: Annotated[int, Range(1, 32)]
    attention: tuple[Annotated[int, Range(0, 15)], ...]
    classes: Labels = 0
    heads: Annotated[int, Range(0, 1024)] = 0
    head_channels: Annotated[int, Range(1, 4096)] = 64
    split_first: bool = False
    scale_shift: bool = True
    residual_resampling: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_levels(self.image_size, self.widths)
        for width in (*(self.widths[level] for level in self.attention if level < len(self.widths)), self.widths[-1]):
            if width % (self.heads or self.head_channels):
                each = f"{self.heads} heads" if self.heads else f"heads of {self.head_channels} channels"
                raise ValueError(f"{width} channels cannot be divided into {each}")


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels)


class Sequence(nn.Sequential):
    """Layers in a row, of which residual blocks also take the embedding."""

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:  # type: ignore[override]
        for layer in self:
            x = layer(x, embedding) if isinstance(layer, ResidualBlock) else layer(x)
        return x


class Resampling(nn.Module):
    """Twice (`up`) or half the resolution: by repeated or averaged pixels, or by a convolution beside or instead."""

    def __init__(self, channels: int, up: bool, convolve: bool):
        super().__init__()
        self.up = up
        if convolve and up:
            self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        elif convolve:
            self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.convolve = convolve

    def forward(self, x: Tensor) -> Tensor:
        if self.up:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            return self.conv(x) if self.convolve else x
        return self.op(x) if self.convolve else F.avg_pool2d(x, 2)


class ResidualBlock(nn.Module):
    """x + f(x), with the embedding added, or scaling and shifting, between two convolutions."""

    def __init__(
        self, inputs: int, outputs: int, embedding: int, scale_shift: bool, resampling: nn.Module | None = None
    ):
        super().__init__()
        self.scale_shift = scale_shift
        self.resampling = resampling or nn.Identity()  # it has no parameters
        self.in_layers = nn.Sequential(_norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, outputs * (2 if scale_shift else 1)))
        convolution = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.out_layers = nn.Sequential(_norm(outputs), nn.SiLU(), nn.Identity(), convolution)  # dropout: not sampled
        self.skip_connection = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        norm, activation, convolution = self.in_layers
        h = convolution(self.resampling(activation(norm(x))))
        affine = self.emb_layers(embedding)[:, :, None, None]
        norm, *rest = self.out_layers
        if self.scale_shift:
            scale, shift = affine.chunk(2, dim=1)
            h = torch.addcmul(shift, norm(h), 1 + scale)
        else:
            h = norm(h + affine)
        for layer in rest:
            h = layer(h)
        return self.skip_connection(self.resampling(x)) + h


class Attention(nn.Module):
    """x + self-attention over the pixels of x (B, C, H, W)."""

    def __init__(self, channels: int, config: ADMConfig):
        super().__init__()
        self.heads = config.heads or channels // config.head_channels
        self.split_first = config.split_first
        self.norm = _norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        flat = x.flatten(2)
        qkv = self.qkv(self.norm(flat))
        if self.split_first:
            qkv = qkv.view(b, 3, self.heads, c // self.heads, h * w).transpose(1, 2)
        else:
            qkv = qkv.view(b, self.heads, 3, c // self.heads, h * w)
        q, k, v = qkv.transpose(3, 4).unbind(2)  # (B, heads, pixels, channels per head)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(b, c, h * w)
        return (flat + self.proj_out(attended)).view(x.shape)


class ADMUNet(nn.Module):
    """forward(x, time, label): x (B, C, H, W), time (B,), label (B,) if there are classes -> (B, outputs, H, W)."""

    Config = ADMConfig

    def __init__(self, config: ADMConfig):
        super().__init__()
        self.config = config
        width = 4 * config.base
        self.time_embed = nn.Sequential(nn.Linear(config.base, width), nn.SiLU(), nn.Linear(width, width))
        if config.classes:
            self.label_emb = nn.Embedding(config.classes, width)
        self.input_blocks, skips = _encoder(config, width)
        last = config.widths[-1]
        self.middle_block = Sequence(
            ResidualBlock(last, last, width, config.scale_shift), Attention(last, config),
            ResidualBlock(last, last, width, config.scale_shift),
        )  # fmt: skip
        self.output_blocks = _decoder(config, width, skips)
        first = config.widths[0]
        self.out = nn.Sequential(_norm(first), nn.SiLU(), nn.Conv2d(first, config.out_channels, 3, padding=1))

    def forward(self, x: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        embedding = self.time_embed(self._sinusoids(time).to(x.dtype))
        if self.config.classes:
            if label is None:
                raise ValueError("this network needs a label for each image")
            embedding = embedding + self.label_emb(label)
        skips = []
        for block in self.input_blocks:
            x = block(x, embedding)
            skips.append(x)
        x = self.middle_block(x, embedding)
        for block in self.output_blocks:
            x = block(torch.cat((x, skips.pop()), dim=1), embedding)
        return self.out(x)

    def _sinusoids(self, time: Tensor) -> Tensor:
        half = self.config.base // 2
        rates = torch.exp(-log(10_000) * torch.arange(half, dtype=torch.float32, device=time.device) / half)
        angles = time.float()[:, None] * rates
        return torch.cat((angles.cos(), angles.sin()), dim=1)


def _resampler(config: ADMConfig, channels: int, width: int, up: bool) -> nn.Module:
    """What changes the resolution between two levels."""
    if config.residual_resampling:
        return ResidualBlock(channels, channels, width, config.scale_shift, Resampling(channels, up, convolve=False))
    return Resampling(channels, up, convolve=True)


def _encoder(config: ADMConfig, width: int) -> tuple[nn.ModuleList, list[int]]:
    """The blocks, and the channels that each of them puts out."""
    channels = config.widths[0]
    blocks, skips = [Sequence(nn.Conv2d(config.in_channels, channels, 3, padding=1))], [channels]
    for level, outputs in enumerate(config.widths):
        for _ in range(config.blocks):
            layers: list[Any] = [ResidualBlock(channels, outputs, width, config.scale_shift)]
            channels = outputs
            blocks.append(Sequence(*layers, *_attention(config, level, channels)))
            skips.append(channels)
        if level < len(config.widths) - 1:
            blocks.append(Sequence(_resampler(config, channels, width, up=False)))
            skips.append(channels)
    return nn.ModuleList(blocks), skips


def _decoder(config: ADMConfig, width: int, skips: list[int]) -> nn.ModuleList:
    channels, blocks = config.widths[-1], []
    for level, outputs in reversed(list(enumerate(config.widths))):
        for i in range(config.blocks + 1):
            layers: list[Any] = [ResidualBlock(channels + skips.pop(), outputs, width, config.scale_shift)]
            channels = outputs
            layers += _attention(config, level, channels)
            if level and i == config.blocks:
                layers.append(_resampler(config, channels, width, up=True))
            blocks.append(Sequence(*layers))
    return nn.ModuleList(blocks)


def _attention(config: ADMConfig, level: int, channels: int) -> list[nn.Module]:
    return [Attention(channels, config)] if level in config.attention else []
