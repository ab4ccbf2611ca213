"""The scoring of a sweep: its checks, the scores of a cell block by block, and the columns of a row."""

import gc
import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError
from samplerbench.metrics.base import METRICS, SamplerMetric
from samplerbench.metrics.column import Column
from samplerbench.metrics.scoring import Scorer, SpeedOnly, summarise
from samplerbench.sampling.measure import Batch

CPU = torch.device("cpu")
FID, KID = METRICS.lookup("fid").columns, METRICS.lookup("kid").columns


def scorer_of(metrics=None, samples=200, dataset="digits", seeds=(0,)) -> Scorer:
    return Scorer(DATASETS.get(dataset), metrics and metrics.split(","), samples, seeds, CPU)


def batch_of(block, images, labels=None) -> Batch:
    return Batch(block, range(len(images)), images, labels)


def scored(scorer, images, batch_size=64):
    """The columns for uint8 images of each block, {block: (N, C, H, W)}."""
    scoring = scorer.start()
    for block, all_of_it in images.items():
        for batch in all_of_it.split(batch_size):
            scoring.add(batch_of(block, batch))
    return scoring.columns()


@pytest.fixture(scope="module")
def scorer():
    return scorer_of()


def test_default_metrics_are_the_data_sets():
    for name in ("digits", "mixture"):
        assert scorer_of(dataset=name).specs == list(DATASETS.get(name).metrics)


def test_a_floor_is_scored_like_samples(scorer, digits):
    columns = scored(scorer, {0: digits.train[:400]})
    assert columns["fid"] == pytest.approx(columns["fid_floor"], rel=1e-6)
    assert columns["fid_floor"] == [scorer.real.floor(400)]


def test_features_are_extracted_once_whatever_the_metrics(digits, monkeypatch):
    scorer, seen = scorer_of("fid,kid,precision,recall,inception_score"), []
    extract = type(scorer.extractor).extract
    monkeypatch.setattr(
        type(scorer.extractor), "extract", lambda self, images: seen.append(len(images)) or extract(self, images)
    )
    scoring = scorer.start()
    scoring.add(batch_of(0, digits.train[:120]))
    scoring.add(batch_of(0, digits.train[120:200]))
    assert seen == [797, 120, 80], "the reference, and the two batches"


def test_blocks_are_scored_apart_and_batches_do_not_matter(digits):
    scorer = scorer_of("fid,kid,coverage,inception_score,novelty")
    blocks = {0: digits.train[:200], 3: digits.train[200:400], 1: digits.train[400:600]}
    columns = scored(scorer, blocks)
    for index, (block, images) in enumerate(blocks.items()):
        alone = scored(scorer, {block: images}, batch_size=33)
        assert {name: values[index] for name, values in columns.items()} == pytest.approx(
            {name: values[0] for name, values in alone.items()}, rel=1e-5
        )
    assert {len(values) for values in columns.values()} == {3}
    assert {"fid_floor", "fid_floor_sd", "fid_ceiling", "kid_se", "inception_score"} < set(columns)


def test_a_block_that_comes_back_is_an_error(scorer, digits):
    scoring = scorer.start()
    for block in (0, 1):
        scoring.add(batch_of(block, digits.train[:100]))
    with pytest.raises(ValueError, match="Block 0 is finished"):
        scoring.add(batch_of(0, digits.train[:100]))
    assert len(scoring.columns()["fid"]) == 2
    assert scoring.columns() == scoring.columns()


def test_scoring_inside_inference_mode_and_outside_gives_the_same(digits):
    inside = scorer_of()
    with torch.inference_mode():
        scoring = inside.start()
        scoring.add(batch_of(0, digits.train[:100]))
    scoring.add(batch_of(0, digits.train[100:200]))
    outside = scored(scorer_of(), {0: digits.train[:200]}, batch_size=100)
    assert scoring.columns() == {name: pytest.approx(values, rel=1e-6) for name, values in outside.items()}


def live_numbers():
    """How many numbers all tensors hold together."""
    gc.collect()
    return sum(thing.numel() for thing in gc.get_objects() if isinstance(thing, torch.Tensor))


def test_memory_of_the_default_metrics_is_at_most_a_number_for_an_image(scorer, digits):
    scoring = scorer.start()
    scoring.add(batch_of(0, digits.train[:500]))
    before = live_numbers()
    for _ in range(8):
        scoring.add(batch_of(0, digits.train[:500]))
    assert live_numbers() - before <= 8 * 500 + 100, "the features would be 64 times that"


@pytest.fixture
def echo():
    """A metric of samplers whose column is ten times the block, plus its `shift`."""

    @dataclass(frozen=True)
    class Echo(SamplerMetric):
        shift: float = 1.0
        columns = (Column("echo", "echo", "lower", meaning="**echo**: the block."),)

        def evaluate(self, sampler, network, block, real):
            return {"echo": 10.0 * block + self.shift}

    with METRICS.temporarily():
        METRICS.register("echo")(Echo)
        yield


def test_metrics_of_samplers_are_evaluated_for_each_block(echo):
    scorer = scorer_of("fid,echo[shift=2.0]")
    assert [metric.name for metric in scorer.of_samplers] == ["echo"]
    assert scorer.evaluate(None, None, (3, 0)) == {"echo": [32.0, 2.0]}
    assert [column.name for column in scorer.columns] == [*(column.name for column in FID), "echo"]


def test_speed_alone_has_no_scores(digits):
    speed = SpeedOnly()
    assert (speed.facts, speed.columns, speed.specs, speed.needs("teacher")) == (None, [], [], "")
    scoring = speed.start()
    scoring.add(batch_of(0, digits.train[:10]))
    assert scoring.columns() | speed.evaluate(None, None, (0, 1)) == {}
    assert summarise({}, []) == {}


