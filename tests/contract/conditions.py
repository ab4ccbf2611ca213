"""What every condition keeps. Each check takes a condition and raises AssertionError with the reason."""

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cache
from unittest import SkipTest

import torch
from torch import Tensor

from samplerbench.data.dataset import DATASETS, Images
from samplerbench.errors import InputError
from samplerbench.methods import SpecError
from samplerbench.models import Autoencoder, AutoencoderConfig, CheckpointFacts, UNet, UNetConfig
from samplerbench.networks.conditioned import Conditioned
from samplerbench.networks.conditions.base import CONDITIONS, Condition, Conditions, Source
from samplerbench.networks.latent_space import LatentSpace
from samplerbench.networks.loaded import Origin
from samplerbench.testing.runs import random_state
from samplerbench.testing.variants import Variant, docstring

TRAINED, HELD_OUT = 24, 12  # images
CPU = torch.device("cpu")
OPTIONS = {field.name for field in fields(UNetConfig)}


def checks(variant: Variant) -> Iterator[Callable[[Condition], None]]:
    """The checks that apply to a variant of a condition."""
    yield from (prints_and_parses, describes_itself, names_options_of_the_network, covers_every_training_image)
    yield from (fits_its_network, ends_with_the_same_null_row, describes_every_row, makes_the_same_again)


def prints_and_parses(condition: Condition) -> None:
    """`CONDITIONS.get(str(condition))` is the condition."""
    try:
        parsed = CONDITIONS.get(str(condition))
    except SpecError as error:
        raise AssertionError(f"{condition!r} prints as {str(condition)!r}, which cannot be parsed") from error
    assert parsed == condition, f"{condition!r} prints as {str(condition)!r}, which is another condition"


def describes_itself(condition: Condition) -> None:
    """It has a docstring."""
    assert docstring(condition), f"{condition} needs a docstring: `bench list` prints it"


def names_options_of_the_network(condition: Condition) -> None:
    """`network` sets options that the U-Net has, and one through which it takes the condition."""
    for source in _sources(condition):
        options = condition.network(source.space)
        unknown = sorted(options.keys() - OPTIONS)
        assert not unknown, f"{condition}.network sets {unknown[0]!r}, which is no option of the U-Net"
        assert options.get("inputs") or options.get("context"), (
            f"{condition}.network must set `inputs` or `context`, through which the U-Net takes the condition"
        )


def covers_every_training_image(condition: Condition) -> None:
    """The training table has a row for each training image, in their order, once or several times over."""
    for source in _sources(condition):
        rows = len(condition.training(source))
        assert rows >= TRAINED, f"{condition}.training has {rows} rows and a null row for {TRAINED} images"
        assert rows % TRAINED == 0, f"{condition}.training has {rows} rows and a null row, no multiple of {TRAINED}"


def fits_its_network(condition: Condition) -> None:
    """The U-Net with the options of `network` takes every row of both tables, and returns finite predictions."""
    for source in _sources(condition):
        config = _config(condition, source)
        if not (config.inputs or config.context):  # another check says so
            continue
        for name, table in _tables(condition, source):
            wrong = _misfit(config, table.rows)
            assert not wrong, f"{condition}.{name} {wrong}"
            x = torch.zeros(2, config.image_channels, config.resolution, config.resolution)
            net = Conditioned(UNet(config), table)
            for number in (torch.tensor([0, len(table) - 1]), None):
                assert net(x, torch.ones(2), number).isfinite().all(), (
                    f"{condition}.{name} has rows that are not finite"
                )


def ends_with_the_same_null_row(condition: Condition) -> None:
    """The last row, which stands for no condition, is the same in training and in sampling."""
    for source in _sources(condition):
        trained, sampled = (table.rows[-1] for _, table in _tables(condition, source))
        assert torch.equal(trained, sampled), (
            f"the last rows of {condition}.training and {condition}.sampling differ, but stand for no condition: see "
            "with_null"
        )


