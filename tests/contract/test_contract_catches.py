"""The contract finds what it is there to find: each broken plug-in fails the check meant for it, and no other."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from typing import Annotated, ClassVar, Literal

import pytest
import torch
from torch import nn

from samplerbench.data.dataset import DATASETS, Dataset, Images
from samplerbench.methods import (
    DENOISER,
    GRIDS,
    GUIDANCES,
    METHODS,
    RECIPES,
    Between,
    Denoising,
    Grid,
    GuidedField,
    Linear,
    Method,
    SpecError,
    regression_loss,
    uniform,
)
from samplerbench.methods.core.guidance.base import Extrapolated, WeightedGuidance
from samplerbench.metrics.accumulators import Collect
from samplerbench.metrics.base import METRICS, ImageMetric
from samplerbench.metrics.column import Column
from samplerbench.testing import checks, contract
from samplerbench.testing.variants import variants

REGISTRIES = {
    "method": METHODS, "recipe": RECIPES, "grid": GRIDS, "guidance": GUIDANCES, "metric": METRICS, "dataset": DATASETS,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _unregistered_afterwards():
    with ExitStack() as stack:
        for registry in REGISTRIES.values():
            stack.enter_context(registry.temporarily())
        yield


def failures(cls: type) -> dict[str, str]:
    """Registers a subclass of the class, frozen and documented: the checks that it fails, with the reasons."""
    kind = next(kind for kind, registry in REGISTRIES.items() if issubclass(cls, registry.base))
    docstring = "Broken in one way." if cls.__doc__ is None else cls.__doc__
    REGISTRIES[kind].register("broken")(dataclass(frozen=True)(type(cls.__name__, (cls,), {"__doc__": docstring})))
    found = {}
    for name, check in checks(f"{kind}:broken"):
        try:
            check()
        except AssertionError as error:
            found[name.rpartition("-")[2]] = str(error)
    return found


def assert_caught(cls: type, caught: dict[str, str]) -> None:
    """Exactly these checks fail, for these reasons."""
    found = failures(cls)
    assert found.keys() == caught.keys(), found
    for check, reason in caught.items():
        assert reason in found[check]


def class_name(value: object) -> str | None:
    """The id of a case."""
    return getattr(value, "__name__", None)


class SoundMethod(Method):
    """Euler's method in the noise level: sound, before a test breaks it."""

    recipe = "ddpm"
    order = 1

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            x = self.step(field(x, now), then)
            yield x

    def step(self, p, then):
        return p.mix(then.alpha, then.sigma)


class WrongOrder(SoundMethod):
    order = 2


class OwnRandomness(SoundMethod):
    def step(self, p, then):
        x = super().step(p, then)
        return x + 1e-9 * torch.randn(x.shape, dtype=x.dtype)


class ChangesItsInput(SoundMethod):
    def steps(self, field, x, times, noise):
        start = x.clone()
        x.zero_()
        yield from super().steps(field, start, times, noise)


class ReusesItsStates(SoundMethod):
    def steps(self, field, x, times, noise):
        state = torch.empty_like(x)
        for made in super().steps(field, x, times, noise):
            yield state.copy_(made)


class Returns(SoundMethod):
    def steps(self, field, x, times, noise):
        *_, last = super().steps(field, x, times, noise)
        return last


class YieldsTheLastStateOnly(SoundMethod):
    def steps(self, field, x, times, noise):
        *_, last = super().steps(field, x, times, noise)
        yield last


class NeverEnds(SoundMethod):
    def steps(self, field, x, times, noise):
        yield from super().steps(field, x, times, noise)
        while True:
            yield torch.zeros_like(x)


class AnotherDtype(SoundMethod):
    def step(self, p, then):
        x = super().step(p, then)
        return x if then.sigma else x.double()


class NoiseAtTheEnd(SoundMethod):
    order = None

    def steps(self, field, x, times, noise):
        for state in super().steps(field, x, times, noise):
            yield state + 1e-3 * noise(x)


class EvaluatesMoreOnImages(SoundMethod):
    def steps(self, field, x, times, noise):
        if x.shape[-1] > 1:
            field(x, field.path.along(times[:1])[0])
        yield from super().steps(field, x, times, noise)


class EvaluatesMoreInASingleStep(SoundMethod):
    def steps(self, field, x, times, noise):
        for _ in range(20 if len(times) == 2 else 0):
            field(x, field.path.along(times[:1])[0])
        yield from super().steps(field, x, times, noise)


