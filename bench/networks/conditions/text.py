"""Text: captions of handwritten digits, or prompts in a file."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from samplerbench.data.captions import LONGEST, VOCABULARY, captions, parse, tokenise
from samplerbench.networks.conditions.base import CONDITIONS, Condition, Conditions, held_out, with_null
from samplerbench.networks.prompt_file import read_lines

WIDTH = 64  # of a token
NONE = -1  # the class of a prompt that names no digit


@CONDITIONS.register("text")
@dataclass(frozen=True)
class Text(Condition):
    """A caption as words, which the network encodes: "a small handwritten seven, leaning left, with thin strokes".

    Captions name the class, and slant, stroke width and size as they are measured on each image. prompts: a text file
    with one on each line, instead of the captions of held-out images.
    """

    prompts: str | None = None

    def network(self, space):
        return {"context": WIDTH, "vocabulary": VOCABULARY, "tokens": LONGEST}

    def training(self, source):
        return prompted(captions(source.images.train, source.images.train_labels))

    def sampling(self, source):
        return prompted(
            read_lines(Path(self.prompts).expanduser()) if self.prompts else captions(*held_out(self, source))
        )


def prompted(prompts: list[str]) -> Conditions:
    """A table of prompts. Raises InputError for one with an unknown word."""
    digits = [parse(prompt).digit for prompt in prompts]
    classes = torch.tensor([NONE if digit is None else digit for digit in digits])
    return Conditions(with_null(words_of(prompts)), classes, tuple(prompts))


def words_of(prompts: list[str]) -> Tensor:
    """The ids of the words of prompts (N, LONGEST). Raises InputError for an unknown word."""
    return torch.stack([tokenise(prompt) for prompt in prompts])
