"""DINOv2 from a file, with small random weights: the published ones (1.2 GB) cannot be shipped."""

import pytest
import torch
from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2

from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError
from samplerbench.metrics.base import METRICS
from samplerbench.metrics.dinov2 import WEIGHTS, build
from samplerbench.metrics.extractors import Extractor
from samplerbench.metrics.frechet import Statistics
from samplerbench.metrics.reference import RealFeatures
from samplerbench.metrics.scoring import Scorer

CPU = torch.device("cpu")


@pytest.fixture
def weights(random_vit, tmp_path):
    path = tmp_path / "small.pth"
    torch.save(random_vit().state_dict(), path)
    return path


def test_images_are_prepared_by_torch_fidelitys_extractor(weights, monkeypatch):
    """It can only read a network through torch.hub, where it is given ours."""
    monkeypatch.setattr(torch.hub, "load", lambda *_: build(torch.load(weights, weights_only=True), weights))
    theirs = FeatureExtractorDinoV2("dinov2-vit-l-14", ["dinov2"])
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    ours = Extractor("dinov2", CPU, weights=str(weights))
    torch.testing.assert_close(ours(images), theirs(images)[0].double(), rtol=0, atol=0)
    assert ours.width == 64
    torch.testing.assert_close(ours(images[:, :1]), ours(images[:, :1].repeat(1, 3, 1, 1)))


def test_the_metric_is_the_frechet_distance_in_its_own_features(weights, digits):
    scorer = Scorer(DATASETS.get("digits"), ["fid", f"fd_dinov2[weights={weights}]"], 20, (0,), CPU)
    metric, real = scorer.of_images[1]
    assert real is not scorer.real
    assert scorer.facts["dinov2"] == f"64 features {real.extractor.digest}"
    some = RealFeatures(scorer.images, real.extractor)
    vars(some).update(test=real.extractor(digits.test[:30]), train=real.extractor(digits.train[:30]))
    accumulator = metric.accumulator(some)
    for batch in digits.train[:20].split(8):
        accumulator.update(some.extractor.extract(batch))
    columns = accumulator.columns()
    assert columns["fd_dinov2"] == pytest.approx(columns["fd_dinov2_floor"], rel=1e-6)
    accumulator = metric.accumulator(some)
    accumulator.update(some.extractor.extract(torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8)))
    assert accumulator.columns()["fd_dinov2"] > 2 * columns["fd_dinov2_floor"]
    assert some.frechet(some.train[:20]) == pytest.approx(some.distance(Statistics.of(some.train[:20])))


def test_missing_weights_are_an_error_before_anything_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match=rf"1.2 GB.*{tmp_path}/checkpoints/{WEIGHTS}.*weights=PATH"):
        Scorer(DATASETS.get("digits"), ["fd_dinov2"], 1000, (0,), CPU)
    with pytest.raises(InputError, match=r"no file '/nowhere/dino\.pth'"):
        METRICS.get("fd_dinov2[weights=/nowhere/dino.pth]").extractor(CPU, (1, 8, 8))


class Malicious:
    def __reduce__(self):
        return print, ("code ran while weights were loaded",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a checkpoint", "cannot be read"),
        (b"", "cannot be read"),
        ([1, 2], "cannot be read"),
        ({"epoch": 3}, "cannot be read"),
        ({"cls_token": Malicious()}, "cannot be read"),
        ({"weight": torch.zeros(3)}, "does not hold the weights of a ViT"),
        ({"cls_token": torch.zeros(1, 1, 64), "pos_embed": torch.zeros(1, 10, 64)}, "does not hold"),
    ],
    ids="bytes empty list numbers code other few".split(),
)
def test_a_wrong_file_is_an_error_that_says_so(tmp_path, capsys, content, message):
    path = tmp_path / "wrong.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(InputError, match=f"wrong.pth.*{message}.*use {WEIGHTS}"):
        Extractor("dinov2", CPU, weights=str(path))
    assert "code ran" not in capsys.readouterr().out


def test_weights_with_registers_are_an_error_that_says_so(random_vit, tmp_path):
    path = tmp_path / "wrong.pth"
    torch.save({**random_vit().state_dict(), "register_tokens": torch.zeros(1, 4, 64)}, path)
    with pytest.raises(InputError, match=f"wrong.pth.*without registers.*use {WEIGHTS}"):
        Extractor("dinov2", CPU, weights=str(path))


def test_a_path_survives_its_spec(weights):
    spec = f"fd_dinov2[weights={weights}]"
    assert str(METRICS.get(spec)) == spec
    assert METRICS.get("fd_dinov2").weights is None
