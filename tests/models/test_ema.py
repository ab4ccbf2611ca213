import pytest
import torch

from samplerbench.models import EMA


def test_the_average_follows_its_formula():
    net = torch.nn.Linear(1, 1, bias=False)
    ema = EMA(net, decay=0.5)
    expected = net.weight.item()
    for n, value in enumerate((1.0, -2.0, 5.0)):
        with torch.no_grad():
            net.weight.fill_(value)
        ema.update()
        decay = min(0.5, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * value
    assert ema.weights["weight"].item() == pytest.approx(expected)


def test_the_average_is_no_view_of_the_weights():
    net = torch.nn.Linear(1, 1, bias=False)
    ema, before = EMA(net), net.weight.item()
    with torch.no_grad():
        net.weight.add_(1)
    assert ema.weights["weight"].item() == before