class DependsOnTheBatch(SoundMethod):
    def step(self, p, then):
        x = super().step(p, then)
        return x if then.sigma else x + 1e-2 * x.mean(0)


class Biased(SoundMethod):
    order = None

    def step(self, p, then):
        return super().step(p, then) * (1 if then.sigma else 1.5)


class NotANumberWithoutSignal(SoundMethod):
    def step(self, p, then):
        return super().step(p, then) * (1 if p.now.alpha else float("nan"))


class NoDocstring(SoundMethod):
    __doc__ = ""


class WrongCapability(SoundMethod):
    requires = frozenset({"variance"})


@pytest.mark.parametrize(
    ("method", "caught"),
    [
        (SoundMethod, {}),
        (WrongOrder, {"declared_order_is_reached": "declares order 2, but its error falls with order 1.0"}),
        (OwnRandomness, {"draws_noise_through_its_argument": "call noise"}),
        (ChangesItsInput, {"leaves_its_input_alone": "changes its initial state in place"}),
        (ReusesItsStates, {"leaves_its_states_alone": "overwrites states"}),
        (Returns, {"yields_a_state_per_step": "returned a Tensor: yield the states"}),
        (YieldsTheLastStateOnly, {"yields_a_state_per_step": "yielded 1 states in 2 steps"}),
        (AnotherDtype, {"keeps_shape_and_dtype": "turns torch.float32 into torch.float64"}),
        (NoiseAtTheEnd, {"last_step_draws_no_noise": "draws noise on the last of 1 steps"}),
        (EvaluatesMoreOnImages, {"evaluations_are_counted": "2 times per image in 1 steps, but 1 times"}),
        (EvaluatesMoreInASingleStep, {"keeps_to_a_budget": "leaves a budget of 2 unused: 2 steps fit"}),
        (DependsOnTheBatch, {"same_image_in_any_batch": "other images in batches of 1"}),
        (Biased, {"many_steps_reproduce_the_data": "is off by", "starts_without_signal": ""}),
        (NotANumberWithoutSignal, {"starts_without_signal": "the mean is off by nan"}),
        (NoDocstring, {"describes_itself": "needs a docstring"}),
        (WrongCapability, {"describes_itself": "it needs a predicted variance"}),
    ],
    ids=class_name,
)
def test_a_broken_method_fails_the_check_meant_for_it(method, caught):
    assert_caught(method, caught)


def test_a_method_that_never_ends_is_stopped():
    found = failures(NeverEnds)
    assert "yielded more states in 1 steps" in found["yields_a_state_per_step"]
    assert {"evaluations_are_counted", "keeps_to_a_budget"} < found.keys()


class SoundGuidance(WeightedGuidance):
    """Classifier-free guidance: sound, before a test breaks it."""

    guided = Extrapolated

    def guide(self, field, guides):
        return self.guided(field, replace(field, label=None), self)


@dataclass(frozen=True)
class EvaluatesAlways(Extrapolated):
    def __call__(self, x, now, then=None):
        worse, better = self.worse(x, now, then), self.field(x, now, then)
        weight = self.guidance.at(now)
        return better if weight == 1 else replace(better, p=torch.lerp(worse.p, better.p, weight))


@dataclass(frozen=True)
class AddsToThePrediction(Extrapolated):
    def __call__(self, x, now, then=None):
        guided = super().__call__(x, now, then)
        return guided if self.guidance.at(now) in (0, 1) else replace(guided, p=guided.p + 0.1)


@dataclass(frozen=True)
class DropsTheEnd(Extrapolated):
    def __call__(self, x, now, then=None):
        return super().__call__(x, now)


@dataclass(frozen=True)
class CentresTheBatch(Extrapolated):
    def __call__(self, x, now, then=None):
        better, worse = self.field(x, now, then), self.worse
        if self.guidance.at(now) == 1:
            return better
        difference = better.eps - worse(x, now, then).eps
        return replace(better, p=better.eps + difference.mean(0), target="eps")


@dataclass(frozen=True)
class EvaluatesMoreForImages(Extrapolated):
    def __call__(self, x, now, then=None):
        if x.shape[-1] > 1 and self.guidance.at(now) not in (0, 1):
            self.field(x, now, then)
        return super().__call__(x, now, then)


@dataclass(frozen=True)
class FailsWithoutSignal(Extrapolated):
    def __call__(self, x, now, then=None):
        guided = super().__call__(x, now, then)
        return guided if now.alpha else replace(guided, p=guided.p / 0)


