"""Attention of a U-Net's pixels: to each other, and to the tokens of a condition."""

from math import gcd
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

HEAD_WIDTH = 64  # channels per attention head


class Context(NamedTuple):
    """What pixels attend to: tokens (B, L, D), and which of them are there (B, L); None for all."""

    tokens: Tensor
    mask: Tensor | None = None


def norm(channels: int) -> nn.GroupNorm:
    """Group normalisation, with groups of at least 4 channels."""
    return nn.GroupNorm(gcd(32, channels // 4), channels, eps=1e-6)


def zero(layer: nn.Module) -> nn.Module:
    """The layer, initialised to zero, so that its residual block starts as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


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
        return x + self.out(attended.transpose(-1, -2).reshape(b, c, h, w))


class CrossAttention(nn.Module):
    """x + attention of the pixels of x (B, C, H, W) to the tokens of a condition, of width `context`."""

    def __init__(self, channels: int, context: int):
        super().__init__()
        self.heads = max(1, channels // HEAD_WIDTH)
        self.norm = norm(channels)
        self.query = nn.Conv2d(channels, channels, 1)
        self.key_value = nn.Linear(context, 2 * channels)
        self.out = zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor, context: Context) -> Tensor:
        b, c, h, w = x.shape
        q = self.query(self.norm(x)).view(b, self.heads, c // self.heads, h * w).transpose(-1, -2)
        pairs = self.key_value(context.tokens).view(b, -1, 2, self.heads, c // self.heads)
        k, v = pairs.permute(2, 0, 3, 1, 4)  # (B, heads, tokens, channels per head)
        mask = None if context.mask is None else context.mask[:, None, None, :]
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return x + self.out(attended.transpose(-1, -2).reshape(b, c, h, w))
