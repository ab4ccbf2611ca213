"""Each broken plug-in fails the check of conditions that is meant for it, and no other."""

import re
from dataclasses import dataclass, replace
from unittest import SkipTest

import pytest
import torch

from samplerbench.data.dataset import to_float
from samplerbench.errors import InputError
from samplerbench.networks.conditions.base import CONDITIONS, Condition, Conditions, with_null
from samplerbench.testing import checks


class SoundCondition(Condition):
    """The mean brightness as a channel: sound, before a test breaks it."""

    def network(self, space):
        return {"inputs": 1}

    def training(self, source):
        return self.table(source, source.images.train, source.images.train_labels)

    def sampling(self, source):
        return self.table(source, source.images.test, source.images.test_labels)

    def table(self, source, images, labels):
        side = source.space.resolution
        rows = to_float(images).mean((1, 2, 3)).view(-1, 1, 1, 1).expand(-1, 1, side, side)
        return Conditions(with_null(rows), labels, targets=images)


class Misspelt(SoundCondition):
    def network(self, space):
        return {"inputs": 1, "channel": 16}


class Unasked(SoundCondition):
    def network(self, space):
        return {"inputs": 0}

    def table(self, source, images, labels):
        made = super().table(source, images, labels)
        return replace(made, rows=made.rows[:, :0])


class SomeImagesOnly(SoundCondition):
    def training(self, source):
        return self.table(source, source.images.train[:5], source.images.train_labels[:5])


class AnotherShape(SoundCondition):
    def network(self, space):
        return {"inputs": 2}


class UnknownWords(SoundCondition):
    def network(self, space):
        return {"context": 8, "vocabulary": 4, "tokens": 2}

    def table(self, source, images, labels):
        made = super().table(source, images, labels)
        return replace(made, rows=with_null(torch.full((len(images), 2), 4)))


class Infinite(SoundCondition):
    def table(self, source, images, labels):
        made = super().table(source, images, labels)
        return replace(made, rows=made.rows / 0)


class NoneIsTheMean(SoundCondition):
    def table(self, source, images, labels):
        rows = super().table(source, images, labels).rows[:-1]
        return Conditions(with_null(rows, rows.mean(0)), labels)


class ClassesFromOne(SoundCondition):
    def table(self, source, images, labels):
        return replace(super().table(source, images, labels), classes=labels + 1)


class OnePrompt(SoundCondition):
    def table(self, source, images, labels):
        return replace(super().table(source, images, labels), prompts=("a digit",))


class FloatTargets(SoundCondition):
    def table(self, source, images, labels):
        return replace(super().table(source, images, labels), targets=to_float(images))


class AnotherEveryTime(SoundCondition):
    def table(self, source, images, labels):
        made = super().table(source, images, labels)
        return replace(made, rows=with_null(made.rows[:-1] + torch.rand(1)))


class Undocumented(SoundCondition):
    __doc__ = ""


@pytest.mark.parametrize(
    ("condition", "caught"),
    [
        (SoundCondition, {}),
        (Undocumented, {"describes_itself": "needs a docstring"}),
        (Misspelt, {"names_options_of_the_network": "sets 'channel', which is no option of the U-Net"}),
        (Unasked, {"names_options_of_the_network": "must set `inputs` or `context`"}),
        (SomeImagesOnly, {"covers_every_training_image": "5 rows and a null row for 24 images"}),
        (AnotherShape, {"fits_its_network": "rows of (1, 8, 8) in torch.float32, not (2, 8, 8)"}),
        (UnknownWords, {"fits_its_network": "ids from 0 to 4, and the vocabulary is of 4"}),
        (Infinite, {"fits_its_network": "not finite", "ends_with_the_same_null_row": "", "makes_the_same_again": ""}),
        (NoneIsTheMean, {"ends_with_the_same_null_row": "but stand for no condition: see with_null"}),
        (ClassesFromOne, {"describes_every_row": "classes from 1 to 10"}),
        (OnePrompt, {"describes_every_row": "has 1 prompts, not 24"}),
        (FloatTargets, {"describes_every_row": "in torch.float32, not (24, 1, 8, 8)"}),
        (AnotherEveryTime, {"makes_the_same_again": "draws from a global generator"}),
    ],
)
def test_a_broken_condition_fails_the_check_meant_for_it(condition, caught, assert_caught):
    assert_caught(condition, caught)


@dataclass(frozen=True)
class Impossible(SoundCondition):
    """It refuses all images."""

    def training(self, source):
        raise InputError("no such images")


def test_a_condition_that_no_data_here_has_is_skipped():
    with CONDITIONS.temporarily():
        CONDITIONS.register("impossible")(Impossible)
        found = dict(checks("impossible"))
        with pytest.raises(SkipTest, match=re.escape("no such images")):
            found["impossible-fits_its_network"]()