class IgnoresItsInterval(SoundGuidance):
    def at(self, now):
        return self.strength


class NoEffect(SoundGuidance):
    def at(self, now):
        return 1.0


class MisspeltRequirement(SoundGuidance):
    requires = frozenset({"label"})


def wrapping(field: type[GuidedField]) -> type[WeightedGuidance]:
    """The sound guidance with another field."""
    return type(field.__name__, (SoundGuidance,), {"guided": field})


@pytest.mark.parametrize(
    ("guidance", "caught"),
    [
        (SoundGuidance, {}),
        (
            wrapping(EvaluatesAlways),
            {"is_free_when_neutral": "costs 2 evaluations", "is_neutral_outside_its_interval": "costs 2 evaluations"},
        ),
        (wrapping(AddsToThePrediction), {"guides_in_every_parametrisation": "otherwise than one of eps"}),
        (wrapping(DropsTheEnd), {"passes_the_end_of_an_interval_on": "does not pass `then` on"}),
        (wrapping(CentresTheBatch), {"guides_each_image_alone": "in another batch"}),
        (wrapping(EvaluatesMoreForImages), {"counts_its_evaluations": "15 times in 5 steps, but 10 times in the dry"}),
        (wrapping(FailsWithoutSignal), {"works_from_noise_to_data": "NaN or infinity at t = 1"}),
        (IgnoresItsInterval, {"is_neutral_outside_its_interval": "costs 2 evaluations, not 1"}),
        (NoEffect, {"has_an_effect": "changes nothing"}),
        (MisspeltRequirement, {"describes_itself": "requires 'label'"}),
    ],
    ids=class_name,
)
def test_a_broken_guidance_fails_the_check_meant_for_it(guidance, caught):
    assert_caught(guidance, caught)


class SoundGrid(Grid):
    """Even times: sound, before a test breaks it."""

    def times(self, steps, path):
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64)


class EndsAboveData(SoundGrid):
    def times(self, steps, path):
        return super().times(steps, path) * 0.99 + 0.01


class StartsAboveOne(SoundGrid):
    def times(self, steps, path):
        return super().times(steps, path) * 1.01


class OneTimeTooMany(SoundGrid):
    def times(self, steps, path):
        return super().times(steps + 1, path)


class SinglePrecision(SoundGrid):
    def times(self, steps, path):
        return super().times(steps, path).float()


class StopsAtTenSteps(SoundGrid):
    def times(self, steps, path):
        return super().times(steps, path) if steps <= 10 else torch.zeros(steps + 1, dtype=torch.float64)


class Jittered(SoundGrid):
    def times(self, steps, path):
        return super().times(steps, path) ** (1 + torch.rand((), dtype=torch.float64))


@pytest.mark.parametrize(
    ("grid", "caught"),
    [
        (SoundGrid, {}),
        (EndsAboveData, {"falls_from_noise_to_data": "ends at t = 0.01"}),
        (StartsAboveOne, {"falls_from_noise_to_data": "starts at t = 1.01"}),
        (OneTimeTooMany, {"falls_from_noise_to_data": "times of shape (3,), not (2,)"}),
        (SinglePrecision, {"falls_from_noise_to_data": "times in torch.float32"}),
        (StopsAtTenSteps, {"makes_any_number_of_steps": "makes no 20 steps"}),
        (Jittered, {"makes_the_same_times_again": "other times at another call"}),
    ],
    ids=class_name,
)
def test_a_broken_grid_fails_the_check_meant_for_it(grid, caught):
    assert_caught(grid, caught)


COLUMN = Column("broken", "broken", "lower", meaning="**broken**: the distance of mean features.")


class SoundMetric(ImageMetric):
    """The distance between mean features: sound, before a test breaks it."""

    columns: ClassVar = (COLUMN,)

    def accumulator(self, real):
        return Collect(lambda features: self.score(features, real.reference))

    def score(self, features, reference):
        return {"broken": (features.mean(0) - reference.mean(0)).norm().item()}


def with_columns(name: str, *columns: Column) -> type[ImageMetric]:
    """The sound metric with other columns."""
    return type(name, (SoundMetric,), {"columns": columns})


class AveragesOverBatches(SoundMetric):
    def accumulator(self, real):
        return Collect(
            lambda distances: {"broken": distances.mean().item()},
            lambda features: (features.mean(0) - real.reference.mean(0)).norm()[None],
        )


class SharesItsState(SoundMetric):
    parts: ClassVar[list] = []

    def accumulator(self, real):
        return Collect(lambda features: self.score(features, real.reference), parts=self.parts)


