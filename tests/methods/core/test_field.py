import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from samplerbench.methods import VE, VP, Cosine, DiscreteVP, Field, Linear, Prediction

TARGETS = ["x0", "eps", "v", "velocity", "score"]


@pytest.mark.parametrize("path", [DiscreteVP(), VP(), Cosine(), Linear(), VE()], ids=lambda path: type(path).__name__)
@given(t=st.floats(0.02, 0.98), seed=st.integers(0, 2**16))
def test_every_target_reads_as_every_other(path, t, seed):
    x0, eps = torch.randn(2, 3, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    (now,) = path.along(torch.tensor([t], dtype=torch.float64))
    truth = {
        "x0": x0,
        "eps": eps,
        "v": now.alpha * eps - now.sigma * x0,
        "velocity": now.d_alpha * x0 + now.d_sigma * eps,
        "score": -eps / now.sigma,
    }
    for predicted in TARGETS:
        prediction = Prediction(path.mix(x0, eps, now), truth[predicted], now, predicted)
        for wanted in TARGETS:
            scale = truth[wanted].abs().max().item()
            torch.testing.assert_close(getattr(prediction, wanted), truth[wanted], rtol=0, atol=1e-7 * (1 + scale))


def test_predictions_work_on_tensor_moments_too(gaussian):
    path = DiscreteVP()
    t = torch.tensor([0.2, 0.7], dtype=torch.float64)
    x = torch.randn(2, 1, 4, 4, dtype=torch.float64)
    together = gaussian.field(path)(x, path.at(t)).x0
    apart = [gaussian.field(path)(x[i : i + 1], now).x0 for i, now in enumerate(path.along(t))]
    torch.testing.assert_close(together, torch.cat(apart), rtol=1e-9, atol=1e-9)


def test_clipping_keeps_the_state_and_bounds_x0():
    (now,) = Linear().along(torch.tensor([0.5]))
    x, v = torch.randn(2, 2, 1, 4, 4, dtype=torch.float64) * 3
    p = Prediction(x, v, now, "velocity").clipped()
    assert p.x0.abs().max() <= 1
    torch.testing.assert_close(now.alpha * p.x0 + now.sigma * p.eps, x)


def test_the_network_sees_time_label_and_interval():
    seen = []

    def net(x, t, label, s=None):
        seen.append((t.tolist(), label, s if s is None else s.tolist()))
        return x

    now, then = Linear().along(torch.tensor([0.5, 0.25]))
    field = Field(net, Linear(), "velocity", label="mine")
    field(torch.zeros(2, 1, 1, 1), now)
    field(torch.zeros(2, 1, 1, 1), now, then, label="other")
    assert seen == [([0.5, 0.5], "mine", None), ([0.5, 0.5], "other", [0.25, 0.25])]
