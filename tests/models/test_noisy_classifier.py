import pytest
import torch

from samplerbench.models import NoisyClassifier, NoisyClassifierConfig
from samplerbench.models.layers import Stage


@pytest.fixture
def net():
    """A network whose zero-initialised layers are not zero."""
    torch.manual_seed(0)
    net = NoisyClassifier(NoisyClassifierConfig(channels=8, classes=3)).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net.requires_grad_(False)


def test_without_signal_all_classes_are_equally_likely(net):
    x = torch.randn(4, 1, 8, 8)
    assert net(x, torch.full((4,), 0.0)).std() > 0.01
    torch.testing.assert_close(net(x, torch.full((4,), -80.0)).softmax(1), torch.full((4, 3), 1 / 3))


def test_beyond_the_trained_range_only_the_factor_alpha_changes(net):
    x, signal, clean = torch.randn(4, 1, 8, 8), torch.tensor([10.0, 14.0]), []
    for log_snr in signal:
        clean.append(net(x, log_snr.expand(4)) / torch.sigmoid(log_snr).sqrt())
    torch.testing.assert_close(*clean)
    inside = net(x, torch.full((4,), 6.0)) / torch.sigmoid(torch.tensor(6.0)).sqrt()
    assert (inside - clean[0]).abs().max() > 1e-3


@pytest.mark.parametrize(("resolution", "widths"), [(8, [8, 8, 16, 16]), (32, [8, 8, 16, 32, 32, 32])])
def test_each_halving_doubles_the_width_up_to_four_times(resolution, widths):
    net = NoisyClassifier(NoisyClassifierConfig(resolution, channels=8))
    found = [net.conv_in.out_channels, *(s.block.conv2.out_channels for s in net.stages if isinstance(s, Stage))]
    assert found == widths
    assert net(torch.zeros(2, 1, resolution, resolution), torch.zeros(2)).shape == (2, 10)


def test_the_loss_is_at_uniform_noise_levels_of_unit_variance(net, monkeypatch):
    seen = []

    def uninformed(x, log_snr):
        seen.append((x, log_snr))
        return torch.zeros(len(x), 3)

    monkeypatch.setattr(net, "forward", uninformed)
    images = torch.full((4000, 1, 8, 8), 0.5)
    loss = net.loss(images, torch.zeros(4000, dtype=torch.long))
    torch.testing.assert_close(loss, torch.tensor(3.0).log().expand(4000))
    ((x, log_snr),) = seen
    alpha, sigma = (torch.sigmoid(sign * log_snr).sqrt().view(-1, 1, 1, 1) for sign in (1, -1))
    eps = (x - alpha * images) / sigma
    assert eps.mean().abs() < 0.02
    assert eps.std().item() == pytest.approx(1, abs=0.02)
    shares = torch.histc(log_snr, 5, -10, 10) / 4000
    torch.testing.assert_close(shares, torch.full((5,), 0.2), rtol=0, atol=0.03)
