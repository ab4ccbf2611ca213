"""The layers of the U-Net."""

from math import gcd, log
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD_WIDTH = 64  # channels per attention head


class Tokens(NamedTuple):
    """What the network attends to: vectors (B, L, width), and which of them count, (B, L) of bool (None: all)."""

    vectors: Tensor
    attended: Tensor | None = None


def norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(gcd(32, channels // 4), channels, eps=1e-6)


def zero(layer: nn.Module) -> nn.Module:
    """The layer, initialised to zero, so that its residual block starts as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def silu(x: Tensor) -> Tensor:
    """SiLU of a tensor that nothing else reads: in its place where no gradient needs it, which spares an allocation.

    On the CPU, new memory costs more than the arithmetic: the system maps and clears every page.
    """
    return F.silu(x, inplace=not (x.requires_grad and torch.is_grad_enabled()))


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
        self.norm1 = norm(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.embed = nn.Linear(width, 2 * outputs)
        self.norm2 = norm(outputs)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        h = self.conv1(silu(self.norm1(x)))
        scale, shift = self.embed(F.silu(embedding))[:, :, None, None].chunk(2, dim=1)
        h = torch.addcmul(shift, self.norm2(h), 1 + scale)
        return self.conv2(self.dropout(silu(h))).add_(self.skip(x))


class Attention(nn.Module):
    """x + self-attention over the pixels of x (B, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.heads = max(1, channels // HEAD_WIDTH)
        self.norm = norm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        qkv = self.qkv(self.norm(x)).view(b, 3, self.heads, c // self.heads, h * w)
        q, k, v = qkv.transpose(-1, -2).unbind(1)  # (B, heads, pixels, channels per head)
        attended = F.scaled_dot_product_attention(q, k, v)
        return self.out(attended.transpose(-1, -2).reshape(b, c, h, w)).add_(x)


class CrossAttention(nn.Module):
    """x + attention of the pixels of x (B, C, H, W) to tokens of the given width."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.heads = max(1, channels // HEAD_WIDTH)
        self.norm = norm(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.kv = nn.Linear(width, 2 * channels)
        self.out = zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor, tokens: Tokens) -> Tensor:
        b, c, h, w = x.shape
        q = self.q(self.norm(x)).view(b, self.heads, c // self.heads, h * w).transpose(-1, -2)
        kv = self.kv(tokens.vectors).view(b, -1, 2, self.heads, c // self.heads)
        k, v = kv.permute(2, 0, 3, 1, 4)  # (B, heads, tokens, channels per head)
        mask = None if tokens.attended is None else tokens.attended[:, None, None]
        attended = F.scaled_dot_product_attention(q, k, v, mask)
        return self.out(attended.transpose(-1, -2).reshape(b, c, h, w)).add_(x)


class Stage(nn.Module):
    """A residual block; if `attention`, then self-attention, and attention to tokens of width `context` unless 0."""

    def __init__(self, inputs: int, outputs: int, width: int, dropout: float, attention: bool, context: int = 0):
        super().__init__()
        self.block = ResidualBlock(inputs, outputs, width, dropout)
        self.attention = Attention(outputs) if attention else nn.Identity()
        self.cross = CrossAttention(outputs, context) if attention and context else None

    def forward(self, x: Tensor, embedding: Tensor, tokens: Tokens | None = None) -> Tensor:
        h = self.attention(self.block(x, embedding))
        return h if self.cross is None or tokens is None else self.cross(h, tokens)


class Downsample(nn.Conv2d):
    """Halve the resolution."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor, embedding: Tensor | None = None, tokens: Tokens | None = None) -> Tensor:
        return super().forward(x)


class Upsample(nn.Conv2d):
    """Double the resolution."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, embedding: Tensor | None = None, tokens: Tokens | None = None) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"))
