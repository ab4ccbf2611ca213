"""Guidance against closed forms: two classes of Gaussians, whose network and classifier are exact."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import samplerbench
from samplerbench.data.datasets import DATASETS, to_float
from samplerbench.errors import InputError
from samplerbench.methods import (
    GUIDANCES,
    METHODS,
    VE,
    Aides,
    Cosine,
    DiscreteVP,
    Field,
    Linear,
    SpecError,
    get,
    get_guidance,
    get_recipe,
    sample,
)
from samplerbench.metrics.features import Extractor, RealFeatures
from samplerbench.metrics.image_metrics import METRICS as FIGURES
from samplerbench.metrics.scoring import Scoring, _asked_classes
from samplerbench.models import load, shipped
from samplerbench.networks.backbone import load_backbone
from samplerbench.networks.guides import equip
from samplerbench.sampling.measure import Gauge, _gflops_per_evaluation, generate
from samplerbench.sampling.noise import ImageNoise, image_labels
from samplerbench.sweep.plan import Job, Sweep, evaluations, expand, normalise
from samplerbench.sweep.session import Session

PATHS = [(DiscreteVP(), "eps"), (Linear(), "velocity"), (Cosine(), "v"), (VE(), "score"), (Linear(), "x0")]
every_path = pytest.mark.parametrize(("path", "target"), PATHS, ids=lambda value: value.__class__.__name__)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@dataclass(frozen=True)
class TwoClasses:
    """x0 ~ N(mean_y, std_y^2), y of two classes, equally likely. mean, std: (2, 1, C, H, W)."""

    mean: Tensor
    std: Tensor

    def field(self, path, target: str, label: Tensor | None) -> Field:
        """The optimal network: conditional with labels, else that of the mixture."""

        def net(x, t, label=None):
            now = path.at(t)
            eps, log_p = self.parts(x, now.alpha, now.sigma)
            chosen = torch.softmax(log_p, 1) if label is None else torch.eye(2, dtype=x.dtype)[label]
            eps = torch.einsum("by,ybchw->bchw", chosen, eps)
            if target == "eps":
                return eps
            x0 = (x - now.sigma * eps) / now.alpha.clamp_min(1e-12)
            if target == "score":
                return -eps / now.sigma
            (a, b) = {"x0": (1, 0), "v": (-now.sigma, now.alpha), "velocity": (now.d_alpha, now.d_sigma)}[target]
            return a * self.posterior_mean(x, now, chosen, x0) + b * eps

        return Field(net, path, target, label)

    def posterior_mean(self, x, now, chosen, x0):
        """x0, also where there is no signal to read it from eps."""
        return torch.where(now.alpha > 0, x0, torch.einsum("by,ybchw->bchw", chosen, self.mean.expand(-1, *x.shape)))

    def parts(self, x, alpha, sigma):
        """eps of each class (2, B, C, H, W), and log p(x, y) (B, 2) up to a constant."""
        variance = (alpha * self.std) ** 2 + sigma**2
        z = x - alpha * self.mean
        log_p = (-(z**2) / variance / 2 - variance.log() / 2).flatten(2).sum(2).T
        return sigma * z / variance, log_p

    def classifier(self, x, log_snr):
        alpha, sigma = (torch.sigmoid(sign * log_snr).sqrt().view(-1, 1, 1, 1) for sign in (1, -1))
        return self.parts(x, alpha, sigma)[1]


@pytest.fixture(scope="module")
def classes() -> TwoClasses:
    drawn = torch.rand(2, 2, 1, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return TwoClasses(drawn[0] - 0.5, 0.3 + 0.4 * drawn[1])


LABELS = torch.tensor([0, 1, 1, 0])


def noise_like(x, seed=0):
    return torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(seed))


@every_path
def test_the_exact_classifier_turns_the_mixtures_score_into_the_conditional_one(classes, path, target):
    conditional, mixture = (classes.field(path, target, label) for label in (LABELS, None))
    guided = get_guidance("classifier").guide(conditional, Aides(classes.classifier))
    for now in path.along(torch.tensor([0.05, 0.3, 0.7, 0.99])):
        x = now.sigma * noise_like(torch.empty(4, 1, 2, 2, dtype=torch.float64)) + 0.3 * now.alpha
        with torch.inference_mode():
            found, expected = guided(x, now), conditional(x, now)
        torch.testing.assert_close(found.eps, expected.eps, rtol=1e-6, atol=1e-7)
        assert (mixture(x, now).eps - expected.eps).abs().max() > 1e-4


@pytest.mark.parametrize("name", [name for name in METHODS.names() if not get_recipe(get(name).recipe).student])
@pytest.mark.parametrize("path", [DiscreteVP(), Linear()], ids=["signal", "no signal at the start"])
def test_every_method_samples_the_class_when_the_exact_classifier_guides_it(classes, name, path):
    method, target = get(name), "eps" if isinstance(path, DiscreteVP) else "velocity"
    field = classes.field(path, target, LABELS)
    if method.outputs > 1:  # it reads a second output, which is zero here
        field = replace(field, net=lambda x, *rest, net=field.net: torch.cat((net(x, *rest), torch.zeros_like(x)), 1))
    x = noise_like(torch.empty(4, 1, 2, 2, dtype=torch.float64))

    def images(field):
        draws = iter(range(10_000))
        return sample(method, field, x, None if method.adaptive else 6, lambda x: noise_like(x, next(draws)))

    guided = get_guidance("classifier").guide(field, Aides(classes.classifier))
    # Where there is no signal, the limit is read at a signal of 1e-3.
    torch.testing.assert_close(images(guided), images(field), rtol=0, atol=1e-6 if target == "eps" else 5e-3)


@pytest.mark.parametrize("name", ["ddim", "flow[solver=heun]", "dpmpp_3m", "unipc", "pndm", "ddpm", "pc", "heun"])
@pytest.mark.parametrize("spec", ["cfg", "auto"])
def test_weight_1_is_the_one_prediction_and_weight_0_the_other(classes, name, spec):
    recipe = get_recipe(get(name).recipe)
    field = classes.field(recipe.path, recipe.target, LABELS)
    other = classes.field(recipe.path, recipe.target, None if spec == "cfg" else 1 - LABELS)
    x = noise_like(torch.empty(4, 1, 2, 2, dtype=torch.float64))
    for weight, expected in ((1, field), (0, other)):
        guided = get_guidance(f"{spec}[weight={weight}]").guide(field, Aides(weak=other))
        ours, theirs = (sample(get(name), each, x, 5, noise_like) for each in (guided, expected))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@every_path
def test_guiding_in_one_parametrisation_guides_in_all(classes, path, target):
    (now,) = path.along(torch.tensor([0.6]))
    x = noise_like(torch.empty(4, 1, 2, 2, dtype=torch.float64))
    with_label, without = (classes.field(path, target, label) for label in (LABELS, None))
    guided = get_guidance("3").guide(with_label, Aides())(x, now)
    for reading in ("x0", "eps", "v", "velocity", "score"):
        bad, good = (getattr(each(x, now), reading) for each in (without, with_label))
        torch.testing.assert_close(getattr(guided, reading), bad + 3 * (good - bad), rtol=1e-8, atol=1e-8)


# On the straight path ten uniform steps start at sigma / alpha = inf, 9, 4, 2.33, 1.5, 1, 0.67, 0.43, 0.25, 0.11.
@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("1", 10), ("0", 10), ("2", 20), ("cfg[weight=2,high=1]", 15), ("cfg[weight=2,low=0.3,high=2]", 14),
        ("cfg[weight=0,low=5]", 10), ("auto", 20), ("auto[low=1]", 15), ("classifier", 10), ("classifier[scale=0]", 10),
    ],
)  # fmt: skip
def test_every_evaluation_is_counted_and_none_is_made_outside_the_interval(spec, expected):
    assert evaluations(get("flow"), get_recipe("flow"), 10, guidance=get_guidance(spec)) == expected


@pytest.mark.parametrize("budget", [2, 7, 10, 25])
def test_a_budget_holds_guided_evaluations(budget):
    sweep = Sweep(methods="ddim,flow[solver=heun],dpmpp_2m", nfe=str(budget), guidance="2,cfg[high=1],auto,classifier")
    for job in expand(normalise(sweep)):
        cost = [evaluations(job.method, get_recipe(job.recipe), job.steps + more, job.grid, job.guidance)
                for more in (0, 1)] if job.steps else [0, budget + 1]  # fmt: skip
        assert cost[0] <= budget < cost[1], job
        assert job.steps or "one step takes more" in job.skip


SPECS = ["cfg", "cfg[high=1]", "auto", "classifier"]


@pytest.fixture(scope="module")
def backbone():
    digits = DATASETS.get("digits")
    plain = load_backbone("flow", digits, None, torch.device("cpu"), torch.float32, False)
    return equip(plain, [get_guidance(spec) for spec in SPECS], digits, None)


@pytest.mark.parametrize(("spec", "each"), zip(SPECS, (8, 6, 8, 4), strict=True))
def test_the_same_seed_gives_the_same_image_at_any_batch_size_and_the_network_counts(backbone, spec, each):
    job = Job(get("dpmpp_2m"), "flow", "uniform", 4, guidance=get_guidance(spec))

    def images(indices):
        states, _, network = generate(job, backbone, ImageNoise(0, indices), Gauge())
        assert network.evaluations == each * len(indices)
        assert len(network.stopwatch.seconds()) == each
        return states

    together = images(range(6))
    torch.testing.assert_close(torch.cat([images(range(4)), images(range(4, 6))]), together, rtol=1e-4, atol=1e-4)


def test_a_run_has_guidance_as_an_axis_and_as_a_column():
    options = {"methods": "flow", "steps": "2", "samples": 80, "metrics": "fid,class_accuracy", "timing": False}
    specs = ["1.0", "cfg[weight=4]", "auto", "classifier[scale=3,on=conditional]"]
    frame = samplerbench.run(**options, guidance=specs)
    assert frame["guidance"].tolist() == [
        "1", "4", "auto[weight=2.0]", "classifier[scale=3.0,on=conditional]",
    ]  # fmt: skip
    assert (frame["status"] == "ok").all(), frame["error"].tolist()
    assert frame["nfe"].tolist() == [2, 4, 4, 2]
    assert frame["cell"].nunique() == 4
    assert (frame["class_accuracy_floor"] > 0.98).all()

    unguided = samplerbench.run(**options)
    assert unguided["guidance"].tolist() == [""]
    assert unguided["scores_per_seed"][0] == frame["scores_per_seed"][0], "weight 1 is the conditional network"


def test_operations_are_those_of_every_network_that_works(backbone):
    def each(spec):
        return _gflops_per_evaluation(Job(get("flow"), "flow", "uniform", 2, guidance=get_guidance(spec)), backbone)

    assert each("2") == each("1")
    assert 0.5 * each("1") < each("auto") < 0.9 * each("1"), "the weaker network is smaller"
    assert each("classifier[scale=0]") == pytest.approx(each("1"))
    assert each("classifier") > 1.1 * each("1"), "a gradient is work, though no evaluation"


def test_class_accuracy_compares_with_what_each_image_was_asked_to_be(digits):
    real = RealFeatures(digits, Extractor("digits-cnn", torch.device("cpu"), logits=True))
    asked = image_labels(3, range(300), 10)
    match = torch.stack([(digits.train_labels == label).nonzero()[0, 0] for label in asked])
    scoring = Scoring([(FIGURES.get("class_accuracy"), real)], classes=10)
    for part in match.split((100, 1, 199)):
        scoring.add(3, digits.train[part])
    scoring.add(4, digits.train[match])  # other labels are asked for in another block
    right, wrong = scoring.columns()["class_accuracy"]
    assert right == 1
    assert wrong == pytest.approx((asked == image_labels(4, range(300), 10)).double().mean().item(), abs=1e-9)
    assert wrong < 0.2


def test_class_accuracy_is_refused_where_no_classifier_knows_the_classes():
    with pytest.raises(InputError, match="needs a classifier of mnist"):
        _asked_classes([FIGURES.get("class_accuracy")], DATASETS.get("mnist"))


def test_the_shipped_classifier_knows_clean_digits_and_nothing_without_signal(digits):
    net = load(shipped("digits", "noisy-classifier")).noisy_classifier()
    with torch.no_grad():
        clean = net(to_float(digits.test), torch.full((797,), 12.0))
        nothing = net(noise_like(torch.empty(50, 1, 8, 8)), torch.full((50,), -20.0))
    assert (clean.argmax(1) == digits.test_labels).float().mean() > 0.97
    np.testing.assert_allclose(nothing.softmax(1), 0.1, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"guidance": "cgf"}, "Did you mean 'cfg'?"),
        ({"guidance": "-1"}, "cfg: weight must lie between 0 and 1000, not -1.0"),
        ({"guidance": "nan"}, "must lie between"),
        ({"guidance": ""}, "--guidance is empty"),
        ({"guidance": "cfg[low=2,high=1]"}, "low must be below high"),
        ({"guidance": "cfg[weight=1,high=1]"}, "low and high have no effect, since 1 is no guidance"),
        ({"guidance": "classifier[scale=0,low=1]"}, "low and high have no effect, since 0 is no guidance"),
        ({"guidance": "cfg[scale=2]"}, "cfg has no option 'scale'"),
        ({"guidance": "2", "preset": "cifar10", "quality": False}, "leave out --guidance"),
    ],
)
def test_what_cannot_guide_is_found_before_anything_runs(options, message):
    with pytest.raises((InputError, SpecError)) as caught:
        Session(Sweep(**options))
    assert message in str(caught.value)


def test_a_missing_checkpoint_names_the_command_that_makes_it(backbone, monkeypatch):
    digits = DATASETS.get("digits")
    monkeypatch.setattr("samplerbench.networks.backbone.shipped", lambda dataset, name: Path("nowhere", name))
    for spec, command in (("classifier", "noisy-classifier"), ("auto", "flow --weak")):
        with pytest.raises(InputError, match=f"`bench train {command} --dataset digits`"):
            equip(backbone, [get_guidance(spec)], digits, None)


def test_a_network_without_classes_can_only_be_guided_by_a_weaker_one(backbone):
    digits = DATASETS.get("digits")
    config = replace(backbone.unet.config, classes=0)
    unlabelled = replace(backbone, unet=type(backbone.unet)(config))
    for name in GUIDANCES.names():
        guidance = get_guidance(name)
        if guidance.labelled:
            with pytest.raises(InputError, match="needs a network with classes"):
                equip(unlabelled, [guidance], digits, None)