# What cannot be scored


def test_invalid_metrics_are_an_error_before_anything_runs():
    with pytest.raises(InputError, match=r"recall\[neighbours=9\] needs at least 10 images in a seed block, not 9"):
        scorer_of("recall[neighbours=9]", samples=9)
    with pytest.raises(InputError, match="fid_inf needs at least 260 images"):
        scorer_of("fid_inf", samples=259)
    with pytest.raises(InputError, match="names 'kid' twice"):
        scorer_of("kid,fid,kid[blocks=5]")
    assert scorer_of("fid_inf,kid[blocks=5]", samples=260).specs == ["fid_inf", "kid[blocks=5]"]


def test_a_metric_of_exact_data_suggests_data_sets_with_a_closed_form():
    with pytest.raises(InputError, match=r"order needs .*closed form.*choose --dataset empirical, gaussian, mixture"):
        scorer_of("order")
    assert scorer_of("order", dataset="mixture").specs == ["order"]


@pytest.mark.parametrize(
    ("metric", "dataset", "needed"),
    [
        ("inception_score", "mixture", "a classifier of the data"),
        ("class_accuracy", "mixture", "a classifier of the data"),
        ("class_accuracy", "mnist", "a classifier of the data set's own classes"),
    ],
)
def test_a_metric_of_a_classifier_is_rejected_where_there_is_none(metric, dataset, needed):
    with pytest.raises(InputError, match=f"{metric} needs .*{needed}.*{dataset}.*leave it out of --metrics"):
        scorer_of(metric, dataset=dataset)


def test_requirements_are_named_by_the_metric_that_has_them():
    scorer = scorer_of("fid,class_accuracy,teacher_distance")
    assert [scorer.needs(each) for each in ("labels", "teacher", "exact")] == ["class_accuracy", "teacher_distance", ""]


# What must match for two scores to be comparable


def test_facts_do_not_depend_on_the_metrics_of_the_data_sets_extractor():
    assert scorer_of("fid,inception_score,recall").facts == scorer_of().facts


def test_facts_are_the_protocol(digits):
    facts = scorer_of(samples=300, seeds=(0, 2)).facts
    assert (facts["dataset"], facts["data"]) == ("digits", digits.digest)
    assert (facts["reference_images"], facts["floor_images"], facts["features"]) == (797, 300, 64)
    assert (facts["samples"], facts["seeds"], facts["quantisation"]) == (300, [0, 2], "round to uint8")
    assert scorer_of(samples=5000).facts["floor_images"] == 1000, "there are no more"
    exact = scorer_of(dataset="mixture").facts
    assert (exact["extractor"], exact["quantisation"], exact["features"]) == ("pixels", "none", 16)


def test_given_statistics_take_the_place_of_the_references_images(digits, scorer, tmp_path):
    features = scorer.real.test.numpy()
    np.savez(tmp_path / "s.npz", mu=features.mean(0), sigma=np.cov(features, rowvar=False))
    given = Scorer(DATASETS.get("digits"), ["fid"], 200, (0,), CPU, reference=f"stats:{tmp_path / 's.npz'}")
    found, expected = (scored(each, {0: digits.train[:200]}) for each in (given, scorer_of("fid")))
    assert found == {name: pytest.approx(value) for name, value in expected.items()}
    assert given.facts["reference"] != scorer.facts["reference"]
    assert given.facts["reference_images"] == "given as statistics"
    with pytest.raises(InputError, match="kid"):
        Scorer(DATASETS.get("digits"), ["kid"], 200, (0,), CPU, reference=f"stats:{tmp_path / 's.npz'}")


def test_the_rule_of_labels_is_part_of_the_protocol():
    rules = [Scorer(DATASETS.get("digits"), ["fid"], 200, (0,), CPU, balanced=each).facts["labels"] for each in (0, 1)]
    assert rules[0].startswith("uniform and independent")
    assert rules[1].startswith("balanced")


# The columns of a row


def test_the_interval_is_the_t_interval():
    # Mean 3, standard deviation 1, n = 3: the half-width is 4.3027 / sqrt(3).
    found = summarise({"fid": [2.0, 3.0, 4.0], "kid_se": [3.0, 4.0]}, (*FID, *KID))
    assert found["fid_ci_low"] == pytest.approx(3 - 4.30265 / 3**0.5, rel=1e-5)
    assert found["fid_ci_high"] == pytest.approx(3 + 4.30265 / 3**0.5, rel=1e-5)
    assert found["kid_se"] == pytest.approx(5 / 2)
    assert summarise({"fid": [2.0]}, FID) == {"fid": 2.0, "scores_per_seed": '{"fid": [2.0]}'}


def test_standard_errors_are_those_of_the_mean_for_any_column_that_is_one():
    columns = [Column("mine", better="lower", spread="mine_se"), Column("mine_se")]
    found = summarise({"mine": [1.0, 2.0, 3.0, 4.0], "mine_se": [2.0, 2.0, 2.0, 2.0]}, columns)
    assert (found["mine"], found["mine_se"]) == (2.5, 1.0)


def test_values_per_seed_are_kept_to_six_digits_as_json():
    scores = {"fid": [2.123456789, 123456.789], "fid_floor": [1.0, 1.0], "kid": [1e-7 / 3, np.nan], "recall": [0.5, 1]}
    columns = (*FID, *KID, *METRICS.lookup("recall").columns)
    found = json.loads(summarise(scores, columns)["scores_per_seed"])
    assert found == {"fid": [2.12346, 123457.0], "kid": [3.33333e-08, None], "recall": [0.5, 1.0]}
