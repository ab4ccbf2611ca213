"""DDPM++ and NCSN++ (arXiv 2011.13456, appendix H) as EDM trains them (arXiv 2206.00364, table 1 and appendix F)."""

from dataclasses import dataclass
from math import sqrt
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samplerbench.models.research.config import Range
from samplerbench.models.research.edm_layers import HALF, Block, BlockStyle, Conv, Fourier, Sinusoids, group_norm
from samplerbench.models.research.unet_config import EDMUNetConfig, Factor


@dataclass(frozen=True)
class SongUNetConfig(EDMUNetConfig):
    """The arguments of EDM's SongUNet, in their order. Raises ValueError if they are impossible.

    DDPM++: the defaults. NCSN++: embedding_type fourier, encoder_type residual, channel_mult_noise 2, resample_filter
    (1, 3, 3, 1).
    """

    embedding_type: Literal["positional", "fourier"] = "positional"
    channel_mult_noise: Factor = 1
    encoder_type: Literal["standard", "skip", "residual"] = "standard"
    decoder_type: Literal["standard", "skip"] = "standard"
    resample_filter: tuple[Annotated[int, Range(0, 1000)], ...] = (1, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.resample_filter or len(self.resample_filter) % 2:
            raise ValueError("resample_filter must have an even number of taps")


class SongUNet(nn.Module):
    """forward(x, time, label): x (B, C, H, W), time (B,), label (B, label_dim) or None -> (B, outputs, H, W)."""

    Config = SongUNetConfig

    def __init__(self, config: SongUNetConfig):
        super().__init__()
        self.config = config
        noise = config.model_channels * config.channel_mult_noise
        width = config.model_channels * config.channel_mult_emb
        fourier = config.embedding_type == "fourier"
        self.map_noise = Fourier(noise) if fourier else Sinusoids(noise, endpoint=True)
        self.map_label = nn.Linear(config.label_dim, noise) if config.label_dim else None
        # Not used: the label of an image that is not augmented is zero.
        self.map_augment = nn.Linear(config.augment_dim, noise, bias=False) if config.augment_dim else None
        self.map_layer0, self.map_layer1 = nn.Linear(noise, width), nn.Linear(width, width)

        style = BlockStyle(
            width, adaptive=False, heads=1, gain=HALF, eps=1e-6, project=True, taps=config.resample_filter
        )
        layers, skips = _encoder(config, style)
        self.enc = nn.ModuleDict(layers)
        self.dec = nn.ModuleDict(_decoder(config, style, skips))

    def forward(self, x: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        embedding = self._embedding(time, label).to(x.dtype)
        x, skips = self._encode(x, embedding)
        image: Tensor | None = None
        for name, layer in self.dec.items():
            if name.endswith("aux_up"):
                image = layer(image)
            elif name.endswith("aux_norm"):
                normed = layer(x)
            elif name.endswith("aux_conv"):
                image = layer(F.silu(normed)) if image is None else image + layer(F.silu(normed))
            else:
                x = layer(torch.cat((x, skips.pop()), dim=1) if x.shape[1] != layer.inputs else x, embedding)
        assert image is not None
        return image

    def _embedding(self, time: Tensor, label: Tensor | None) -> Tensor:
        cos, sin = self.map_noise(time).chunk(2, dim=1)
        h = torch.cat((sin, cos), dim=1).to(self.map_layer0.weight.dtype)
        if self.map_label is not None:
            label = time.new_zeros(len(time), self.config.label_dim) if label is None else label
            h = h + self.map_label(label.to(h.dtype) * sqrt(self.config.label_dim))
        return F.silu(self.map_layer1(F.silu(self.map_layer0(h))))

    def _encode(self, x: Tensor, embedding: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The coarsest features, and those of all layers."""
        image = x
        skips: list[Tensor] = []
        for name, layer in self.enc.items():
            if name.endswith("aux_down"):
                image = layer(image)
            elif name.endswith("aux_skip"):
                x = skips[-1] = x + layer(image)
            elif name.endswith("aux_residual"):
                x = skips[-1] = image = (x + layer(image)) * HALF
            else:
                x = layer(x, embedding) if isinstance(layer, Block) else layer(x)
                skips.append(x)
        return x, skips


def _encoder(config: SongUNetConfig, style: BlockStyle) -> tuple[dict[str, nn.Module], list[int]]:
    """The layers, and the channels of the features that the decoder takes from them."""
    layers: dict[str, nn.Module] = {}
    skips: list[int] = []
    channels, image = config.model_channels, config.in_channels
    for level, (side, width) in enumerate(config.widths()):
        at = f"{side}x{side}"
        if level == 0:
            layers[f"{at}_conv"] = Conv(config.in_channels, channels, 3)
        else:
            layers[f"{at}_down"] = Block(channels, channels, style, down=True)
        skips.append(channels)
        if level and config.encoder_type == "skip":
            layers[f"{at}_aux_down"] = Conv(image, image, 0, down=True, taps=style.taps)
            layers[f"{at}_aux_skip"] = Conv(image, channels, 1)
        elif level and config.encoder_type == "residual":
            layers[f"{at}_aux_residual"] = Conv(image, channels, 3, down=True, taps=style.taps, fused=True)
            image = channels
        for i in range(config.num_blocks):
            layers[f"{at}_block{i}"] = Block(channels, width, style, attention=side in config.attn_resolutions)
            channels = width
            skips.append(channels)
    return layers, skips


def _decoder(config: SongUNetConfig, style: BlockStyle, skips: list[int]) -> dict[str, nn.Module]:
    layers: dict[str, nn.Module] = {}
    *_, (_, channels) = config.widths()
    outputs, skip = config.out_channels, config.decoder_type == "skip"
    for level, (side, width) in reversed(list(enumerate(config.widths()))):
        at, coarsest = f"{side}x{side}", level == len(config.channel_mult) - 1
        if coarsest:
            layers[f"{at}_in0"] = Block(channels, channels, style, attention=True)
            layers[f"{at}_in1"] = Block(channels, channels, style)
        else:
            layers[f"{at}_up"] = Block(channels, channels, style, up=True)
        for i in range(config.num_blocks + 1):
            attention = i == config.num_blocks and side in config.attn_resolutions
            layers[f"{at}_block{i}"] = Block(channels + skips.pop(), width, style, attention=attention)
            channels = width
        if skip and not coarsest:
            layers[f"{at}_aux_up"] = Conv(outputs, outputs, 0, up=True, taps=style.taps)
        if skip or level == 0:
            layers[f"{at}_aux_norm"] = group_norm(channels, style.eps)
            layers[f"{at}_aux_conv"] = Conv(channels, outputs, 3)
    return layers
