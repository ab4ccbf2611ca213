import pytest
import torch
from torch import nn

from samplerbench.training.share import WHOLE, Share

SHARES = [Share(rank, 2) for rank in range(2)]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels last"])
def test_dropout_of_shares_is_that_of_the_whole_batch(layout):
    x = torch.randn(8, 3, 4, 4).contiguous(memory_format=layout)
    outputs = []
    for share in (WHOLE, *SHARES):
        net = nn.Sequential(nn.Sequential(nn.Dropout(0.3)))
        share.share_dropout(net)
        torch.manual_seed(1)
        outputs.append(net(share.of(x)))
        assert torch.equal(net.eval()(x), x)
    whole, *parts = outputs
    assert 0.1 < (whole == 0).float().mean() < 0.5
    assert torch.equal(torch.cat(parts), whole)


def test_noise_of_shares_is_that_of_the_whole_batch():
    drawn = []
    for share in (WHOLE, *SHARES):
        torch.manual_seed(1)
        x = share.of(torch.zeros(6, 1, 2, 2))
        drawn.append([share.drawn(torch.randn_like, part) for part in (x[:, 0, 0, 0], x, x.flatten(1))])
    for whole, *parts in zip(*drawn, strict=True):
        assert torch.equal(torch.cat(parts), whole)
