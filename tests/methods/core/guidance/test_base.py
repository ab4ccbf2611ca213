"""What all guidances share, and extrapolation."""

from math import inf

import pytest
import torch

from samplerbench.methods import (
    VE,
    Cosine,
    DiscreteVP,
    Guides,
    Linear,
    Sampler,
    SpecError,
    get,
    get_guidance,
    get_recipe,
)
from samplerbench.testing.exact import normal
from samplerbench.testing.small_net import seeded_noise

LABELS = torch.tensor([0, 1, 1, 0])


@pytest.mark.parametrize("name", ["ddim", "flow[solver=heun]", "dpmpp_3m", "unipc", "pndm", "ddpm", "pc", "heun"])
@pytest.mark.parametrize("spec", ["cfg", "auto"])
def test_weight_1_is_the_better_prediction_and_weight_0_the_worse(classes, name, spec):
    recipe, x = get_recipe(get(name).recipe), normal(4, 1, 2, 2)
    field = classes.field(recipe.path, recipe.target, LABELS)
    other = classes.field(recipe.path, recipe.target, None if spec == "cfg" else 1 - LABELS)
    for weight, expected in ((1, field), (0, other)):
        guided = Sampler(get(name), 5, guidance=get_guidance(f"{spec}[weight={weight}]"))
        ours = guided.sample(field, x, seeded_noise(1), Guides(weak=other))
        theirs = Sampler(get(name), 5).sample(expected, x, seeded_noise(1))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("path", "target"),
    [(DiscreteVP(), "eps"), (Linear(), "velocity"), (Cosine(), "v"), (VE(), "score"), (Linear(), "x0")],
    ids=str,
)
def test_every_reading_of_a_prediction_is_extrapolated(classes, path, target):
    (now,), x = path.along(torch.tensor([0.6])), normal(4, 1, 2, 2)
    better, worse = (classes.field(path, target, label) for label in (LABELS, None))
    guided = get_guidance("3").guide(better, Guides())(x, now)
    for reading in ("x0", "eps", "v", "velocity", "score"):
        bad, good = (getattr(field(x, now), reading) for field in (worse, better))
        torch.testing.assert_close(getattr(guided, reading), bad + 3 * (good - bad), rtol=1e-8, atol=1e-8)


def test_the_interval_is_open_below_and_closed_above():
    guidance = get_guidance("cfg[weight=2,low=0.25,high=1]")
    ratios = torch.tensor([1.001, 1.0, 0.5, 0.2501, 0.25], dtype=torch.float64)
    moments = Linear().along(ratios / (1 + ratios))
    # The ratio at the lower end is exact, sigma / alpha = 0.2 / 0.8; at the upper end 0.5 / 0.5.
    assert [guidance.at(now) for now in moments] == [1, 2, 2, 2, 1]
    (noise,) = Linear().along(torch.ones(1))
    assert [get_guidance(spec).at(noise) for spec in ("2", "cfg[weight=2,high=9]")] == [2, 1], "infinite without signal"


def test_a_number_is_short_for_classifier_free_guidance():
    assert get_guidance("1.5") == get_guidance("cfg[weight=1.5]")
    assert str(get_guidance("cfg[weight=1.5]")) == "1.5"
    assert str(get_guidance("cfg[weight=1.5,high=2]")) == "cfg[weight=1.5,high=2.0]"
    assert str(get_guidance("auto")) == "auto[weight=2.0]"
    assert (get_guidance("2").low, get_guidance("2").high) == (0, inf)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cgf", "Did you mean 'cfg'?"),
        ("-1", "cfg: weight must lie between 0 and 1000, not -1.0"),
        ("nan", "must lie between"),
        ("cfg[low=2,high=1]", "cfg: low must be below high, but 2.0 is not below 1.0"),
        ("cfg[weight=1,high=1]", "low and high have no effect, since 1 is no guidance"),
        ("classifier[scale=0,low=1]", "low and high have no effect, since 0 is no guidance"),
        ("cfg[scale=2]", "cfg has no option 'scale'"),
    ],
)
def test_an_invalid_guidance_is_an_error_that_says_what_to_do(spec, message):
    with pytest.raises(SpecError) as caught:
        get_guidance(spec)
    assert message in str(caught.value)
