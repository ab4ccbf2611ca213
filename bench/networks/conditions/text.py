"""Text: captions of handwritten digits, or prompts in a file."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from samplerbench.data.captions import DIGITS, LONGEST, VOCABULARY, captions, parse, tokenise
from samplerbench.errors import InputError
from samplerbench.networks.conditions.base import CONDITIONS, Condition, Conditions, Source, held_out
from samplerbench.networks.prompt_file import read_lines
from samplerbench.networks.published.text_model import encoded, text_width

WIDTH = 64  # of a token
NONE = -1  # the class of a prompt that names no digit


@CONDITIONS.register("text")
@dataclass(frozen=True)
class Text(Condition):
    """A caption as words, which the network encodes: "a small handwritten seven, leaning left, with thin strokes".

    Captions name the class, and slant, stroke width and size as they are measured on each image. prompts: a text file
    with one on each line, instead of the captions of held-out images. encoder: the folder of a text model that
    transformers saved, which encodes them instead of the network.
    """

    prompts: str | None = None
    encoder: str | None = None

    def network(self, space):
        if self.encoder:
            return {"context": text_width(Path(self.encoder).expanduser()), "vocabulary": 0}
        return {"context": WIDTH, "vocabulary": VOCABULARY, "tokens": LONGEST}

    def training(self, source):
        return prompted(_captions(source, source.images.train, source.images.train_labels), self.encoder)

    def sampling(self, source):
        if self.prompts:
            return prompted(read_lines(Path(self.prompts).expanduser()), self.encoder)
        return prompted(_captions(source, *held_out(self, source)), self.encoder)


def prompted(prompts: list[str], encoder: str | None = None) -> Conditions:
    """A table of prompts, the last of which is empty. Raises InputError for one with an unknown word."""
    digits = [parse(prompt).digit for prompt in prompts]
    classes = torch.tensor([NONE if digit is None else digit for digit in digits])
    rows = encoded([*prompts, ""], Path(encoder).expanduser()) if encoder else words_of([*prompts, ""])
    return Conditions(rows, classes, tuple(prompts))


def _captions(source: Source, images: Tensor, labels: Tensor) -> list[str]:
    """The captions of images. Raises InputError if they are not of the ten digits."""
    if source.space.classes != len(DIGITS):
        raise InputError(
            f"Captions name the ten digits, and {source.space.base} has {source.space.classes} classes: choose another "
            "data set."
        )
    return captions(images, labels)


def words_of(prompts: list[str]) -> Tensor:
    """The ids of the words of prompts (N, LONGEST). Raises InputError for an unknown word."""
    return torch.stack([tokenise(prompt) for prompt in prompts])