def describes_every_row(condition: Condition) -> None:
    """Each row but the last has a class, or -1; and each a prompt and a target, if any has."""
    for source in _sources(condition):
        for name, table in _tables(condition, source):
            classes, count = table.classes, len(table)
            assert classes.shape == (count,), f"{condition}.{name} has {count} rows and classes {tuple(classes.shape)}"
            assert classes.dtype == torch.int64, f"{condition}.{name} has classes in {classes.dtype}, not int64"
            low, high = classes.min().item(), classes.max().item()
            assert -1 <= low <= high < source.space.classes, f"{condition}.{name} has classes from {low} to {high}"
            assert len(table.prompts) in (0, count), f"{condition}.{name} has {len(table.prompts)} prompts, not {count}"
            if table.targets is not None:
                images, dtype = (count, *source.images.train.shape[1:]), table.targets.dtype
                fitting = table.targets.shape == images and dtype == torch.uint8
                assert fitting, f"{condition}.{name} has targets {tuple(table.targets.shape)} in {dtype}, not {images}"


def makes_the_same_again(condition: Condition) -> None:
    """Two calls make equal tables, and draw from no global generator."""
    for source in _sources(condition):
        before = random_state()
        first, second = (_tables(condition, source) for _ in range(2))
        assert random_state() == before, f"{condition} draws from a global generator: seed one of its own"
        for (name, one), (_, other) in zip(first, second, strict=True):
            same = torch.equal(one.rows, other.rows) and one.prompts == other.prompts
            same = same and torch.equal(one.classes, other.classes)
            assert same, f"{condition}.{name} makes another table at every call"


def _tables(condition: Condition, source: Source) -> tuple[tuple[str, Conditions], tuple[str, Conditions]]:
    return ("training", condition.training(source)), ("sampling", condition.sampling(source))


def _config(condition: Condition, source: Source) -> UNetConfig:
    """A small U-Net for these images that takes the condition; without the options that there are not."""
    space, options = source.space, dict(condition.network(source.space))
    plain = UNetConfig(space.resolution, space.channels, 16, (1,), blocks=1, attention=(), classes=0)
    return replace(plain, **{name: value for name, value in options.items() if name in OPTIONS})


def _misfit(config: UNetConfig, rows: Tensor) -> str:
    """Why the U-Net cannot take these rows; empty if it can."""
    found = f"has rows of {tuple(rows.shape[1:])} in {rows.dtype}"
    if config.vocabulary:
        fits = rows.dtype == torch.int64 and rows.ndim == 2 and rows.shape[1] <= config.tokens
        if fits and not 0 <= rows.min() <= rows.max() < config.vocabulary:
            return f"has ids from {rows.min()} to {rows.max()}, and the vocabulary is of {config.vocabulary}"
        return "" if fits else f"{found}, not up to {config.tokens} ids in int64"
    if config.context:
        fits = rows.is_floating_point() and rows.ndim == 3 and rows.shape[2] == config.context
        return "" if fits else f"{found}, not (L, {config.context}) in floating point"
    expected = (config.inputs, config.resolution, config.resolution)
    return "" if rows.is_floating_point() and rows.shape[1:] == expected else f"{found}, not {expected} in float32"


@cache
def _sources(condition: Condition) -> list[Source]:
    """All that the condition can be made from. Raises SkipTest if there is nothing on this machine."""
    found, refused = [], ""
    for name, latent in (("digits", False), ("mnist5k", False), ("mnist5k", True)):
        try:
            source = _source(name, latent)
            condition.training(source), condition.sampling(source)
        except InputError as error:
            refused = str(error)
        else:
            found.append(source)
    if not found:
        raise SkipTest(refused)
    return found


@cache
def _source(name: str, latent: bool) -> Source:
    """The first images of a data set, or their latents by random weights. Raises InputError if they are not there."""
    dataset = DATASETS.get(name)
    all_of_them = dataset.load()
    images = Images(
        all_of_them.train[:TRAINED], all_of_them.train_labels[:TRAINED],
        all_of_them.test[:HELD_OUT], all_of_them.test_labels[:HELD_OUT],
    )  # fmt: skip
    if not latent:
        return Source(dataset, images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        autoencoder = Autoencoder(AutoencoderConfig("kl", dataset.resolution, dataset.channels))
    origin = Origin("random", "random", facts=CheckpointFacts(latent_scale="1"))
    return Source(LatentSpace(dataset, "kl", autoencoder.eval().requires_grad_(False), origin, CPU), images)
