"""What the autoencoder of a latent model costs in quality: real images that pass through it."""

from dataclasses import dataclass
from math import nan
from typing import ClassVar

import torch
from torch import Tensor

from samplerbench.data.dataset import to_float, to_uint8
from samplerbench.metrics.base import METRICS, SamplerMetric
from samplerbench.metrics.column import Column
from samplerbench.metrics.psnr import psnr
from samplerbench.networks.loaded import LoadedNetwork

MOST = 5000  # images
BATCH = 256


@METRICS.register("reconstruction")
@dataclass(frozen=True)
class Reconstruction(SamplerMetric):
    """The FID and the PSNR of real images that were encoded and decoded: the floor of any sampler in those latents.

    The images are outside the reference, the first of those that the FID's floor is measured on: as many as there are
    in the reference, at most 5000.
    """

    columns: ClassVar = (
        Column(
            "reconstruction_fid", "FID of reconstructions", "lower", extractor=True,
            meaning="**FID of reconstructions**: that of real images which the network's autoencoder encoded and "
            "decoded, the floor of any sampler in its latents. Blank for networks of pixels.",
        ),
        Column(
            "reconstruction_psnr", "PSNR of reconstructions (dB)", "higher", "{:.2f}",
            meaning="**PSNR of reconstructions**: peak signal-to-noise ratio of the same, the mean over images.",
        ),
    )  # fmt: skip

    def evaluate(self, sampler, network, block, real):
        if network.encode is None:
            return {"reconstruction_fid": nan, "reconstruction_psnr": nan}
        return real.once(
            f"reconstruction by {network.origin.digest.rpartition('+')[2]}", lambda: self._measured(network, real)
        )

    def _measured(self, network, real) -> dict[str, float]:
        images = real.images.floor[: min(MOST, len(real.images.reference))]
        made = reconstructed(network, images)
        return {
            "reconstruction_fid": real.frechet(real.extractor(made)),
            "reconstruction_psnr": psnr(made, images).mean().item(),
        }


@torch.inference_mode()
def reconstructed(network: LoadedNetwork, images: Tensor) -> Tensor:
    """uint8 images (N, C, H, W), encoded and decoded, on the CPU."""
    assert network.encode
    parts = (network.images(network.encode(to_float(part).to(network.device))) for part in images.split(BATCH))
    return torch.cat([to_uint8(part).cpu() for part in parts])
