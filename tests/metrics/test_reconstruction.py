from dataclasses import replace
from math import isnan

import pytest
import torch

from samplerbench.data.dataset import to_float, to_uint8
from samplerbench.metrics.base import METRICS
from samplerbench.metrics.extractors import Extractor
from samplerbench.metrics.psnr import psnr
from samplerbench.metrics.reference import RealFeatures
from samplerbench.networks.latent import latent_space, load_latent


@pytest.fixture
def real(few):
    return RealFeatures(few.load(), Extractor("mnist-cnn", torch.device("cpu")))


def measured(network, real):
    return METRICS.get("reconstruction").evaluate(None, network, 0, real)


def test_it_scores_real_images_outside_the_reference_that_passed_the_autoencoder(real, few, few_weights):
    space = latent_space(few, "kl", str(few_weights), torch.device("cpu"))
    images = real.images.train[: len(real.images.test)]
    passed = to_uint8(space.autoencoder.reconstruct(to_float(images)))
    columns = measured(load_latent("flow", space, str(few_weights)), real)
    assert columns["reconstruction_psnr"] == pytest.approx(psnr(passed, images).mean().item(), abs=0.01)
    assert columns["reconstruction_fid"] == pytest.approx(real.frechet(real.extractor(passed)), rel=1e-3)


def test_it_is_blank_for_networks_of_images_and_without_other_images(real, few, few_weights, flow_network):
    space = latent_space(few, "kl", str(few_weights), torch.device("cpu"))
    alone = replace(real, images=replace(real.images, train=real.images.train[:0]), _made={})
    for network, images in ((flow_network, real), (load_latent("flow", space, str(few_weights)), alone)):
        assert all(map(isnan, measured(network, images).values()))
