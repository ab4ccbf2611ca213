"""Latent codecs: AutoencoderKL and its relatives."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from samplerbench.networks.published.folder import load_module


def load_decoder(folder: Path) -> tuple[Any, Callable[[Tensor], Tensor]]:
    """The AutoencoderKL of a folder, in float32, and a function from scaled latents (B, C, h, w) to images."""
    from diffusers import AutoencoderKL

    vae = load_module(AutoencoderKL, folder)
    scale, shift = vae.config.scaling_factor, getattr(vae.config, "shift_factor", None) or 0.0

    def decode(latents: Tensor) -> Tensor:
        return vae.decode(latents / scale + shift, return_dict=False)[0]

    return vae, decode
