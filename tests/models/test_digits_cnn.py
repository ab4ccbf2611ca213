import pytest
import torch

from samplerbench.models import DigitsCNN


@pytest.fixture
def net():
    torch.manual_seed(0)
    return DigitsCNN().eval()


def test_logits_are_read_off_the_features(net):
    images = torch.rand(3, 1, 8, 8) * 2 - 1
    torch.testing.assert_close(net(images), net.classify(net.features(images)))


def test_an_uninformed_network_pays_for_the_digit_and_for_the_damage(net):
    torch.nn.init.zeros_(net.classify.weight)
    torch.nn.init.zeros_(net.classify.bias)
    loss = net.loss(torch.zeros(5, 1, 8, 8), torch.arange(5))
    torch.testing.assert_close(loss, torch.tensor(30.0).log().expand(5))


def test_a_third_of_the_images_is_noised_and_nothing_else_damages_a_black_one(net, monkeypatch):
    """Deforming and blurring move pixels; on a black image only noise shows."""
    seen = []
    monkeypatch.setattr(net, "forward", lambda images: seen.append(images) or torch.zeros(len(images), 13))
    net.loss(torch.full((3000, 1, 8, 8), -1.0), torch.zeros(3000, dtype=torch.long))
    noisy = (seen[0] + 1).abs().flatten(1).amax(1) > 1e-5
    assert noisy.float().mean().item() == pytest.approx(1 / 3, abs=0.03)


def test_deformed_images_are_shifted_copies(net, monkeypatch):
    """Four fifths of the images are deformed: undamaged ones are changed at that rate, and keep their brightness."""
    seen = []
    monkeypatch.setattr(net, "forward", lambda images: seen.append(images) or torch.zeros(len(images), 13))
    monkeypatch.setattr(torch, "randint", lambda high, size, device: torch.zeros(size, dtype=torch.long))
    image = torch.full((1, 1, 8, 8), -1.0)
    image[..., 2:6, 2:6] = 0.5
    net.loss(image.repeat(2000, 1, 1, 1), torch.zeros(2000, dtype=torch.long))
    changed = (seen[0] - image).abs().flatten(1).amax(1) > 1e-4
    assert changed.float().mean().item() == pytest.approx(0.8, abs=0.04)
    assert (seen[0] + 1).sum((1, 2, 3)).mean().item() == pytest.approx((image + 1).sum().item(), rel=0.1)
