"""What every recipe keeps. Each check takes a recipe and raises AssertionError with the reason."""

import operator
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import fields, replace
from difflib import get_close_matches
from functools import partial

import torch
from torch import Tensor, nn

from samplerbench.methods import CAPABILITIES, DENOISER, Field, Noise, Recipe, get_recipe
from samplerbench.models import UNetConfig
from samplerbench.testing.exact import Gaussian, normal
from samplerbench.testing.runs import random_state
from samplerbench.testing.small_net import SmallNet, outputs_of, seeded_noise, with_outputs
from samplerbench.testing.variants import Variant, docstring

IMAGES = 8
PROGRESS = (0.0, 0.5, 1.0)  # of the training, for objectives with a schedule


def checks(variant: Variant) -> Iterator[Callable[[Recipe], None]]:
    """The checks that apply to a variant of a recipe."""
    recipe = variant.plugin
    yield from (prints_and_parses, describes_itself, ends_its_chain_of_teachers, makes_new_modules)
    yield from (returns_a_finite_loss_per_image, trains_what_it_says, draws_noise_through_its_argument)
    yield leaves_its_data_alone
    if not recipe.coupled:
        yield divides_its_batches
    if not recipe.distilled:
        yield is_lowest_for_the_perfect_network
        if recipe.provides == DENOISER and recipe.modules().keys() <= {"path"}:
            yield vanishes_for_the_perfect_network


def prints_and_parses(recipe: Recipe) -> None:
    """`get_recipe(str(recipe))` is the recipe."""
    assert get_recipe(str(recipe)) == recipe, f"{recipe!r} prints as {str(recipe)!r}, which is another recipe"


def describes_itself(recipe: Recipe) -> None:
    """It has a docstring, its capabilities are no misspelt ones, and the U-Net has the options it sets."""
    assert docstring(recipe), f"{recipe} needs a docstring that states the loss"
    for name in recipe.provides - CAPABILITIES.keys():
        close = get_close_matches(name, CAPABILITIES, n=1)
        assert not close, f"{recipe} provides {name!r}, which is unknown: did you mean {close[0]!r}?"
    unknown = sorted(recipe.network.keys() - {field.name for field in fields(UNetConfig)})
    assert not unknown, f"{recipe}.network sets {unknown[0]!r}, which is no option of the U-Net"
    assert ("intervals" in recipe.provides) == bool(recipe.network.get("interval")), (
        f"{recipe} must both provide 'intervals' and set the option interval of its network, or neither"
    )


def ends_its_chain_of_teachers(recipe: Recipe) -> None:
    """The recipes that it starts from are registered, and none of them needs this one."""
    taught = [str(recipe)]
    while recipe.teacher is not None:
        assert recipe.teacher not in taught, f"the teachers of {taught[0]} form a circle: {', '.join(taught)}"
        taught.append(recipe.teacher)
        recipe = get_recipe(recipe.teacher)
    if recipe.init_from is not None:
        get_recipe(recipe.init_from)


def makes_new_modules(recipe: Recipe) -> None:
    """`modules` returns new modules at every call, so that two trainings share nothing."""
    first, second = (recipe.modules(SmallNet()) for _ in range(2))
    assert first.keys() == second.keys(), f"{recipe}.modules returns other names at every call"
    for name, module in first.items():
        shared = {id(each) for each in module.parameters()} & {id(each) for each in second[name].parameters()}
        fresh = module is not second[name] and not shared
        assert fresh, f"{recipe}.modules returns the same {name!r} at every call: make a new one"


def returns_a_finite_loss_per_image(recipe: Recipe) -> None:
    """The loss has the shape (B,) and is finite, at any progress of the training, with and without labels."""
    for progress in PROGRESS:
        for label in (_labels(), None):
            loss = _Training(recipe.at_progress(progress)).loss(label)
            assert loss.shape == (IMAGES,), f"{recipe} returns a loss of shape {tuple(loss.shape)}, not one per image"
            assert loss.isfinite().all(), f"{recipe} returns NaN or infinity"


def trains_what_it_says(recipe: Recipe) -> None:
    """The gradient reaches the network and all modules trained besides, or the learned solver alone."""
    training = _Training(recipe)
    training.loss(_labels()).mean().backward()
    solver = training.modules.get("solver")
    trained = {"solver": solver} if solver else {"network": training.net} | training.modules
    for name, module in trained.items():
        gradients = [each.grad for each in module.parameters() if each.grad is not None]
        assert any(gradient.abs().max() > 0 for gradient in gradients), (
            f"the loss of {recipe} does not train its {name}"
        )
        assert all(gradient.isfinite().all() for gradient in gradients), (
            f"{recipe} has NaN in the gradient of its {name}"
        )


def draws_noise_through_its_argument(recipe: Recipe) -> None:
    """Two losses with the same `noise` agree to the bit, and no global generator is used."""
    before = random_state()
    first, second = (_Training(recipe).loss(_labels()) for _ in range(2))
    assert random_state() == before, f"{recipe} draws from a global generator: call noise(x) for its randomness"
    assert torch.equal(first, second), f"{recipe} differs between two calls with the same noise: call noise(x) for it"


