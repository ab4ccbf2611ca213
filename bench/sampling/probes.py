"""What is learned of a cell beside its measurement: operations of a forward, and whether its images can be repeated."""

from dataclasses import replace

import torch

from samplerbench.methods import Sampler
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling.generate import generate, labels_for
from samplerbench.sampling.noise import ImageNoise
from samplerbench.sampling.timing import gflops


def forward_inputs(network: LoadedNetwork, batch_size: int) -> tuple:
    """The arguments of a bare forward: images (B, C, H, W) of zeros, times (B,), labels, and what else it takes."""
    x = torch.zeros(batch_size, *network.image_shape, device=network.device, dtype=network.dtype)
    t = torch.full((batch_size,), 0.5, device=network.device)
    end = (t,) if "intervals" in network.provides else ()
    return x, t, labels_for(network, ImageNoise(0, range(batch_size))), *end


@torch.inference_mode()
def gflops_per_evaluation(sampler: Sampler, network: LoadedNetwork) -> float:
    """Of a forward; the mean over a run of one image where guidance evaluates another network too."""
    if not (sampler.guidance and sampler.guidance.needs):
        inputs = forward_inputs(network, 1)
        return gflops(lambda: network.eager(*inputs))
    eager, runs = uncompiled(network), []
    total = gflops(lambda: runs.append(generate(sampler, eager, ImageNoise(0, range(1)))))
    return total / runs[0].nfe


@torch.inference_mode()
def decoder_gflops(network: LoadedNetwork) -> float:
    """Of decoding an image; 0 for a network of images."""
    if network.decode is None:
        return 0.0
    state = torch.zeros(1, *network.image_shape, device=network.device)
    return gflops(lambda: network.images(state))


def redraw_difference(sampler: Sampler, network: LoadedNetwork) -> float:
    """The largest difference between pixels of one image that is drawn twice: 0 if only its own noise is random.

    In few steps, since any of them may differ.
    """
    few, eager = sampler.shortest(3), uncompiled(network)
    first, second = (generate(few, eager, ImageNoise(0, range(1))).images for _ in range(2))
    return (first - second).abs().max().item()


def uncompiled(network: LoadedNetwork) -> LoadedNetwork:
    """The same networks uncompiled: they would be compiled again for another batch size."""
    guides = {
        name: replace(guide, net=guide.eager) if isinstance(guide, LoadedNetwork) else guide
        for name, guide in network.guides.items()
    }
    return replace(network, net=network.eager, guides=guides)