class NeedsMoreThanItSays(SoundMetric):
    def score(self, features, reference):
        return {"broken": ((features.mean(0) - reference.mean(0)).norm() / features.std(0).mean()).item()}

    def min_samples(self, width):
        return 1


class RandomSubset(SoundMetric):
    def score(self, features, reference):
        return super().score(features[torch.randperm(len(features))[:99]], reference)


@pytest.mark.parametrize(
    ("metric", "caught"),
    [
        (SoundMetric, {}),
        (
            with_columns("WrongDirection", replace(COLUMN, better="higher")),
            {"tells_real_images_from_faulty_ones": "is declared better when higher, but it is"},
        ),
        (
            with_columns("DeclaresTooMuch", COLUMN, Column("broken_floor")),
            {"fills_the_columns_it_declares": "declares ['broken_floor'], but does not fill"},
        ),
        (with_columns("NoMeaning", replace(COLUMN, meaning="")), {"declares_readable_columns": "needs a meaning"}),
        (with_columns("NoLabel", replace(COLUMN, label="")), {"declares_readable_columns": "needs a label"}),
        (
            with_columns("UnknownFloor", replace(COLUMN, floor="floor")),
            {"declares_readable_columns": "refers to 'floor', which is no column"},
        ),
        (AveragesOverBatches, {"scores_the_same_in_any_batches": "in batches of 1"}),
        (NeedsMoreThanItSays, {"scores_the_fewest_images_it_accepts": "for 1 images"}),
    ],
    ids=class_name,
)
def test_a_broken_metric_fails_the_check_meant_for_it(metric, caught):
    assert_caught(metric, caught)


@pytest.mark.parametrize(
    ("column", "reason"),
    [("latency_s", "'latency_s' is another column of results.csv"), ("novelty", "novelty share the column 'novelty'")],
)
def test_a_metric_cannot_take_the_column_of_something_else(column, reason):
    assert reason in failures(with_columns("Taken", replace(COLUMN, name=column)))["owns_its_columns"]


def test_a_metric_whose_blocks_share_their_state_is_found():
    assert "images of one block change" in failures(SharesItsState)["scores_each_block_by_itself"]


def test_a_metric_that_draws_random_numbers_is_found():
    assert "draws from a global generator" in failures(RandomSubset)["gives_the_same_again"]


class SoundRecipe(Denoising):
    """Flow matching: sound, before a test breaks it."""

    path = Linear()
    target = "velocity"


class OneLossForAll(SoundRecipe):
    def loss(self, field, x0, label, noise, teacher):
        return super().loss(field, x0, label, noise, teacher).mean()


class TrainsNothing(SoundRecipe):
    def loss(self, field, x0, label, noise, teacher):
        constant = replace(field, net=lambda *inputs: field.net(*inputs).detach())
        return super().loss(constant, x0.requires_grad_(), label, noise, teacher)


class PredictsAnotherTarget(SoundRecipe):
    def loss(self, field, x0, label, noise, teacher):
        return regression_loss(replace(field, target="v"), x0, label, uniform(noise, x0), noise)


class KeepsItsModules(SoundRecipe):
    critic = nn.Linear(1, 1)

    def modules(self, teacher=None):
        return {"critic": self.critic}

    def loss(self, field, x0, label, noise, teacher):
        critic = sum(each.sum() for each in field.modules["critic"].parameters())
        return super().loss(field, x0, label, noise, teacher) + critic**2


class MisspeltCapability(SoundRecipe):
    provides = DENOISER | {"variences"}


class TeachesItself(SoundRecipe):
    teacher = "broken"


class DrawsItsOwnNoise(SoundRecipe):
    def loss(self, field, x0, label, noise, teacher):
        return super().loss(field, x0, label, torch.randn_like, teacher)


@pytest.mark.parametrize(
    ("recipe", "caught"),
    [
        (SoundRecipe, {}),
        (OneLossForAll, {"returns_a_finite_loss_per_image": "a loss of shape (), not one per image"}),
        (TrainsNothing, {"trains_what_it_says": "does not train its network"}),
        (
            PredictsAnotherTarget,
            {
                "is_lowest_for_the_perfect_network": "have a lower loss than perfect ones",
                "vanishes_for_the_perfect_network": "read in another parametrisation",
            },
        ),
        (KeepsItsModules, {"makes_new_modules": "returns the same 'critic' at every call"}),
        (MisspeltCapability, {"describes_itself": "did you mean 'variance'?"}),
        (TeachesItself, {"ends_its_chain_of_teachers": "form a circle"}),
        (DrawsItsOwnNoise, {"draws_noise_through_its_argument": "call noise(x)"}),
    ],
    ids=class_name,
)
def test_a_broken_recipe_fails_the_check_meant_for_it(recipe, caught):
    assert_caught(recipe, caught)


