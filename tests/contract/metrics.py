"""What every metric keeps. Each check takes a metric and raises AssertionError with the reason."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from math import isfinite, isnan, nan
from typing import Any
from unittest import SkipTest

import torch
from torch import Tensor

from samplerbench.data.captions import captions
from samplerbench.data.dataset import DATASETS, Images, quantised
from samplerbench.errors import InputError
from samplerbench.methods import RECIPES, Sampler
from samplerbench.metrics.base import METRICS, REQUIREMENTS, Features, ImageMetric, Metric, SamplerMetric
from samplerbench.metrics.column import BLOCKS, Column
from samplerbench.metrics.encoders.base import prepared
from samplerbench.metrics.extractors import Extractor, Pixels
from samplerbench.metrics.reference import RealFeatures
from samplerbench.networks.checkpoints import load_network
from samplerbench.networks.conditions.base import Asked, Conditions
from samplerbench.networks.conditions.text import prompted
from samplerbench.store.columns import NAMES
from samplerbench.testing.exact import normal
from samplerbench.testing.runs import Euler, is_plain, random_state
from samplerbench.testing.variants import Variant, docstring

TRIED = 400  # images
CPU = torch.device("cpu")


def checks(variant: Variant) -> Iterator[Callable[[Any], None]]:
    """The checks that apply to a variant of a metric."""
    metric: Metric = variant.plugin
    yield from (prints_and_parses, describes_itself, declares_readable_columns, owns_its_columns)
    yield from (fills_the_columns_it_declares, gives_the_same_again)
    if isinstance(metric, ImageMetric):
        yield from (scores_the_same_in_any_batches, scores_each_block_by_itself, scores_the_fewest_images_it_accepts)
        if _judged(metric) and not variant.extreme:
            yield tells_real_images_from_faulty_ones
    elif _judged(metric) and not variant.extreme:
        yield tells_many_steps_from_few


def prints_and_parses(metric: Metric) -> None:
    """`METRICS.get(str(metric))` is the metric."""
    assert METRICS.get(str(metric)) == metric, f"{metric!r} prints as {str(metric)!r}, which is another metric"


def describes_itself(metric: Metric) -> None:
    """It has a docstring, requires what there is, and is either of images or of samplers."""
    assert docstring(metric), f"{metric.name} needs a docstring: `bench list` prints it"
    unknown = sorted(metric.requires - REQUIREMENTS.keys())
    assert not unknown, f"{metric.name} requires {unknown[0]!r}: choose from {', '.join(REQUIREMENTS)}"
    assert isinstance(metric, ImageMetric | SamplerMetric), f"{metric.name} must be an ImageMetric or a SamplerMetric"


def declares_readable_columns(metric: Metric) -> None:
    """The first column is the metric: it has a label and a meaning. Spreads, floors and ceilings are declared too."""
    assert metric.columns, f"{metric.name} declares no column"
    assert all(isinstance(column, Column) for column in metric.columns), f"{metric.name}.columns must be Columns"
    names = [column.name for column in metric.columns]
    assert metric.columns[0].label, f"{metric.name}: the column {names[0]} needs a label, its heading in tables"
    for column in metric.columns:
        assert column.name.isidentifier(), f"{metric.name}: {column.name!r} is no name for a column: use a-z, 0-9 and _"
        assert column.meaning or not column.label, f"{metric.name}: {column.name} needs a meaning, one sentence"
        assert column.better in ("lower", "higher", ""), f"{metric.name}: {column.name} is better {column.better!r}"
        for other in (column.spread, column.floor, column.floor_spread, column.ceiling):
            assert other in ("", BLOCKS, *names), (
                f"{metric.name}: {column.name} refers to {other!r}, which is no column"
            )
        for text in (column.meaning, column.meaning_exact):
            assert text.format_map(defaultdict(str)) is not None
        assert (column.format or "{:.3g}").format(0.25), f"{metric.name}: {column.name} prints as nothing"


def owns_its_columns(metric: Metric) -> None:
    """Nothing else in results.csv has a column of these names."""
    names = [column.name for column in metric.columns]
    assert len(names) == len(set(names)), f"{metric.name} declares a column twice"
    for other in (METRICS.lookup(name) for name in METRICS.names() if name != metric.name):
        shared = set(names) & {column.name for column in other.columns}
        assert not shared, f"{metric.name} and {other.name} share the column {sorted(shared)[0]!r}"
    if not type(metric).__module__.startswith("samplerbench.metrics."):  # which the store documents among its own
        shared = set(names) & set(NAMES)
        assert not shared, f"{metric.name}: {sorted(shared)[0]!r} is another column of results.csv"


def fills_the_columns_it_declares(metric: Metric) -> None:
    """Its columns are those it declares, no more and no fewer, and they are numbers."""
    found = _values(metric)
    columns = metric.described(*_reals(metric)) if isinstance(metric, ImageMetric) else metric.columns
    declared = {column.name for column in columns}
    assert not found.keys() - declared, f"{metric} fills {sorted(found.keys() - declared)}, which it does not declare"
    assert not declared - found.keys(), f"{metric} declares {sorted(declared - found.keys())}, but does not fill them"
    for name, value in found.items():
        assert isinstance(value, float), f"{metric}: {name} is a {type(value).__name__}, not a float"
        undefined = isnan(value) and isinstance(metric, SamplerMetric)
        assert isfinite(value) or undefined, f"{metric}: {name} is {value}"


def gives_the_same_again(metric: Metric) -> None:
    """Two evaluations agree to the bit, and no global generator is used."""
    before = random_state()
    first, second = _values(metric), _values(metric)
    assert random_state() == before, f"{metric} draws from a global generator: seed one of its own"
    assert repr(first) == repr(second), f"{metric} differs between two evaluations of the same images"


def scores_the_same_in_any_batches(metric: ImageMetric) -> None:
    """Batches of 1, 7 or all images give the same values."""
    images = _samples(metric)
    together = _score(metric, images)
    for size in (1, 7):
        apart = _score(metric, images, size)
        for name, value in together.items():
            close = abs(apart[name] - value) <= 1e-4 * (1 + abs(value))
            assert close, f"{metric}: {name} is {apart[name]:g} in batches of {size} and {value:g} in one"


def scores_each_block_by_itself(metric: ImageMetric) -> None:
    """An accumulator knows nothing of the images that another one sees."""
    images, noise, reals = _samples(metric), _noise(metric), _reals(metric)
    first, second = metric.accumulator(*reals), metric.accumulator(*reals)
    for ours, theirs in zip(_batches(reals, images, 100), _batches(reals, noise, 100), strict=True):
        first.update(*ours)
        second.update(*theirs)
    second.columns()
    assert first.columns() == _score(metric, images, 100), f"{metric}: images of one block change the score of another"


def scores_the_fewest_images_it_accepts(metric: ImageMetric) -> None:
    """`min_samples` images are enough for finite values; all but the first may be blank, where nothing applies."""
    fewest, images = max(metric.min_samples(real.width) for real in _reals(metric)), _samples(metric)
    values = _score(metric, images.repeat(-(-fewest // len(images)), 1, 1, 1)[:fewest])
    blank = {name for name, value in values.items() if isnan(value)} - {metric.columns[0].name}
    bad = [name for name, value in values.items() if not isfinite(value) and name not in blank]
    assert not bad, f"{metric}: {bad[0]} is {values[bad[0]]} for {fewest} images, which min_samples says are enough"


def tells_real_images_from_faulty_ones(metric: ImageMetric) -> None:
    """In the declared direction, real images score better than noise, one image repeated, or training images."""
    column, images = metric.columns[0], _real_images(metric)
    copies = _images(metric).train[: len(images)]
    faulty = {"noise": _noise(metric), "one image repeated": images[:1].expand_as(images), "training images": copies}
    good = _score(metric, images).get(column.name, nan)
    scores = {name: _score(metric, each).get(column.name, nan) for name, each in faulty.items()}
    worse = [score < good if column.better == "higher" else score > good for score in scores.values()]
    assert any(worse), (
        f"{metric}: {column.name} is declared better when {column.better}, but it is {good:g} for real images and "
        + ", ".join(f"{score:g} for {name}" for name, score in scores.items())
    )


def tells_many_steps_from_few(metric: SamplerMetric) -> None:
    """A convergent solver scores better, in the declared direction, in many steps than in few; unless undefined."""
    column = metric.columns[0]
    few, many = (_evaluate(metric, steps).get(column.name, nan) for steps in (2, 32))
    worse = many <= few if column.better == "higher" else many >= few
    assert not worse, (
        f"{metric}: {column.name} is declared better when {column.better}, but a convergent solver has {few:g} in 2 "
        f"steps and {many:g} in 32"
    )


def _judged(metric: Metric) -> bool:
    """Whether its first column has a better direction."""
    first = next(iter(metric.columns), None)
    return isinstance(first, Column) and bool(first.better)


def _values(metric: Metric) -> dict[str, float]:
    """The columns for images, or for a solver on an exact network."""
    if isinstance(metric, SamplerMetric):
        return _evaluate(metric, 5)
    assert isinstance(metric, ImageMetric)
    return _score(metric, _samples(metric))


def _evaluate(metric: SamplerMetric, steps: int) -> dict[str, float]:
    """The columns of Euler's method on an exact network."""
    dataset = DATASETS.get("gaussian")
    recipe = next(name for name in RECIPES.names() if is_plain(RECIPES.get(name)))
    network = load_network(recipe, dataset, None, CPU, torch.float64)
    return metric.evaluate(Sampler(Euler(), steps, trained=RECIPES.get(recipe)), network, 0, _features(exact=True))


