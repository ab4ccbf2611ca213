"""The Frechet distance in the features of a chosen encoder: its value, its heading and what the protocol records."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from samplerbench.data.dataset import DATASETS, Dataset, Images, to_float
from samplerbench.errors import InputError
from samplerbench.methods import SpecError
from samplerbench.metrics.base import METRICS
from samplerbench.metrics.encoders.base import ENCODERS, prepared
from samplerbench.metrics.reference import RealFeatures
from samplerbench.metrics.scoring import Scorer
from samplerbench.sampling.measure import Batch

CPU = torch.device("cpu")
PIXELS = "fd[encoder=pixels]"


def scorer_of(*metrics, dataset="digits", samples=100) -> Scorer:
    return Scorer(DATASETS.get(dataset), metrics, samples, (0,), CPU)


def smooth_images(count, seed):
    """Grey images of 32x32, from noise of 8x8."""
    levels = torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(seed))
    return levels.float().repeat_interleave(4, 2).repeat_interleave(4, 3).to(torch.uint8)


def test_it_is_the_textbook_formula_on_averaged_pixels(columns_of):
    generator, none = torch.Generator().manual_seed(0), torch.zeros(0)
    reference = torch.randint(0, 256, (700, 1, 32, 32), generator=generator, dtype=torch.uint8)
    samples = torch.randint(20, 200, (600, 1, 32, 32), generator=generator, dtype=torch.uint8)
    extractor = prepared(ENCODERS.get("pixels"), (1, 32, 32), CPU)
    found = columns_of(PIXELS, RealFeatures(Images(samples, none, reference, none, True), extractor),
                       extractor(samples))  # fmt: skip

    def averaged(images):
        return (images.numpy() / 127.5 - 1).reshape(-1, 16, 2, 16, 2).mean((2, 4)).reshape(-1, 256)

    a, b = averaged(samples), averaged(reference)
    products = sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * products)
    assert found["fd"] == pytest.approx(expected, rel=1e-5)
    assert found["fd_floor"] == pytest.approx(expected, rel=1e-5), "the samples are the other real images"


def test_its_heading_names_the_encoder_and_the_protocol_its_weights():
    pixels, cnn = (scorer_of(f"fd[encoder={name}]") for name in ("pixels", "digits-cnn"))
    assert [scorer.columns[0].label for scorer in (pixels, cnn)] == ["FD (pixels 8x8)", "FD (digits-cnn)"]
    assert "in the space of a small classifier trained on the digits" in cnn.columns[0].meaning
    assert pixels.facts["encoders of fd"] == "pixels: 64 features none"
    assert cnn.facts["encoders of fd"] == f"digits-cnn: 64 features {cnn.extractor.digest}"
    assert METRICS.lookup("fd").columns[0].label == "FD"


def test_in_the_features_of_the_data_set_it_is_the_fid(digits):
    scorer = scorer_of("fid", "fd[encoder=digits-cnn]")
    scoring = scorer.start()
    scoring.add(Batch(0, range(100), digits.train[:100], None))
    columns = scoring.columns()
    for name in ("", "_floor", "_floor_sd", "_ceiling"):
        assert columns[f"fd{name}"] == columns[f"fid{name}"]


@pytest.fixture
def photographs(monkeypatch, tmp_path):
    """A data set whose features are Inception's, on a machine without its weights."""

    @dataclass(frozen=True)
    class Photographs(Dataset):
        """Smooth images."""

        resolution, channels, classes, preset = 32, 1, 0, "mnist"

        def load(self, root=None, download=False):
            none = torch.zeros(0, dtype=torch.int64)
            return Images(smooth_images(60, 0), none, smooth_images(40, 1), none)

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with DATASETS.temporarily():
        DATASETS.register("photographs")(Photographs)
        yield "photographs"


def test_a_run_without_metrics_of_inception_needs_no_weights_of_it(photographs):
    scorer = scorer_of(PIXELS, "trajectory_rmse", dataset=photographs)
    scoring = scorer.start()
    scoring.add(Batch(0, range(60), smooth_images(60, 2), None))
    assert 0 < scoring.columns()["fd"][0] < scoring.columns()["fd_ceiling"][0]
    facts = scorer.facts
    assert [facts[key] for key in ("extractor", "extractor_digest", "features")] == [
        "inception-v3-compat", "6726825d", 2048,
    ]  # fmt: skip
    for metric in ("kid", "teacher_distance"):
        with pytest.raises(InputError, match=r"Inception's weights.*--metrics fd\[encoder=pixels\]"):
            scorer_of(PIXELS, metric, dataset=photographs)


def test_exact_data_are_scored_in_pixels_by_their_moments():
    data = DATASETS.get("gaussian").load()
    scorer = scorer_of("fid", PIXELS, dataset="gaussian")
    scoring = scorer.start()
    scoring.add(Batch(0, range(200), data.train[:200], None))
    assert scoring.columns()["fd"] == scoring.columns()["fid"]
    with pytest.raises(InputError, match=r"fd\[encoder=digits-cnn\] takes images of 256 levels"):
        scorer_of("fd[encoder=digits-cnn]", dataset="empirical")


def test_pixels_are_in_the_units_of_the_network(digits):
    extractor = prepared(ENCODERS.get("pixels"), (1, 8, 8), CPU)
    assert torch.equal(extractor(digits.test[:5]), to_float(digits.test[:5]).double().flatten(1))


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ("pixel", "No encoder is named 'pixel'. Did you mean 'pixels'?"),
        ("trained", "trained needs FILE: write trained:FILE."),
        ("pixels:8", "pixels takes nothing after a colon"),
    ],
)
def test_an_encoder_that_does_not_exist_is_an_error_at_once(encoder, message):
    with pytest.raises(SpecError) as caught:
        METRICS.get(f"fd[encoder={encoder}]")
    assert message in str(caught.value)


def test_the_file_of_an_encoder_survives_the_spec():
    spec = "fd[encoder=trained:runs/my enc=1.safetensors]"
    assert str(METRICS.get(spec)) == spec
    assert METRICS.get(spec).plugins[0].weights == "runs/my enc=1.safetensors"
    assert METRICS.get("fd") == METRICS.get(PIXELS)
