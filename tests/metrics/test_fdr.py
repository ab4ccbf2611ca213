"""The ratio of Frechet distances against its formula, and what several encoders share."""

import numpy as np
import pytest
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError
from samplerbench.methods import SpecError
from samplerbench.metrics.base import METRICS, Features
from samplerbench.metrics.encoders.base import ENCODERS, Encoding, prepared
from samplerbench.metrics.scoring import Scorer
from samplerbench.sampling.measure import Batch

CPU = torch.device("cpu")
BOTH = "fdr[encoders=pixels+digits-cnn]"


def scored(images, *metrics, reference=None):
    """The columns of the first block, scored in batches of 128, and the scorer."""
    scorer = Scorer(DATASETS.get("digits"), metrics, len(images), (0,), CPU, reference=reference)
    scoring = scorer.start()
    for start in range(0, len(images), 128):
        part = images[start : start + 128]
        scoring.add(Batch(0, range(start, start + len(part)), part, None))
    return {name: values[0] for name, values in scoring.columns().items()}, scorer


def frechet(a, b):
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2); for C = R^T R the last trace is the nuclear norm of R1 R2^T."""
    first, second = (np.linalg.qr(x - x.mean(0), mode="r") / np.sqrt(len(x) - 1) for x in (a, b))
    means, traces = ((a.mean(0) - b.mean(0)) ** 2).sum(), (first**2).sum() + (second**2).sum()
    return means + traces - 2 * np.linalg.norm(first @ second.T, "nuc")


@pytest.fixture(scope="module")
def noisy(digits):
    """600 held-out digits with noise."""
    noise = torch.randint(-40, 40, (600, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    return (digits.train[-600:] + noise).clamp(0, 255).to(torch.uint8)


def test_it_is_the_mean_of_the_ratios_written_out(digits, noisy):
    found, scorer = scored(noisy, BOTH)
    ratios = []
    for name in ("pixels", "digits-cnn"):
        encode = prepared(ENCODERS.get(name), (1, 8, 8), CPU)
        images = (noisy, digits.train[:600], digits.test)
        generated, held_out, reference = (encode(each).numpy() for each in images)
        ratios.append(frechet(generated, reference) / frechet(held_out, reference))
    assert found["fdr_1"] == pytest.approx(ratios[0], rel=1e-7), "some pixels are constant, and roots of 0 round"
    assert found["fdr_2"] == pytest.approx(ratios[1], rel=1e-9)
    assert found["fdr"] == (found["fdr_1"] + found["fdr_2"]) / 2 > 1.2
    assert [column.name for column in scorer.columns] == list(found)
    assert [column.label for column in scorer.columns] == [
        "FDr (pixels 8x8, digits-cnn)", "FDr (pixels 8x8)", "FDr (digits-cnn)"
    ]  # fmt: skip


def test_several_spaces_are_averaged_to_nine_digits(real_features):
    draw = lambda count, width, seed: np.random.default_rng(seed).normal(size=(count, width)) + seed  # noqa: E731
    spaces = [[draw(count, width, seed) for seed, count in enumerate((90, 70, 60))] for width in (5, 8, 3)]
    reals = [real_features(torch.from_numpy(reference), torch.from_numpy(others)) for reference, others, _ in spaces]
    accumulator = METRICS.get(BOTH).accumulator(*reals)
    for start, stop in ((0, 25), (25, 60)):
        accumulator.update(*(Features(torch.from_numpy(samples[start:stop])) for *_, samples in spaces))
    ratios = [frechet(samples, reference) / frechet(others[:60], reference) for reference, others, samples in spaces]
    assert list(accumulator.columns().values()) == pytest.approx([np.mean(ratios), *ratios], rel=1e-9)


def test_it_is_1_for_the_held_out_images_and_ignores_images_beyond_their_number(digits, noisy):
    for images in (digits.train[:500], torch.cat((digits.train, noisy))):
        found, _ = scored(images, BOTH)
        assert [found[name] for name in ("fdr", "fdr_1", "fdr_2")] == pytest.approx(
            [1, 1, 1], rel=1e-7
        )  # float32 rounds with the batch


def test_an_encoder_is_loaded_and_used_once_for_all_metrics(noisy, monkeypatch):
    seen, extract = [], Encoding.extract
    monkeypatch.setattr(Encoding, "extract", lambda self, images: seen.append((self, images)) or extract(self, images))
    found, scorer = scored(noisy[:100], BOTH, "fd[encoder=digits-cnn]", "mind[encoder=pixels]")
    of_batch = [encoding.name for encoding, images in seen if torch.equal(images, noisy[:100])]
    assert sorted(of_batch) == ["digits-cnn", "pixels"]
    assert len({encoding for encoding, _ in seen}) == 2
    assert found["fdr_2"] == found["fd"] / found["fd_floor"]
    cnn = f"digits-cnn: 64 features {scorer.extractor.digest}"
    assert {key: value for key, value in scorer.facts.items() if key.startswith("encoders of")} == {
        "encoders of fdr": f"pixels: 64 features none; {cnn}",
        "encoders of fd": cnn,
        "encoders of mind": "pixels: 64 features none",
    }


def test_wrong_encoders_are_errors_of_one_sentence(noisy):
    for encoders, message in {
        "pixels+pixel": "Did you mean 'pixels'",
        "pixels+pixels": "names an encoder twice",
    }.items():
        with pytest.raises(SpecError, match=message):
            METRICS.get(f"fdr[encoders={encoders}]")
    with pytest.raises(InputError, match=r"fdr\[encoders=pixels\] compares with held-out real images, and there are"):
        scored(noisy, "fdr", reference="digits")
