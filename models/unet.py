"""The U-Net that all methods share."""

from dataclasses import dataclass, replace
from math import gcd, log

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_BLOCKS = 100


@dataclass(frozen=True)
class UNetConfig:
    """The architecture, as stored in a checkpoint. Raises ValueError for a number of blocks that is not plausible.

    channels: width at full resolution; `multipliers` give the width at each resolution, from fine to coarse.
    blocks: residual blocks per resolution.
    attention: resolutions (pixels) at which self-attention follows each residual block.
    classes: number of labels; 0 for a network without labels. Label `classes` is the null class.
    interval: whether the network is conditioned on (t, s), as those of MeanFlow and shortcut models are.
    outputs: the output has this many times the channels of the image.
    time_scale: factor on t before the sinusoidal embedding; methods that differentiate in t need a low one.
    """

    resolution: int = 8
    image_channels: int = 1
    channels: int = 32
    multipliers: tuple[int, ...] = (1, 2)
    blocks: int = 2
    attention: tuple[int, ...] = (4,)
    dropout: float = 0.1
    classes: int = 10
    interval: bool = False
    outputs: int = 1
    time_scale: float = 1000.0

    def __post_init__(self) -> None:
        if not 1 <= self.blocks <= MAX_BLOCKS:  # the metadata of a damaged checkpoint may say anything
            raise ValueError(f"a U-Net has 1 to {MAX_BLOCKS} blocks per resolution, not {self.blocks}")


HEAD_WIDTH = 64  # channels per attention head
PRESETS = {
    "digits": UNetConfig(),
    "mnist5k": UNetConfig(28, 1, channels=16, multipliers=(1, 3, 6), blocks=1, attention=(7,)),
    "mnist": UNetConfig(28, 1, channels=64, multipliers=(1, 2, 2), blocks=2, attention=(14,)),
    "cifar10": UNetConfig(32, 3, channels=128, multipliers=(1, 2, 2, 2), blocks=2, attention=(16,)),
}


