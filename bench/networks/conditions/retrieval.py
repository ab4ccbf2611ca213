"""Retrieval: the most similar images of a database."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from torch import Tensor

from samplerbench.data.captions import DIGITS, parse
from samplerbench.errors import InputError
from samplerbench.methods import Between
from samplerbench.networks.conditions.base import CONDITIONS, Condition, Conditions, Source, held_out, with_null
from samplerbench.networks.prompt_file import read_lines
from samplerbench.networks.retrieval.database import NO_CLASS, showing
from samplerbench.networks.retrieval.features import encoder_of
from samplerbench.networks.retrieval.library import Library

ROWS = 1000  # draws of k images, shared out among classes or prompts
CENTRAL = 64  # images of a class from which they are drawn
MOST_BYTES = 2**33  # of a table


@CONDITIONS.register("retrieval")
@dataclass(frozen=True)
class Retrieval(Condition):
    """The features of k images of a database, to which the network attends (2204.11824, 2207.13038).

    In training they are the nearest others of each training image. The features are those of the classifier that is
    shipped for the data set, or the pixels of copies of 16x16.
    query: whose neighbours images are generated from: images of the `database`, held-out ones (`image`), the images of
    a class that are nearest to its mean (`label`), or those that show what a prompt asks for (`text`). The last two
    draw k of them for each row.
    database: `all` training images, classes (`0-4`), those that are `thick`, `thin`, leaning `left` or `right`,
    `small` or `large`, or all images of another data set, as in `folder:DIR`. It can be exchanged without training.
    prompt: for `text`, such as "a thick seven". prompts: a text file with one on each line.
    """

    k: Annotated[int, Between(1, 64)] = 4
    query: Literal["database", "image", "label", "text"] = "database"
    database: str = "all"
    prompt: str | None = None
    prompts: str | None = None

    def network(self, space):
        return {"context": encoder_of(space.base).width}

    def training(self, source):
        self._check(source)
        library = Library.of(self.database, source)
        return self._similar(library, source.images.train, source.images.train_labels)

    def sampling(self, source):
        self._check(source)
        library = Library.of(self.database, source)
        if self.query == "label":
            return self._of_labels(library)
        if self.query == "text":
            return self._of_prompts(library)
        if self.query == "image":
            return self._similar(library, *held_out(self, source))
        return self._similar(library, library.database.images, library.database.labels)

    def _similar(self, library: Library, images: Tensor, labels: Tensor) -> Conditions:
        """The nearest others of each image, which asks for its own class."""
        return self._table(library, library.nearest(images, self.k), labels)

    def _of_labels(self, library: Library) -> Conditions:
        """Draws from the most central images of each class that the database has."""
        labels = library.database.labels
        classes = sorted(set(labels.tolist()) - {NO_CLASS})
        if not classes:
            raise InputError(f"The database {self.database!r} has no labels: choose another query than label.")
        pools = []
        for label in classes:
            members = (labels == label).nonzero()[:, 0]
            library.check(self.k, f"{self.k} of each", members, f" of class {label}")
            pools.append(library.central(members, CENTRAL))
        return self._table(library, *self._draws(pools, classes))

    def _of_prompts(self, library: Library) -> Conditions:
        """Draws from the images that show what each prompt asks for."""
        prompts = read_lines(Path(self.prompts).expanduser()) if self.prompts else [str(self.prompt)]
        asked, pools = [parse(prompt) for prompt in prompts], []
        for prompt, wanted in zip(prompts, asked, strict=True):
            pools.append(showing(library.database, wanted))
            library.check(self.k, f"{self.k} for each prompt", pools[-1], f" that show {prompt[:100]!r}")
        digits = [NO_CLASS if each.digit is None else each.digit for each in asked]
        drawn, classes = self._draws(pools, digits)
        each = len(drawn) // len(prompts)
        return self._table(library, drawn, classes, tuple(prompt for prompt in prompts for _ in range(each)))

    def _draws(self, pools: list[Tensor], classes: Iterable[int]) -> tuple[Tensor, Tensor]:
        """As many draws of k numbers from each pool, (N, k), the same every time, and the class of each (N,)."""
        generator, each = torch.Generator().manual_seed(0), max(1, ROWS // len(pools))
        drawn = [pool[torch.randperm(len(pool), generator=generator)[: self.k]] for pool in pools for _ in range(each)]
        return torch.stack(drawn), torch.tensor(list(classes)).repeat_interleave(each)

    def _table(self, library: Library, numbers: Tensor, classes: Tensor, prompts: tuple[str, ...] = ()) -> Conditions:
        """The features of these images (N, k) of the database."""
        if numbers.numel() * library.features.shape[1] * library.features.itemsize > MOST_BYTES:
            raise InputError(f"{self} takes more than {MOST_BYTES // 2**30} GB for its features: lower k.")
        return Conditions(with_null(library.features[numbers]), classes, prompts)

    def _check(self, source: Source) -> None:
        """Raises InputError if the options contradict each other or the data."""
        given = self.prompt is not None, self.prompts is not None
        if self.query != "text" and any(given):
            raise InputError(f"{self}: prompts need query=text.")
        if self.query == "text" and sum(given) != 1:
            raise InputError(f"{self}: query=text needs either prompt=TEXT or prompts=FILE.")
        if self.query == "text" and source.space.classes != len(DIGITS):
            raise InputError(
                f"Prompts name the ten digits, and {source.space.base} has {source.space.classes} classes: choose "
                "another query than text."
            )
