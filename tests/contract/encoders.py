"""What every encoder keeps. Each check takes an encoder and raises AssertionError with the reason."""

from collections.abc import Callable, Iterator
from unittest import SkipTest

import torch
from torch import Tensor

from samplerbench.errors import InputError
from samplerbench.methods import SpecError
from samplerbench.metrics.base import METRICS, Shape
from samplerbench.metrics.encoders.base import ENCODERS, Encoder, Encoding
from samplerbench.testing.runs import random_state
from samplerbench.testing.variants import Variant, docstring

CPU = torch.device("cpu")
SHAPES: list[Shape] = [(1, 8, 8), (3, 8, 8), (1, 28, 28), (3, 32, 32)]  # of images; an encoder may refuse some
TRIED = 12  # images
CLOSE = 1e-4  # relative to the largest feature: rounding differs with the size of a batch


def checks(variant: Variant) -> Iterator[Callable[[Encoder], None]]:
    """The checks that apply to a variant of an encoder."""
    yield from (prints_and_parses, describes_itself, encodes_as_it_declares, gives_the_same_again)
    yield from (encodes_each_image_by_itself, tells_images_apart)


def prints_and_parses(encoder: Encoder) -> None:
    """`ENCODERS.get(str(encoder))` is the encoder, also inside the brackets of a metric."""
    assert ENCODERS.get(str(encoder)) == encoder, f"{encoder!r} prints as {str(encoder)!r}, which is another encoder"
    spec = f"fd[encoder={encoder}]"
    try:
        assert str(METRICS.get(spec)) == spec
    except SpecError as error:
        raise AssertionError(
            f"{spec} cannot be parsed: an encoder takes no options in brackets, but one field after a colon"
        ) from error


def describes_itself(encoder: Encoder) -> None:
    """It has a docstring and a meaning."""
    assert docstring(encoder), f"{encoder} needs a docstring: `bench list` prints it"
    meaning = getattr(encoder, "meaning", "")
    assert meaning, f'{encoder} needs a meaning: what its features are, as it reads after "in the space of"'
    assert not meaning.rstrip().endswith("."), f"{encoder}: the meaning is part of a sentence, so it ends without a dot"


def encodes_as_it_declares(encoder: Encoder) -> None:
    """Finite features (N, width), and a digest."""
    for shape, encoding in _fitting(encoder):
        assert isinstance(encoding, Encoding), f"{encoder}.load must return an Encoding, not {encoding!r}"
        assert isinstance(encoding.digest, str), f"{encoder}: its digest is {encoding.digest!r}, not text"
        assert encoding.digest, f"{encoder} needs a digest, the hash of its weights, or 'none' without any"
        images = _images(shape)
        before = images.clone()
        features = encoding(images)
        assert torch.equal(images, before), f"{encoder} changes the images that it is given"
        expected = (TRIED, encoding.width)
        assert features.shape == expected, f"{encoder} returns features of {tuple(features.shape)}, not {expected}"
        assert features.isfinite().all(), f"{encoder} returns features that are not finite"


def gives_the_same_again(encoder: Encoder) -> None:
    """Loaded and used twice, it agrees to the bit, and encoding draws from no global generator."""
    for (shape, first), (_, second) in zip(_fitting(encoder), _fitting(encoder), strict=True):
        assert first.digest == second.digest, f"{encoder} has another digest at every load"
        images, before = _images(shape), random_state()
        features = first(images)
        same = torch.equal(features, first(images)) and torch.equal(features, second(images))
        assert same, f"{encoder} encodes an image differently each time: is its network in evaluation mode?"
        assert random_state() == before, f"{encoder} draws from a global generator: seed one of its own"


def encodes_each_image_by_itself(encoder: Encoder) -> None:
    """Features do not depend on the other images of a batch."""
    for shape, encoding in _fitting(encoder):
        images = _images(shape)
        together = encoding(images)
        apart = torch.cat([encoding(part) for part in images.split(5)])
        error = ((together - apart).abs().max() / together.abs().max().clamp(min=1e-12)).item()
        assert error < CLOSE, f"{encoder}: features depend on the batch (by {error:.1g} of the largest)"


def tells_images_apart(encoder: Encoder) -> None:
    """Different noise has different features."""
    for shape, encoding in _fitting(encoder):
        distances = torch.pdist(encoding(_images(shape))[1::2])
        assert distances.min() > 0, f"{encoder} has the same features for different images"


def _fitting(encoder: Encoder) -> list[tuple[Shape, Encoding]]:
    """The encoder for every shape that it takes. Raises SkipTest if it takes none, as without its file."""
    found, refused = [], ""
    for shape in SHAPES:
        try:
            found.append((shape, encoder.load(shape, CPU)))
        except InputError as error:
            refused = str(error)
    if not found:
        raise SkipTest(refused)
    return found


def _images(shape: Shape) -> Tensor:
    """Images (N, C, H, W), in turn of one level and of noise."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (TRIED, *shape), generator=generator, dtype=torch.uint8)
    images[::2] = torch.linspace(0, 250, TRIED // 2).to(torch.uint8).view(-1, 1, 1, 1)
    return images
