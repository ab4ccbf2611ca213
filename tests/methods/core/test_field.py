from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from samplerbench.methods import VE, VP, Cosine, DiscreteVP, Field, Linear, Prediction
from samplerbench.methods.core.field import combination
from samplerbench.testing.exact import normal

TARGETS = ["x0", "eps", "v", "velocity", "score"]


@pytest.mark.parametrize("path", [DiscreteVP(), VP(), Cosine(), Linear(), VE()], ids=lambda path: type(path).__name__)
@given(t=st.floats(0.02, 0.98), seed=st.integers(0, 2**16))
def test_every_prediction_target_converts_to_every_other(path, t, seed):
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


def test_predictions_at_one_time_per_image_are_those_of_each_image(gaussian):
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


def test_the_network_gets_time_label_and_interval():
    seen = []

    def net(x, t, label=None, s=None):
        seen.append((t.tolist(), label, s if s is None else s.tolist()))
        return x

    x, (now, then) = torch.zeros(2, 1, 1, 1), Linear().along(torch.tensor([0.5, 0.25]))
    labelled = Field(net, Linear(), "velocity", label="mine")
    Field(net, Linear(), "velocity")(x, now)
    labelled(x, now)
    labelled(x, now, then, label="other")
    replace(labelled, interval=True)(x, now)
    assert seen == [
        ([0.5, 0.5], None, None),
        ([0.5, 0.5], "mine", None),
        ([0.5, 0.5], "other", [0.25, 0.25]),
        ([0.5, 0.5], "mine", [0.5, 0.5]),
    ]


def test_further_output_channels_are_extra():
    (now,) = Linear().along(torch.tensor([0.5]))
    x = torch.randn(2, 3, 4, 4)
    prediction = Field(lambda x, t: torch.cat((x, 2 * x), 1), Linear(), "velocity")(x, now)
    assert torch.equal(prediction.p, x)
    assert torch.equal(prediction.extra, 2 * x)
    assert torch.equal(prediction.clipped().extra, 2 * x)
    assert Field(lambda x, t: x, Linear(), "velocity")(x, now).extra is None


def test_mixing_with_the_coefficients_of_another_time_is_the_ddim_step():
    now, then = Linear().along(torch.tensor([0.5, 0.2]))
    p = Prediction(normal(2, 1, 4, 4), normal(2, 1, 4, 4, seed=1), now, "velocity")
    torch.testing.assert_close(p.mix(then.alpha, then.sigma), then.alpha * p.x0 + then.sigma * p.eps)


def test_terms_without_weight_are_not_computed():
    nan, one = torch.full((2,), torch.nan), torch.ones(2)
    assert combination([2, 0, 3], [one, nan, one]).tolist() == [5, 5]
    assert combination([0, 0], [one, nan]).tolist() == [0, 0]
