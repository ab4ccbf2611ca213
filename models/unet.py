"""The U-Net that all methods share."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from samplerbench.models.layers import (
    Attention,
    CrossAttention,
    Downsample,
    Stage,
    TimeEmbedding,
    Tokens,
    Upsample,
    norm,
    silu,
    zero,
)
from samplerbench.models.text_encoder import TextEncoder

MAX_BLOCKS = 100
LARGEST_UNHALVED = 16  # pixels a side


@dataclass(frozen=True)
class UNetConfig:
    """The architecture, as stored in a checkpoint. Raises ValueError for an implausible one.

    channels: width at full resolution; `multipliers` give the width at each resolution, from fine to coarse.
    blocks: residual blocks per resolution.
    attention: resolutions (pixels) at which self-attention follows each residual block, besides that in the middle.
    classes: number of labels; 0 for a network without labels. Label `classes` is the null class.
    interval: whether the network is conditioned on (t, s), as those of MeanFlow and shortcut models are.
    outputs: the output has this many times the channels of the image.
    time_scale: factor on t before the sinusoidal embedding; methods that differentiate in t need a low one.
    context: width of the tokens that the network attends to, after each self-attention; 0 for none.
    vocabulary: if above 0, the tokens are a text: ids below this number, which the network encodes itself.
    tokens: the maximal length of that text.
    inputs: further channels of the input, such as a masked image, which the caller concatenates to x.
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
    context: int = 0
    vocabulary: int = 0
    tokens: int = 16
    inputs: int = 0

    def __post_init__(self) -> None:  # the metadata of a damaged checkpoint may say anything
        if not 1 <= self.blocks <= MAX_BLOCKS:
            raise ValueError(f"a U-Net has 1 to {MAX_BLOCKS} blocks per resolution, not {self.blocks}")
        for name, least in (("context", 0), ("vocabulary", 0), ("tokens", 1), ("inputs", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ValueError(f"`{name}` of a U-Net is a whole number of at least {least}, not {value!r}")
        if self.vocabulary and not self.context:
            raise ValueError("a U-Net with a vocabulary needs a context, the width of its tokens")


PRESETS = {
    "digits": UNetConfig(),
    "mnist5k": UNetConfig(28, 1, channels=16, multipliers=(1, 3, 6), blocks=1, attention=(7,)),
    "mnist5k-latent": UNetConfig(7, 4, channels=64, multipliers=(1,), blocks=1, attention=()),
    "mnist": UNetConfig(28, 1, channels=64, multipliers=(1, 2, 2), blocks=2, attention=(14,)),
    "cifar10": UNetConfig(32, 3, channels=128, multipliers=(1, 2, 2, 2), blocks=2, attention=(16,)),
}


def fitting(resolution: int, image_channels: int) -> UNetConfig:
    """A U-Net for square images of any size, halved down to 4 pixels at most three times; the presets are such ones.

    Small ones of an odd size, as latents may have, are not halved. Raises ValueError for larger ones.
    """
    if resolution % 2 and resolution <= LARGEST_UNHALVED:
        return UNetConfig(resolution, image_channels, 64, (1,), blocks=1, attention=())
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


class UNet(nn.Module):
    """DDPM's U-Net (arXiv 2006.11239, appendix B) with scale-shift time embedding (arXiv 2102.09672).

    forward(x, t, label=None, s=None, context=None): x (B, C + inputs, H, W), times t (B,) in [0, 1], labels (B,) with
    `classes` for the null class (None: all null), end times s (B,) if `interval`. The context is (B, L, context) in
    floating point, or token ids (B, L) in int64 if there is a vocabulary (0: padding, on the right). Returns a
    prediction (B, outputs * C, H, W). Raises ValueError if s or the context is missing, or given but not configured.
    """

    def __init__(self, config: UNetConfig):
        super().__init__()
        self.config = config
        channels, width = config.channels, 4 * config.channels

        self.time = TimeEmbedding(channels, width, config.time_scale)
        self.second_time = TimeEmbedding(channels, width, config.time_scale) if config.interval else None
        if self.second_time:
            zero(self.second_time.layers[-1])  # initially, the output does not depend on s
        self.label = nn.Embedding(config.classes + 1, width) if config.classes else None
        self.text = TextEncoder(config.vocabulary, config.context, config.tokens) if config.vocabulary else None
        self.conv_in = nn.Conv2d(config.image_channels + config.inputs, channels, 3, padding=1)

        def stage(inputs: int, outputs: int, resolution: int) -> Stage:
            return Stage(inputs, outputs, width, config.dropout, resolution in config.attention, config.context)

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
        if config.context:
            self.middle[0].cross = CrossAttention(current, config.context)

        self.up = nn.ModuleList()
        for level, outputs in reversed(list(enumerate(widths))):
            for _ in range(config.blocks + 1):
                self.up.append(stage(current + skips.pop(), outputs, resolution))
                current = outputs
            if level > 0:
                self.up.append(Upsample(current))
                resolution *= 2

        self.norm_out = norm(current)
        self.conv_out = zero(nn.Conv2d(current, config.outputs * config.image_channels, 3, padding=1))

    def forward(
        self,
        x: Tensor,
        t: Tensor,
        label: Tensor | None = None,
        s: Tensor | None = None,
        context: Tensor | None = None,
    ) -> Tensor:
        embedding, tokens = self._embedding(t, label, s), self._tokens(context)

        h = self.conv_in(x)
        skips = [h]
        for layer in self.down:
            h = layer(h, embedding, tokens)
            skips.append(h)
        for layer in self.middle:
            h = layer(h, embedding, tokens)
        for layer in self.up:
            h = layer(h if isinstance(layer, Upsample) else torch.cat((h, skips.pop()), dim=1), embedding, tokens)
        return self.conv_out(silu(self.norm_out(h)))

    def _embedding(self, t: Tensor, label: Tensor | None, s: Tensor | None) -> Tensor:
        """The embedding (B, width) of times and labels. Raises ValueError if s is missing or superfluous."""
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
            null = torch.full((len(t),), self.config.classes, device=t.device)
            embedding = embedding + self.label(null if label is None else label)
        return embedding

    def _tokens(self, context: Tensor | None) -> Tokens | None:
        """The tokens to attend to. Raises ValueError if the context is missing or superfluous."""
        if (context is None) == bool(self.config.context):
            raise ValueError(
                "this network attends to a context: give its tokens"
                if self.config.context
                else "this network attends to no context: leave it out"
            )
        if context is None:
            return None
        return Tokens(context) if self.text is None else self.text(context)