@torch.inference_mode()
def _score(metric: ImageMetric, images: Tensor, size: int = TRIED) -> dict[str, float]:
    """The columns for images in batches of a size."""
    reals = _reals(metric)
    accumulator = metric.accumulator(*reals)
    for batch in _batches(reals, images, size):
        accumulator.update(*batch)
    return accumulator.columns()


def _batches(reals: Sequence[RealFeatures], images: Tensor, size: int) -> Iterator[list[Features]]:
    """What a metric sees, with each of its encoders, of images that were asked for as the held-out ones are."""
    labels = reals[0].images.test_labels[: len(images)]
    asked = Asked(_conditions(reals[0].images), torch.arange(len(images)))
    seen = [real.extractor.extract(images)._replace(labels=labels, images=images, asked=asked) for real in reals]
    for start in range(0, len(images), size):
        yield [_part(features, slice(start, start + size)) for features in seen]


def _part(whole: Features, part: slice) -> Features:
    logits = None if whole.logits is None else whole.logits[part]
    asked = whole.asked and Asked(whole.asked.conditions, whole.asked.numbers[part])
    return Features(whole.features[part], logits, whole.labels[part], whole.images[part], asked)


def _conditions(images: Images) -> Conditions:
    """Conditions of which held-out images are what was asked for: those to restore, and what their captions say."""
    if images.exact:
        return Conditions(torch.zeros(len(images.test) + 1, 1), torch.full((len(images.test),), -1))
    return replace(prompted(captions(images.test, images.test_labels)), targets=images.test)