class SoundDataset(Dataset):
    """Noise in three classes: sound, before a test breaks it."""

    resolution, channels, classes, preset, extractor = 8, 1, 3, "digits", "digits-cnn"

    def load(self, root=None, download=False):
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (60, 1, 8, 8), generator=generator, dtype=torch.uint8)
        labels = torch.arange(60) % 3
        return Images(images[:40], labels[:40], images[40:], labels[40:])


class UnquantisedImages(SoundDataset):
    def load(self, root=None, download=False):
        images = super().load()
        return replace(images, train=images.train.float())


class OtherImagesEveryTime(SoundDataset):
    def load(self, root=None, download=False):
        images = super().load()
        return replace(images, train=torch.randint(0, 256, images.train.shape, dtype=torch.uint8))


class FloorInTheReference(SoundDataset):
    def load(self, root=None, download=False):
        images = super().load()
        return replace(images, test=images.train[:20])


class LabelsFromOne(SoundDataset):
    def load(self, root=None, download=False):
        images = super().load()
        return replace(images, test_labels=images.test_labels + 1)


class AnotherResolution(SoundDataset):
    resolution = 16


class UnknownMetric(SoundDataset):
    metrics = ("fid", "beauty")


@pytest.mark.parametrize(
    ("dataset", "caught"),
    [
        (SoundDataset, {}),
        (UnquantisedImages, {"loads_the_images_it_declares": "train is torch.float32, not torch.uint8"}),
        (OtherImagesEveryTime, {"loads_the_same_again": "draws from a global generator"}),
        (FloorInTheReference, {"keeps_the_reference_apart": "100% of the images for the floor"}),
        (LabelsFromOne, {"labels_every_image": "labels from 1 to 3"}),
        (AnotherResolution, {"loads_the_images_it_declares": "not (1, 16, 16)", "describes_itself": "for 1 x 8^2"}),
        (UnknownMetric, {"describes_itself": "No metric is named 'beauty'"}),
    ],
    ids=class_name,
)
def test_a_broken_dataset_fails_the_check_meant_for_it(dataset, caught):
    assert_caught(dataset, caught)


@dataclass(frozen=True)
class Optioned(SoundGrid):
    """A grid with an option of every type."""

    name = "grid"
    shape: Literal["even", "cosine"] = "even"
    flipped: bool = False
    order: Annotated[int, Between(1, 3)] = 2
    repeats: Annotated[int, Between(2, 1000)] = 5
    shift: Annotated[float, Between(0, inf)] = 1.0
    tolerance: Annotated[float | None, Between(0.25, 0.5)] = None
    width: float = 7.0

    def __post_init__(self):
        super().__post_init__()
        if self.flipped:
            raise SpecError("This grid cannot be flipped.")


def test_variants_follow_from_the_types_of_the_options():
    found = {str(variant.plugin): variant.extreme for variant in variants(Optioned())}
    assert found == {
        "grid": False, "grid[shape=cosine]": False, "grid[order=1]": False, "grid[order=3]": False,
        "grid[repeats=2]": True, "grid[shift=0.0]": False, "grid[tolerance=0.25]": True,
        "grid[tolerance=0.5]": True,
    }  # fmt: skip


def test_an_author_checks_a_plugin_with_one_line():
    failures(SoundGrid)
    (mark,) = contract("broken").pytestmark
    assert "broken-falls_from_noise_to_data" in mark.kwargs["ids"]
    for check in mark.args[1]:
        check()
    (mark,) = contract("broken", skip={"describes_itself"}).pytestmark
    assert "broken-describes_itself" not in mark.kwargs["ids"]


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ("ddpm", "'ddpm' is the name of a method and of a recipe: write method:ddpm or recipe:ddpm."),
        ("unifrom", "No plug-in is named 'unifrom'. Did you mean 'uniform'?"),
        ("grid:unifrom", "No grid is named 'unifrom'. Did you mean 'uniform'?"),
    ],
)
def test_a_name_that_is_unknown_or_shared_is_refused(plugin, message):
    with pytest.raises(SpecError) as caught:
        list(checks(plugin))
    assert str(caught.value) == message
