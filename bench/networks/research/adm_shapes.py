"""The architecture of guided-diffusion's U-Net, as far as the shapes of its weights determine it."""

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

UPSAMPLING = re.compile(r"output_blocks\.(\d+)\.[12]\.(conv\.weight|in_layers\.0\.weight)")
BLOCK = re.compile(r"output_blocks\.(\d+)\.")
MOST = 1000  # blocks


def architecture(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """The options of `ADMConfig` but for image_size, heads, head_channels and split_first.

    Raises ValueError if the weights are not those of such a network.
    """
    blocks, levels = _depth(weights)
    first = [1 + level * (blocks + 1) for level in range(levels)]  # the first residual block of each level
    widths = tuple(_size(weights, f"input_blocks.{i}.0.in_layers.2.weight", 4) for i in first)
    return {
        "in_channels": _size(weights, "input_blocks.0.0.weight", 4, axis=1),
        "out_channels": _size(weights, "out.2.weight", 4),
        "base": _size(weights, "time_embed.0.weight", 2, axis=1),
        "widths": widths,
        "blocks": blocks,
        "attention": tuple(level for level, i in enumerate(first) if f"input_blocks.{i}.1.qkv.weight" in weights),
        "classes": _size(weights, "label_emb.weight", 2) if "label_emb.weight" in weights else 0,
        "scale_shift": _size(weights, "input_blocks.1.0.emb_layers.1.weight", 2) == 2 * widths[0],
        "residual_resampling": levels == 1 or f"input_blocks.{blocks + 1}.0.in_layers.0.weight" in weights,
    }


def _depth(weights: Mapping[str, Tensor]) -> tuple[int, int]:
    """(residual blocks per level, levels). Each level has one block more on the way up, where the last upsamples."""
    count = 1 + max((int(found[1]) for name in weights if (found := BLOCK.match(name))), default=-1)
    if not 0 < count <= MOST:
        raise ValueError("it holds no output_blocks, as UNetModel of guided-diffusion has them")
    upsampled = min((int(found[1]) for name in weights if (found := UPSAMPLING.fullmatch(name))), default=count - 1)
    if not upsampled or count % (upsampled + 1):
        raise ValueError(f"its {count} output_blocks are not those of UNetModel of guided-diffusion")
    return upsampled, count // (upsampled + 1)


def _size(weights: Mapping[str, Tensor], name: str, dimensions: int, axis: int = 0) -> int:
    found = weights.get(name)
    if found is None or found.ndim != dimensions:
        raise ValueError(f"it has no {name} of {dimensions} dimensions, as UNetModel of guided-diffusion has")
    return found.shape[axis]