def _real_images(metric: ImageMetric) -> Tensor:
    """Held-out images."""
    return _images(metric).test[:TRIED]


def _samples(metric: ImageMetric) -> Tensor:
    """Held-out images with a little noise, so that none equals a real one: then rounding decides on no neighbour."""
    real, noise = _real_images(metric).double(), _noise(metric).double()
    return (0.9 * real + 0.1 * noise).to(_images(metric).test.dtype)


def _noise(metric: ImageMetric) -> Tensor:
    """As many images of the noise that samplers start from."""
    images = _images(metric)
    return quantised(normal(TRIED, *images.test.shape[1:]), images.exact)


def _images(metric: ImageMetric) -> Images:
    return _features(exact="exact" in metric.requires).images


def _reals(metric: ImageMetric) -> tuple[RealFeatures, ...]:
    """Real images through the metric's encoders, or through an extractor that fits what it requires."""
    real = _features(exact="exact" in metric.requires)
    channels, height, width = real.images.test.shape[1:]
    try:
        encodings = [prepared(encoder, (channels, height, width), CPU) for encoder in metric.encoded_by]
    except InputError as error:
        raise SkipTest(str(error)) from error
    return tuple(RealFeatures(real.images, encoding) for encoding in encodings) or (real,)


@cache
def _features(exact: bool) -> RealFeatures:
    dataset = DATASETS.get("gaussian" if exact else "digits")
    extractor = Pixels(dataset.resolution**2) if exact else Extractor(dataset.extractor, CPU, logits=True)
    return RealFeatures(dataset.load(), extractor)
