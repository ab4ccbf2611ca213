"""Each broken plug-in fails the check of metrics that is meant for it, and no other."""

from dataclasses import replace
from typing import ClassVar

import pytest
import torch

from samplerbench.metrics.accumulators import Collect
from samplerbench.metrics.base import ImageMetric
from samplerbench.metrics.column import Column

COLUMN = Column("broken", "broken", "lower", meaning="**broken**: the distance of mean features.")


class SoundMetric(ImageMetric):
    """The distance between mean features: sound, before a test breaks it."""

    columns: ClassVar = (COLUMN,)

    def accumulator(self, real):
        return Collect(lambda features: self.score(features, real.reference))

    def score(self, features, reference):
        return {"broken": (features.mean(0) - reference.mean(0)).norm().item()}


def with_columns(name: str, *columns: Column) -> type[ImageMetric]:
    """The sound metric with other columns."""
    return type(name, (SoundMetric,), {"columns": columns})


class AveragesOverBatches(SoundMetric):
    def accumulator(self, real):
        return Collect(
            lambda distances: {"broken": distances.mean().item()},
            lambda features: (features.mean(0) - real.reference.mean(0)).norm()[None],
        )


class SharesItsState(SoundMetric):
    parts: ClassVar[list] = []

    def accumulator(self, real):
        return Collect(lambda features: self.score(features, real.reference), parts=self.parts)


class NeedsMoreThanItSays(SoundMetric):
    def score(self, features, reference):
        return {"broken": ((features.mean(0) - reference.mean(0)).norm() / features.std(0).mean()).item()}

    def min_samples(self, width):
        return 1


class RandomSubset(SoundMetric):
    def score(self, features, reference):
        return super().score(features[torch.randperm(len(features))[:99]], reference)


@pytest.mark.filterwarnings("ignore:std")  # of NeedsMoreThanItSays, for a single image
@pytest.mark.parametrize(
    ("metric", "caught"),
    [
        (SoundMetric, {}),
        (
            with_columns("WrongDirection", replace(COLUMN, better="higher")),
            {"tells_real_images_from_faulty_ones": "is declared better when higher, but it is"},
        ),
        (
            with_columns("DeclaresTooMuch", COLUMN, Column("broken_floor")),
            {"fills_the_columns_it_declares": "declares ['broken_floor'], but does not fill"},
        ),
        (with_columns("NoMeaning", replace(COLUMN, meaning="")), {"declares_readable_columns": "needs a meaning"}),
        (with_columns("NoLabel", replace(COLUMN, label="")), {"declares_readable_columns": "needs a label"}),
        (
            with_columns("UnknownFloor", replace(COLUMN, floor="floor")),
            {"declares_readable_columns": "refers to 'floor', which is no column"},
        ),
        (AveragesOverBatches, {"scores_the_same_in_any_batches": "in batches of 1"}),
        (NeedsMoreThanItSays, {"scores_the_fewest_images_it_accepts": "for 1 images"}),
    ],
)
def test_a_broken_metric_fails_the_check_meant_for_it(metric, caught, assert_caught):
    assert_caught(metric, caught)


@pytest.mark.parametrize(
    ("column", "reason"),
    [("latency_s", "'latency_s' is another column of results.csv"), ("novelty", "novelty share the column 'novelty'")],
)
def test_a_metric_cannot_take_the_column_of_something_else(column, reason, failures):
    assert reason in failures(with_columns("Taken", replace(COLUMN, name=column)))["owns_its_columns"]


def test_a_metric_whose_blocks_share_their_state_is_found(failures):
    assert "images of one block change" in failures(SharesItsState)["scores_each_block_by_itself"]


def test_a_metric_that_draws_random_numbers_is_found(failures):
    assert "draws from a global generator" in failures(RandomSubset)["gives_the_same_again"]
