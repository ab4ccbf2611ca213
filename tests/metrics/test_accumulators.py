import pickle

import torch

from samplerbench.metrics.accumulators import Collect, StreamingStatistics
from samplerbench.metrics.base import Features


def test_streaming_statistics_keep_mean_and_covariance_only():
    x = torch.randn(600, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    kept = StreamingStatistics(8, lambda s: {"count": s.count, "mean": s.mean, "covariance": s.covariance})
    sizes = []
    for batch in x.split(200):
        kept.update(Features(batch))
        sizes.append(len(pickle.dumps(vars(kept.statistics))))
    assert max(sizes) - min(sizes) < 100, "a batch has 12,800 bytes"
    found = kept.columns()
    assert found["count"] == 600
    torch.testing.assert_close(found["mean"], x.mean(0))
    torch.testing.assert_close(found["covariance"], x.T.cov())


def test_collect_keeps_what_it_reduces_to_and_scores_all_of_it():
    kept = Collect(lambda norms: {"largest": norms.max().item(), "count": len(norms)}, lambda x: x.norm(dim=1))
    for batch in (torch.ones(3, 4), torch.zeros(0, 4), 2 * torch.ones(2, 4)):
        kept.update(Features(batch))
    assert kept.columns() == {"largest": 4.0, "count": 5}
    assert sum(part.numel() for part in kept.parts) == 5, "one number an image, not four"


def test_two_accumulators_share_nothing():
    first, second = Collect(lambda x: {"sum": x.sum().item()}), Collect(lambda x: {"sum": x.sum().item()})
    first.update(Features(torch.ones(2, 1)))
    second.update(Features(torch.ones(3, 1)))
    assert (first.columns(), second.columns()) == ({"sum": 2.0}, {"sum": 3.0})
