import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.errors import InputError
from samplerbench.sweep.likelihood import Likelihood
from samplerbench.sweep.likelihood_options import LikelihoodOptions


def invoke(*arguments: str):
    return CliRunner().invoke(main, ["likelihood", *arguments])


def test_the_command_writes_its_rows_the_same_at_any_batch_size(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke("flow", "--images", "3", "--steps", "6", "--output", "both")
    assert result.exit_code == 0, result.output
    frame = pd.read_csv("both/likelihood.csv")
    assert list(zip(frame["split"], frame["estimator"], strict=True)) == [
        ("held out", "ode"), ("held out", "bound"), ("training", "ode"), ("training", "bound"),
    ]  # fmt: skip
    bounds = frame[frame["estimator"] == "bound"]
    assert bounds["nfe"].tolist() == [6, 6]
    parts = bounds[["prior_bpd", "transitions_bpd", "decoder_bpd"]].sum(axis=1)
    np.testing.assert_allclose(bounds["bpd"], parts, rtol=1e-6)
    assert invoke("flow", "--images", "3", "--steps", "6", "--estimators", "bound", "--batch-size", "2").exit_code == 0
    again = pd.read_csv("results/likelihood/likelihood.csv")
    np.testing.assert_allclose(again[["bpd", "bpd_se"]], bounds[["bpd", "bpd_se"]], rtol=1e-4)
    assert frame["bpd"].between(2, 8).all()
    assert "environment" in json.loads(Path("both/likelihood.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["flaw"], "Did you mean 'flow'?"),
        (["flow", "--dataset", "digit"], "Did you mean 'digits'?"),
        (["flow", "--estimators", "odd"], "Did you mean 'ode'?"),
        (["flow", "--estimators", "ode", "--steps", "10"], "has no effect without"),
        (["flow", "--images", "798"], "--images at most 797"),
        (["flow", "--levels", "16"], "not on 16 even levels"),
        (["flow", "--output", "file/x"], "choose another --output"),
        (["flow", "--download"], "leave out --data-root and --download"),
        (["meanflow"], "probability-flow ODE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_one_sentence(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    result = invoke(*arguments)
    assert result.exit_code == 2
    (error,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert message in error


@pytest.mark.parametrize("dataset", ["gaussian", "mixture"])
def test_on_exact_data_the_ode_finds_the_exact_density(dataset, tmp_path):
    likelihood = Likelihood(LikelihoodOptions("flow", dataset, images=512, batch_size=512, output=tmp_path))
    found = {case.estimator: likelihood.measure(case, 0) for case in likelihood.cases if case.split == "held out"}
    gap = found["ode"]["bpd"] - found["exact"]["bpd"]
    error = gap.std() / len(gap) ** 0.5
    assert abs(gap.mean()) < 4 * error < 0.1 * abs(found["exact"]["bpd"].mean())
    assert found["exact"]["nfe"].sum() == 0 < found["ode"]["nfe"].sum()


@pytest.mark.parametrize(
    ("options", "word"),
    [({"dataset": "empirical"}, "no density"), ({"dataset": "mixture", "levels": 17}, "--levels"),
     ({"dataset": "gaussian", "estimators": "bound"}, "bound"), ({"estimators": "exact"}, "not known")],
)  # fmt: skip
def test_densities_that_are_not_there_are_refused(options, word, tmp_path):
    with pytest.raises(InputError, match=word):
        Likelihood(LikelihoodOptions("flow", output=tmp_path, **options))


def test_a_recipe_with_conditions_is_refused():
    with pytest.raises(InputError, match="text has conditions, and `bench likelihood` knows labels only"):
        Likelihood(LikelihoodOptions(recipes="flow,text", dataset="mnist5k"))
