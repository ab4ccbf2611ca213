"""Images made elsewhere are scored as a run's own are."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import samplerbench
from samplerbench.cli.main import main
from samplerbench.errors import InputError
from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.sweep.options import ScoreOptions
from samplerbench.sweep.score import Scoring

METRICS = "fid,kid,fd[encoder=pixels]"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two blocks of a run on the digits, with all their images kept."""
    folder = tmp_path_factory.mktemp("run")
    samplerbench.run("flow", steps=3, samples=70, seeds="0-1", timing=False, save_images=True, metrics=METRICS,
                     output=folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def saved(run):
    """The specs of the saved blocks."""
    files = sorted((run / "images").glob("*.npy"))
    assert len(files) == 2
    return ",".join(f"npy:{file}" for file in files)


def test_the_images_of_a_run_get_its_scores_under_its_protocol(run, saved, tmp_path):
    row = Scoring(ScoreOptions(saved, data="digits", metrics=METRICS, name="mine", output=str(tmp_path))).run()
    theirs = pd.read_csv(run / "results.csv").iloc[0]
    for column in ("fid", "fid_ci_low", "fid_floor", "kid", "fd", "samples"):
        assert row[column] == pytest.approx(theirs[column], rel=1e-9), column
    assert row["protocol"] == theirs["protocol"]
    assert json.loads(row["scores_per_seed"]) == json.loads(theirs["scores_per_seed"])
    assert (row["method"], row["status"], row["seeds"]) == ("mine", "ok", "0,1")


def test_both_stand_in_one_table(run, saved, tmp_path, invoke):
    invoke("score", saved, "--data", "digits", "--metrics", METRICS, "--name", "mine", "--output", tmp_path / "s")
    shown = invoke("report", run, tmp_path / "s", "--output", tmp_path / "both").output
    lines = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    assert {"flow", "mine"} <= lines.keys()
    assert "protocol" not in shown
    assert "mine" in (tmp_path / "both" / "report.html").read_text()


@pytest.fixture
def invoke(runner=None):
    from click.testing import CliRunner

    def call(*words, code: int = 0):
        done = CliRunner().invoke(main, [*map(str, words)])
        assert done.exit_code == code, done.output
        return done

    return call


def test_a_folder_and_an_npz_of_the_same_images_score_the_same(saved, tmp_path):
    images = np.load(saved.split(",")[0].removeprefix("npy:"))
    (tmp_path / "pngs").mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image[0]).save(tmp_path / "pngs" / f"{index:03}.png")
    np.savez(tmp_path / "a.npz", arr_0=images.transpose(0, 2, 3, 1))
    options = {"data": "digits", "metrics": "fid", "output": str(tmp_path / "out")}
    found = [Scoring(ScoreOptions(str(tmp_path / name), **options)).run() for name in ("pngs", "a.npz")]
    assert found[0]["fid"] == pytest.approx(found[1]["fid"], rel=1e-9)
    assert [row["method"] for row in found] == ["pngs", "a"]
    assert len(pd.read_csv(tmp_path / "out" / "results.csv")) == 2


def test_one_source_is_cut_into_blocks(saved, tmp_path):
    scoring = Scoring(ScoreOptions(saved, data="digits", metrics="fid", samples=30, output=str(tmp_path)))
    assert [len(block.images) for block in scoring.blocks] == [30] * 4
    assert scoring.run()["fid_ci_low"] > 0


def test_statistics_alone_are_a_reference_without_a_floor(saved, tmp_path, digits):
    encoding = ENCODERS.get("pixels").load((1, 8, 8), torch.device("cpu"))
    features = encoding.extract(digits.test).features.numpy()
    np.savez(tmp_path / "s.npz", mu=features.mean(0), sigma=np.cov(features, rowvar=False))
    given = {"metrics": "fd[encoder=pixels]", "output": str(tmp_path / "out")}
    row = Scoring(ScoreOptions(saved, reference=f"stats:{tmp_path / 's.npz'}", **given)).run()
    seen = Scoring(ScoreOptions(saved, data="digits", **given | {"output": str(tmp_path / "seen")})).run()
    assert row["fd"] == pytest.approx(seen["fd"])
    assert np.isnan(row["fd_floor"])
    assert row["protocol"] != seen["protocol"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": "digits"}, "digits is a data set, not images that were generated"),
        ({"metrics": "teacher_distance"}, "teacher_distance runs the sampler again"),
        ({"metrics": "class_accuracy"}, "class_accuracy needs the labels of the images"),
        ({"samples": 1000}, "holds fewer than --samples 1000 images"),
        ({"data": "mixture"}, "and they are compared with images of 1x4x4"),
        ({"images": "npy:absent.npy"}, "there is no 'absent.npy'"),
        ({"data": "stats:s.npz"}, "name it with --reference"),
        ({"reference": "stats:s.npz", "data": None}, "There is no file of statistics 's.npz'"),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(saved, options, message):
    with pytest.raises(InputError, match=message):
        Scoring(ScoreOptions(**{"images": saved, "data": "digits", "metrics": "fid"} | options))
