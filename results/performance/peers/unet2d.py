"""The weights of a U-Net of ours in a UNet2DModel of diffusers: the same function, as its users would have it."""

from collections.abc import Iterator
from math import gcd

import torch
from torch import Tensor, nn

from samplerbench.models import UNet
from samplerbench.models.layers import Attention, Stage

TIMESTEPS = 1000


def unet2d(unet: UNet, offset: int) -> nn.Module:
    """A UNet2DModel without labels that returns `unet(x, t)` when called with x and the timestep 1000 t - offset.

    The null label and the offset are exact in its linear layers. Its layout in memory is diffusers' own default.
    """
    from diffusers import UNet2DModel

    config = unet.config
    widths = [config.channels * multiplier for multiplier in config.multipliers]
    attends = [config.resolution >> level in config.attention for level in range(len(widths))]
    found = UNet2DModel(
        sample_size=config.resolution, in_channels=config.image_channels, out_channels=config.image_channels,
        block_out_channels=widths, layers_per_block=config.blocks, norm_eps=1e-6, freq_shift=0, flip_sin_to_cos=False,
        down_block_types=["AttnDownBlock2D" if each else "DownBlock2D" for each in attends],
        up_block_types=["AttnUpBlock2D" if each else "UpBlock2D" for each in reversed(attends)],
        norm_num_groups=gcd(*widths), attn_norm_num_groups=1, attention_head_dim=None,
        resnet_time_scale_shift="scale_shift",
    )  # fmt: skip
    with torch.no_grad():
        _copy_embedding(unet, found, offset)
        for ours, theirs in _layers(unet, found):
            theirs.load_state_dict(ours.state_dict())
            if isinstance(ours, nn.GroupNorm):
                theirs.num_groups = ours.num_groups  # a UNet2DModel has one number for all its layers
        for ours, theirs in _attentions(unet, found):
            _copy_attention(ours, theirs)
    device, dtype = (getattr(unet.conv_in.weight, name) for name in ("device", "dtype"))
    return nn.Module.to(found.eval().requires_grad_(False), device, dtype)  # diffusers' own warns of nothing


def _copy_embedding(unet: UNet, found, offset: int) -> None:
    """The embedding of the time, turned by the offset, and of the null label, which is one bias more."""
    first, second = (unet.time.layers[index] for index in (0, 2))
    angle = offset * unet.time.rates.double() / unet.config.time_scale
    sine, cosine = first.weight.double().chunk(2, dim=1)
    # sin(a + b) = sin a cos b + cos a sin b, and cos(a + b) = cos a cos b - sin a sin b.
    turned = torch.cat((sine * angle.cos() - cosine * angle.sin(), sine * angle.sin() + cosine * angle.cos()), dim=1)
    null = 0 if unet.label is None else unet.label.weight[unet.config.classes]
    embedding = found.time_embedding
    embedding.linear_1.load_state_dict({"weight": turned, "bias": first.bias})
    embedding.linear_2.load_state_dict({"weight": second.weight, "bias": second.bias + null})


def _layers(unet: UNet, found) -> Iterator[tuple[nn.Module, nn.Module]]:
    """Our layers with theirs, but for embeddings and attention."""
    yield from ((unet.conv_in, found.conv_in), (unet.norm_out, found.conv_norm_out), (unet.conv_out, found.conv_out))
    resnets = [each for block in _blocks(found) for each in block.resnets]
    for stage, theirs in zip(_stages(unet), resnets, strict=True):
        ours = stage.block
        yield from ((ours.norm1, theirs.norm1), (ours.conv1, theirs.conv1), (ours.embed, theirs.time_emb_proj))
        yield from ((ours.norm2, theirs.norm2), (ours.conv2, theirs.conv2))
        if isinstance(ours.skip, nn.Conv2d):
            yield ours.skip, theirs.conv_shortcut
    halvings = [each for block in found.down_blocks for each in block.downsamplers or ()]
    doublings = [each for block in found.up_blocks for each in block.upsamplers or ()]
    resized = [layer for part in (unet.down, unet.up) for layer in part if not isinstance(layer, Stage)]
    yield from zip(resized, (each.conv for each in (*halvings, *doublings)), strict=True)


def _attentions(unet: UNet, found) -> Iterator[tuple[Attention, nn.Module]]:
    ours = [stage.attention for stage in _stages(unet) if isinstance(stage.attention, Attention)]
    yield from zip(ours, (each for block in _blocks(found) for each in getattr(block, "attentions", ())), strict=True)


def _copy_attention(ours: Attention, theirs) -> None:
    theirs.heads = ours.heads
    theirs.group_norm.load_state_dict(ours.norm.state_dict())
    theirs.group_norm.num_groups = ours.norm.num_groups
    weights, biases = ours.qkv.weight.flatten(1).chunk(3), ours.qkv.bias.chunk(3)
    for layer, weight, bias in zip((theirs.to_q, theirs.to_k, theirs.to_v), weights, biases, strict=True):
        layer.load_state_dict({"weight": weight, "bias": bias})
    theirs.to_out[0].load_state_dict({"weight": ours.out.weight.flatten(1), "bias": ours.out.bias})


def _stages(unet: UNet) -> list[Stage]:
    return [layer for part in (unet.down, unet.middle, unet.up) for layer in part if isinstance(layer, Stage)]


def _blocks(found) -> list[nn.Module]:
    return [*found.down_blocks, found.mid_block, *found.up_blocks]


def timestep(t: Tensor, offset: int) -> Tensor:
    """The timesteps of times t (B,)."""
    return TIMESTEPS * t - offset
