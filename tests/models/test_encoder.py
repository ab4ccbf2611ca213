import json
from dataclasses import asdict

import pytest
import torch
from torch import nn

from samplerbench.models import Encoder, EncoderConfig
from samplerbench.models.kinds import KINDS, build


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Encoder(EncoderConfig(resolution=12, image_channels=3, channels=16, classes=5)).eval()


def test_logits_are_read_off_the_features(net):
    images = torch.rand(3, 3, 12, 12) * 2 - 1
    assert net.features(images).shape == (3, 128)
    torch.testing.assert_close(net(images), net.classify(net.features(images)))


@pytest.mark.parametrize(("rotations", "classes"), [(False, 5), (True, 4)])
def test_an_uninformed_network_pays_for_the_class_and_for_the_damage(rotations, classes):
    net = Encoder(EncoderConfig(resolution=6, channels=8, classes=classes, rotations=rotations)).eval()
    nn.init.zeros_(net.classify.weight)
    nn.init.zeros_(net.classify.bias)
    loss = net.loss(torch.zeros(5, 1, 6, 6), torch.arange(5))
    torch.testing.assert_close(loss, torch.tensor(3.0 * classes).log().expand(5))


def test_without_labels_it_learns_how_images_were_turned(monkeypatch):
    net, seen = Encoder(EncoderConfig(resolution=6, channels=8, classes=4, rotations=True)), []
    monkeypatch.setattr("samplerbench.models.encoder.deformed", lambda images, extended: images)
    monkeypatch.setattr("samplerbench.models.encoder.damaged", lambda images, damage, extended: images)
    monkeypatch.setattr(net, "forward", lambda images: seen.append(images) or torch.zeros(len(images), 7))
    net.loss(torch.arange(36.0).view(1, 1, 6, 6).repeat(300, 1, 1, 1), torch.zeros(300, dtype=torch.long))
    assert sorted(seen[0][:, 0, 0, 0].unique().tolist()) == [0, 5, 30, 35], "each corner has been the first"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"channels": 65536}, "65536x3x3x3"),
        ({"resolution": 10**9}, "must lie between 1 and 4096"),
        ({"channels": 15}, "its architecture is impossible"),
        ({"classes": "many"}, "its architecture is impossible"),
        ({"resolution": None}, "its architecture cannot be read"),
    ],
)
def test_a_hostile_architecture_is_refused_before_anything_is_allocated(changes, reason, net):
    with pytest.raises(ValueError, match=reason):
        build(KINDS["encoder"], json.dumps(asdict(net.config) | changes), net.state_dict())


def test_graded_damage_is_as_likely_as_its_degree(monkeypatch):
    """A network that predicts these likelihoods pays their entropy, and one that knows nothing pays log 3."""
    net, seen = Encoder(EncoderConfig(resolution=6, channels=8, classes=5, graded=True)), {}
    monkeypatch.setattr("samplerbench.models.encoder.SMOOTHING", 0.0)

    def shown(images, damage, extended, degree):
        seen.update(damage=damage, degree=degree)
        return images

    def informed(images):
        likely = torch.zeros(len(images), 3)
        likely[:, 0] = 1 - seen["degree"]
        likely[torch.arange(len(images)), seen["damage"]] += seen["degree"]
        known = torch.tensor([100.0, 0, 0, 0, 0]).expand(len(images), -1)
        return torch.cat([known, likely.clamp(min=1e-12).log()], dim=1)

    monkeypatch.setattr("samplerbench.models.encoder.damaged", shown)
    monkeypatch.setattr(net, "forward", informed)
    images, labels = torch.zeros(600, 1, 6, 6), torch.zeros(600, dtype=torch.long)
    loss, d = net.loss(images, labels), seen["degree"].double()
    entropy = torch.where(seen["damage"] > 0, torch.special.entr(d) + torch.special.entr(1 - d), 0.0)
    torch.testing.assert_close(loss, entropy.float(), rtol=1e-4, atol=1e-4)
    monkeypatch.setattr(net, "forward", lambda images: 100 * torch.eye(8)[0].expand(len(images), -1))
    torch.testing.assert_close(net.loss(images, labels), torch.tensor(3.0).log().expand(600))