def fitting(resolution: int, image_channels: int) -> UNetConfig:
    """A U-Net for square images of any size, halved down to 4 pixels at most three times; the presets are such ones.

    Raises ValueError for images of an odd size, which cannot be halved.
    """
    if resolution % 2:
        raise ValueError(f"a U-Net halves its images, which a side of {resolution} does not allow")
    side, levels = resolution, 1
    while side % 2 == 0 and side > 4 and levels < 4:
        side, levels = side // 2, levels + 1
    channels = 32 if resolution <= 8 else 64 if resolution < 32 else 128
    return UNetConfig(resolution, image_channels, channels, (1, 2, 2, 2)[:levels], attention=(resolution // 2,))


def weaker(config: UNetConfig) -> UNetConfig:
    """Half as wide, with one block per resolution: the weaker network for autoguidance."""
    return replace(config, channels=config.channels // 2, blocks=1)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(gcd(32, channels // 4), channels, eps=1e-6)


def _zero(layer: nn.Module) -> nn.Module:
    """The layer, initialised to zero, so that its residual block starts as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class TimeEmbedding(nn.Module):
    """Sinusoids of scale * t, then two linear layers. t (B,) -> (B, width)."""

    rates: Tensor

    def __init__(self, channels: int, width: int, scale: float):
        super().__init__()
        rates = torch.arange(channels // 2)
        if not rates.is_meta:  # there only shapes count, and arithmetic would import torch's compiler, for seconds
            rates = scale * torch.exp(-log(10_000) * rates / (channels // 2))
        self.register_buffer("rates", rates, persistent=False)
        self.layers = nn.Sequential(nn.Linear(channels, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        # The angles reach `scale`, where bfloat16 cannot resolve a radian: keep them in float32.
        angles = t.float()[:, None] * self.rates.float()
        waves = torch.cat((angles.sin(), angles.cos()), dim=1)
        return self.layers(waves.to(next(self.layers.parameters()).dtype))


class ResidualBlock(nn.Module):
    """x + f(x), f: norm, SiLU, conv, norm scaled and shifted by the embedding, SiLU, dropout, conv."""

    def __init__(self, inputs: int, outputs: int, width: int, dropout: float):
        super().__init__()
        self.norm1 = _norm(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.embed = nn.Linear(width, 2 * outputs)
        self.norm2 = _norm(outputs)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = _zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.embed(F.silu(embedding))[:, :, None, None].chunk(2, dim=1)
        h = torch.addcmul(shift, self.norm2(h), 1 + scale)
        return self.skip(x) + self.conv2(self.dropout(F.silu(h)))


class Attention(nn.Module):
    """x + self-attention over the pixels of x (B, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.heads = max(1, channels // HEAD_WIDTH)
        self.norm = _norm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = _zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        qkv = self.qkv(self.norm(x)).view(b, 3, self.heads, c // self.heads, h * w)
        q, k, v = qkv.transpose(-1, -2).unbind(1)  # (B, heads, pixels, channels per head)
        attended = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(attended.transpose(-1, -2).reshape(b, c, h, w))


class Stage(nn.Module):
    """A residual block, followed by attention if `attention`."""

    def __init__(self, inputs: int, outputs: int, width: int, dropout: float, attention: bool):
        super().__init__()
        self.block = ResidualBlock(inputs, outputs, width, dropout)
        self.attention = Attention(outputs) if attention else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        return self.attention(self.block(x, embedding))


class Downsample(nn.Conv2d):
    """Halve the resolution."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        return super().forward(x)


class Upsample(nn.Conv2d):
    """Double the resolution."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, embedding: Tensor | None = None) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class UNet(nn.Module):
    """DDPM's U-Net (arXiv 2006.11239, appendix B) with scale-shift time embedding (arXiv 2102.09672).

    forward(x, t, label=None, s=None): x (B, C, H, W), times t (B,) in [0, 1], labels (B,) with `classes` for the null
    class (None: all null), end times s (B,) if `interval`. Returns a prediction (B, outputs * C, H, W).
    """

    def __init__(self, config: UNetConfig):
        super().__init__()
        self.config = config
        channels, width = config.channels, 4 * config.channels

        self.time = TimeEmbedding(channels, width, config.time_scale)
        self.second_time = TimeEmbedding(channels, width, config.time_scale) if config.interval else None
        if self.second_time:
            _zero(self.second_time.layers[-1])  # initially, the output does not depend on s
        self.label = nn.Embedding(config.classes + 1, width) if config.classes else None
        self.conv_in = nn.Conv2d(config.image_channels, channels, 3, padding=1)

        def stage(inputs: int, outputs: int, resolution: int) -> Stage:
            return Stage(inputs, outputs, width, config.dropout, resolution in config.attention)

        widths = [channels * multiplier for multiplier in config.multipliers]
        resolution, current, skips = config.resolution, channels, [channels]
        self.down = nn.ModuleList()
        for level, outputs in enumerate(widths):
            for _ in range(config.blocks):
                self.down.append(stage(current, outputs, resolution))
                current = outputs
                skips.append(current)
            if level < len(widths) - 1:
                self.down.append(Downsample(current))
                skips.append(current)
                resolution //= 2

        self.middle = nn.ModuleList((stage(current, current, resolution), stage(current, current, 0)))
        self.middle[0].attention = Attention(current)

        self.up = nn.ModuleList()
        for level, outputs in reversed(list(enumerate(widths))):
            for _ in range(config.blocks + 1):
                self.up.append(stage(current + skips.pop(), outputs, resolution))
                current = outputs
            if level > 0:
                self.up.append(Upsample(current))
                resolution *= 2

        self.norm_out = _norm(current)
        self.conv_out = _zero(nn.Conv2d(current, config.outputs * config.image_channels, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None, s: Tensor | None = None) -> Tensor:
        if (s is None) == self.config.interval:
            raise ValueError(
                "this network is conditioned on (t, s): give the end time s"
                if self.config.interval
                else "this network is conditioned on t only: leave out the end time s"
            )
        embedding = self.time(t)
        if self.second_time is not None:
            embedding = embedding + self.second_time(s)
        if self.label is not None:
            null = torch.full((len(x),), self.config.classes, device=x.device)
            embedding = embedding + self.label(null if label is None else label)

        h = self.conv_in(x)
        skips = [h]
        for layer in self.down:
            h = layer(h, embedding)
            skips.append(h)
        for layer in self.middle:
            h = layer(h, embedding)
        for layer in self.up:
            h = layer(h if isinstance(layer, Upsample) else torch.cat((h, skips.pop()), dim=1), embedding)
        return self.conv_out(F.silu(self.norm_out(h)))
