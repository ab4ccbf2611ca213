"""Images tuned to one encoder, as docs/example/tuned.py makes them, are far from real ones in another."""

import runpy
from pathlib import Path

import pytest
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.metrics.extractors import Extractor
from samplerbench.metrics.scoring import Scorer
from samplerbench.sampling.measure import Batch

CPU = torch.device("cpu")
COUNT, STEPS = 200, 60
METRICS = ("fid", "fd[encoder=pixels]", "mind[encoder=pixels]", "fdr[encoders=digits-cnn+pixels]")


@pytest.fixture(scope="module")
def tuned():
    example = runpy.run_path(str(Path(__file__).parents[2] / "docs/example/tuned.py"))
    net = Extractor("digits-cnn", CPU).net.net
    return example["tune"](example["noise"](COUNT), DATASETS.get("digits").load().test, net, STEPS)


def test_noise_with_the_fid_of_real_images_is_caught_by_pixels(tuned):
    scorer = Scorer(DATASETS.get("digits"), METRICS, COUNT, (0,), CPU)
    scoring = scorer.start()
    scoring.add(Batch(0, range(COUNT), tuned, None))
    found = {name: value for name, (value,) in scoring.columns().items()}
    assert found["fid"] < found["fid_floor"]
    assert found["fdr_1"] < 1
    assert found["fd"] > 30 * found["fd_floor"]
    assert found["mind"] > 30 * found["mind_floor"]
    assert found["fdr"] > 15
