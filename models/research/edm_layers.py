"""The layers of EDM's U-Nets (arXiv 2206.00364, appendix F). They are left uninitialised, to be filled from a file."""

from collections.abc import Callable
from dataclasses import dataclass
from math import log, pi, sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD_CHANNELS = 64  # per attention head, where their number is not fixed
HALF = sqrt(0.5)  # the gain that keeps the variance of a sum


def group_norm(channels: int, eps: float) -> nn.GroupNorm:
    """At most 32 groups of at least 4 channels."""
    return nn.GroupNorm(min(32, channels // 4), channels, eps=eps)


class Conv(nn.Module):
    """A convolution of odd size `kernel`, 0 for none, after filtering to twice (`up`) or half (`down`) the resolution.

    taps: the filter along each axis. fused: convolve first and filter afterwards, with the padding of both before.
    """

    resample_filter: Tensor | None

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, up: bool = False, down: bool = False,
        taps: tuple[int, ...] = (1, 1), fused: bool = False,
    ):  # fmt: skip
        super().__init__()
        self.up, self.fused, self.padding = up, fused, kernel // 2
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel)) if kernel else None
        self.bias = nn.Parameter(torch.empty(outputs)) if kernel else None
        self.register_buffer("resample_filter", torch.empty(1, 1, len(taps), len(taps)) if up or down else None)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, inputs, H, W) -> (B, outputs, H', W')."""
        taps, weight, bias = self.resample_filter, self.weight, self.bias
        edge = 0 if taps is None else (taps.shape[-1] - 1) // 2
        if taps is not None and weight is not None and bias is not None and self.fused:
            return _resampled(F.conv2d(x, weight, padding=self.padding + edge), taps, self.up, 0) + bias.view(-1, 1, 1)
        if taps is not None:
            x = _resampled(x, taps, self.up, edge)
        return x if weight is None else F.conv2d(x, weight, bias, padding=self.padding)


def _resampled(x: Tensor, taps: Tensor, up: bool, padding: int) -> Tensor:
    """Each channel filtered, to twice or half the resolution."""
    channels = x.shape[1]
    kernels = taps.expand(channels, -1, -1, -1)
    if up:
        return F.conv_transpose2d(x, 4 * kernels, stride=2, padding=padding, groups=channels)
    return F.conv2d(x, kernels, stride=2, padding=padding, groups=channels)


@dataclass(frozen=True)
class BlockStyle:
    """In what the blocks of DDPM++, NCSN++ and ADM differ.

    embedding: width of the embedding. adaptive: whether it scales as well as shifts. heads: of attention; None for one
    per 64 channels. gain: factor on sums with a skip connection. project: whether resampled skip connections also get a
    1x1 convolution where the channels do not change. taps: the resampling filter.
    """

    embedding: int
    adaptive: bool = True
    heads: int | None = None
    gain: float = 1.0
    eps: float = 1e-5
    project: bool = False
    taps: tuple[int, ...] = (1, 1)


class Block(nn.Module):
    """A residual block, which may resample, followed by self-attention if `attention`."""

    def __init__(
        self, inputs: int, outputs: int, style: BlockStyle, *, up: bool = False, down: bool = False,
        attention: bool = False,
    ):  # fmt: skip
        super().__init__()
        self.inputs, self.style = inputs, style
        self.norm0 = group_norm(inputs, style.eps)
        self.conv0 = Conv(inputs, outputs, 3, up=up, down=down, taps=style.taps)
        self.affine = nn.Linear(style.embedding, outputs * (2 if style.adaptive else 1))
        self.norm1 = group_norm(outputs, style.eps)
        self.conv1 = Conv(outputs, outputs, 3)

        resamples = up or down
        kernel = 1 if inputs != outputs or style.project else 0
        changes = inputs != outputs or resamples
        self.skip = Conv(inputs, outputs, kernel, up=up, down=down, taps=style.taps) if changes else None

        self.heads = (style.heads or outputs // HEAD_CHANNELS) if attention else 0
        if self.heads:
            self.norm2 = group_norm(outputs, style.eps)
            self.qkv = Conv(outputs, 3 * outputs, 1)
            self.proj = Conv(outputs, outputs, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """x (B, inputs, H, W), embedding (B, width) -> (B, outputs, H', W')."""
        h = self.conv0(F.silu(self.norm0(x)))
        affine = self.affine(embedding)[:, :, None, None]
        if self.style.adaptive:
            scale, shift = affine.chunk(2, dim=1)
            h = torch.addcmul(shift, self.norm1(h), 1 + scale)
        else:
            h = self.norm1(h + affine)
        h = self.conv1(F.silu(h))
        x = self.style.gain * (h + (x if self.skip is None else self.skip(x)))
        return self.style.gain * (x + self._attended(x)) if self.heads else x

    def _attended(self, x: Tensor) -> Tensor:
        """Self-attention over pixels; q, k and v of a channel are neighbours in the output of `qkv`."""
        b, c, height, width = x.shape
        qkv = self.qkv(self.norm2(x)).view(b, self.heads, c // self.heads, 3, height * width)
        q, k, v = qkv.transpose(2, 4).unbind(3)  # (B, heads, pixels, channels per head)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(x.shape))


class Sinusoids(nn.Module):
    """cos and sin of a time at geometric rates from 1 to 1/10,000 (just above it without `endpoint`)."""

    def __init__(self, channels: int, endpoint: bool):
        super().__init__()
        self.count, self.endpoint = channels // 2, endpoint

    def forward(self, time: Tensor) -> Tensor:
        """time (B,) -> (B, channels)."""
        index = torch.arange(self.count, dtype=torch.float32, device=time.device)
        rates = torch.exp(-log(10_000) * index / (self.count - self.endpoint))
        angles = time.float()[:, None] * rates
        return torch.cat((angles.cos(), angles.sin()), dim=1)


class ExactBuffers(nn.Module):
    """A base of modules whose buffers keep their precision when the network is converted to another."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "ExactBuffers":
        before = dict(self.named_buffers(recurse=False))
        super()._apply(fn, recurse)
        for name, value in before.items():
            setattr(self, name, value.to(getattr(self, name).device))
        return self


class Fourier(ExactBuffers):
    """cos and sin of a time at random rates, which the checkpoint holds."""

    freqs: Tensor

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("freqs", torch.empty(channels // 2))

    def forward(self, time: Tensor) -> Tensor:
        """time (B,) -> (B, channels)."""
        angles = time.float()[:, None] * (2 * pi * self.freqs.float())
        return torch.cat((angles.cos(), angles.sin()), dim=1)
