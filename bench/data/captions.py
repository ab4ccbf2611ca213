"""Captions of handwritten digits, their closed vocabulary, and whether images show what a prompt asks for."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from samplerbench.data.handwriting import measured, sides
from samplerbench.errors import InputError, nearest

LONGEST = 16  # tokens of a prompt
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SLANTS, STROKES, SIZES = ("left", "right"), ("thin", "thick"), ("small", "large")  # the lowest and highest quarter
ANY_DIGIT = 9  # every so many captions say "digit" instead of its class, so that prompts may leave it open


class Asked(NamedTuple):
    """What a prompt asks for, or what is clear of an image; None where it is open.

    digit: its class. slant: "left" or "right". stroke: "thin" or "thick". size: "small" or "large".
    """

    digit: int | None = None
    slant: str | None = None
    stroke: str | None = None
    size: str | None = None


class Phrasing(NamedTuple):
    """The parts of a caption, around the words that are asked for."""

    noun: str
    slant: str
    stroke: str


PHRASINGS = (
    Phrasing("{}", " leaning {}", ", {} strokes"),
    Phrasing("handwritten {}", ", leaning {}", ", with {} strokes"),
    Phrasing("{}", ", slanted to the {}", ", drawn in {} strokes"),
    Phrasing("handwritten {}", " slanted to the {}", " in {} strokes"),
)
WORDS = (
    "a", "an", "digit", *DIGITS, *SIZES, *SLANTS, *STROKES,
    "handwritten", "leaning", "slanted", "to", "the", "with", "drawn", "in", "strokes",
)  # fmt: skip
IDS = {word: 1 + index for index, word in enumerate(WORDS)}  # 0 is padding
VOCABULARY = 1 + len(WORDS)  # ids, with that of padding


def captions(images: Tensor, labels: Tensor) -> list[str]:
    """A caption of each uint8 image (N, 1, H, W) with its label (N,); the index of an image decides on the phrasing."""
    return [caption(asked, index) for index, asked in enumerate(described(images, labels))]


def described(images: Tensor, labels: Tensor) -> list[Asked]:
    """The class of each image, and the traits by which it differs clearly from the usual."""
    found = sides(measured(images)).tolist()
    choices = [{-1: low, 0: None, 1: high} for low, high in (SLANTS, STROKES, SIZES)]
    return [
        Asked(label, *(words[side] for words, side in zip(choices, row, strict=True)))
        for label, row in zip(labels.tolist(), found, strict=True)
    ]


def caption(asked: Asked, index: int) -> str:
    """A caption that says what is asked, such as "a small handwritten five, with thin strokes".

    index: of the image. It decides on the phrasing; one in nine captions does not name the class.
    """
    phrasing = PHRASINGS[index % len(PHRASINGS)]
    named = asked.digit is not None and index % ANY_DIGIT != ANY_DIGIT - 1
    noun = phrasing.noun.format(DIGITS[asked.digit] if named else "digit")
    text = f"{asked.size} {noun}" if asked.size else noun
    text += phrasing.slant.format(asked.slant) if asked.slant else ""
    text += phrasing.stroke.format(asked.stroke) if asked.stroke else ""
    return f"an {text}" if text.startswith("eight") else f"a {text}"


def tokenise(prompt: str) -> Tensor:
    """The ids of the words, int64 (LONGEST,), filled up with 0; case and punctuation do not count.

    Raises InputError for an unknown word, with the nearest known one, and for a prompt that is too long.
    """
    ids = [IDS[word] for word in _words(prompt)]
    return torch.tensor(ids + [0] * (LONGEST - len(ids)))


def parse(prompt: str) -> Asked:
    """What a prompt asks for. Raises InputError as `tokenise` does, and if the prompt contradicts itself."""
    words = _words(prompt)
    digit, *traits = (_only(prompt, words, choices) for choices in (DIGITS, SLANTS, STROKES, SIZES))
    return Asked(None if digit is None else DIGITS.index(digit), *traits)


def satisfied(asked: Sequence[Asked], images: Tensor, predicted: Tensor) -> Tensor:
    """Whether each image shows what its prompt asks for: 1.0 or 0.0, and NaN where the prompt leaves it open.

    images: uint8 (N, 1, H, W). predicted: their classes (N,), by a classifier.
    Returns float64 (N, 4), with the columns of `Asked`. An image without ink has no trait.
    """
    shown = [list(image) for image in described(images, predicted)]
    return torch.tensor(
        [
            [torch.nan if wanted is None else float(wanted == found) for wanted, found in zip(*pair, strict=True)]
            for pair in zip(asked, shown, strict=True)
        ],
        dtype=torch.float64,
    ).view(-1, len(Asked._fields))


def _words(prompt: str) -> list[str]:
    words = re.findall(r"[^\s,.;:!?]+", prompt.lower())
    for word in words:
        if word not in IDS:
            advice = nearest(word, WORDS)
            raise InputError(f"The prompt {prompt[:100]!r} has an unknown word {word[:50]!r}. {advice}")
    if len(words) > LONGEST:
        raise InputError(f"The prompt {prompt[:100]!r} has {len(words)} words: write at most {LONGEST}.")
    return words


def _only(prompt: str, words: Sequence[str], choices: Sequence[str]) -> str | None:
    """The one of the choices that is among the words, None if none is."""
    found = list(dict.fromkeys(word for word in words if word in choices))
    if len(found) > 1:
        raise InputError(f"The prompt {prompt[:100]!r} asks for both {found[0]!r} and {found[1]!r}: leave one out.")
    return found[0] if found else None