def leaves_its_data_alone(recipe: Recipe) -> None:
    """Neither images nor labels are changed in place."""
    training, labels = _Training(recipe), _labels()
    before = training.x0.clone()
    training.loss(labels)
    assert torch.equal(training.x0, before), f"{recipe} changes the images in place: work on new tensors"
    assert torch.equal(labels, _labels()), f"{recipe} changes the labels in place: work on new tensors"


def divides_its_batches(recipe: Recipe) -> None:
    """The gradient of a batch is the mean of those of its halves, as training on two devices takes it to be."""
    whole, halves = _Training(recipe), _Training(recipe)
    whole.loss(_labels()).mean().backward()
    for half in range(2):
        (halves.loss(_labels(), half).mean() / 2).backward()
    for name, parameter in whole.parameters():
        torch.testing.assert_close(
            dict(halves.parameters())[name].grad, parameter.grad, rtol=1e-6, atol=1e-9,
            msg=f"the loss of {recipe} couples the images of a batch: set `coupled = True` in its class",
        )  # fmt: skip


def is_lowest_for_the_perfect_network(recipe: Recipe) -> None:
    """On data of a single image, whose optimal network is known, no other prediction has a lower loss."""
    perfect = _loss_of(recipe, lambda p: p)
    for change, name in ((0.1, "raised"), (-0.1, "lowered")):
        changed = _loss_of(recipe, partial(operator.add, change))
        assert changed > perfect, f"{recipe}: predictions {name} by 0.1 have a lower loss than perfect ones"


def vanishes_for_the_perfect_network(recipe: Recipe) -> None:
    """On data of a single image the optimal network has no loss, since nothing about it is uncertain."""
    perfect, blank = _loss_of(recipe, lambda p: p), _loss_of(recipe, torch.zeros_like)
    assert abs(perfect) < 1e-6 * blank, (
        f"{recipe}: the perfect network has a loss of {perfect:.2g}, a network of zeros {blank:.2g}: "
        "the target or the prediction is read in another parametrisation than `target` says"
    )


def _labels() -> Tensor:
    return torch.arange(IMAGES) % 3


class _Training:
    """A recipe with a small network in training, a small teacher, and images of noise."""

    def __init__(self, recipe: Recipe):
        self.recipe = recipe
        self.net = SmallNet(outputs=outputs_of(recipe)).double()
        self.teacher = _apart(SmallNet().double()).requires_grad_(False)
        modules = recipe.modules(self.teacher) if recipe.teacher else recipe.modules()
        self.modules = {name: _apart(deepcopy(module).double()).requires_grad_() for name, module in modules.items()}
        self.x0 = normal(IMAGES, 1, 8, 8).tanh()

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """What is trained, by name."""
        return nn.ModuleDict({"net": self.net, **self.modules}).named_parameters()

    def loss(self, label: Tensor | None, half: int | None = None) -> Tensor:
        """The loss (B,), always with the same noise; of the first or second half of the batch alone."""
        recipe, field, noise = self.recipe, self.recipe.field(self.net, self.modules), seeded_noise(0)
        teacher = None
        if recipe.teacher:
            taught = get_recipe(recipe.teacher)
            teacher = Field(self.teacher, taught.path, taught.target)
        x0 = self.x0.clone() if label is None else self.x0
        if half is not None:
            x0, label = x0.chunk(2)[half], None if label is None else label.chunk(2)[half]
            noise = _half(noise, half)
        return recipe.loss(field, x0, label, noise, teacher)


def _half(noise: Noise, half: int) -> Noise:
    """The noise of the first or second half of a batch, which is drawn whole."""
    return lambda x: noise(torch.cat((x, x))).chunk(2)[half]


@torch.no_grad()
def _apart(module: nn.Module) -> nn.Module:
    """The module with other weights: a student that equals its teacher has nothing to learn, nor has a copy of it."""
    for parameter in module.parameters():
        parameter.add_(0.05 * normal(*parameter.shape))
    return module


@torch.no_grad()
def _loss_of(recipe: Recipe, change: Callable[[Tensor], Tensor]) -> float:
    """The mean loss on data of a single image, of the optimal network with changed predictions."""
    image = normal(1, 1, 4, 4).tanh()
    modules: dict[str, nn.Module] = {name: module.double() for name, module in recipe.modules().items()}
    path = recipe.field(nn.Identity(), modules).path
    net = Gaussian(image, torch.zeros_like(image)).field(path, recipe.target).net
    changed = with_outputs(lambda x, *rest: change(net(x, *rest)), outputs_of(recipe))
    field = replace(recipe.field(changed, modules), interval=False)
    return recipe.loss(field, image.repeat(64, 1, 1, 1), None, seeded_noise(0), None).mean().item()
