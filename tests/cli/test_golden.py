import pandas as pd
import pytest


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))


def test_figures_are_run_and_written(invoke, tmp_path):
    result = invoke("golden", "gaussian-ddim")
    assert result.exit_code == 0, result.output
    frame = pd.read_csv(tmp_path / "results/golden/golden.csv")
    assert frame["verdict"].tolist() == ["met"]
    assert frame["ours"][0] == pytest.approx(0.1817, abs=0.002)
    assert "| gaussian-ddim" in (tmp_path / "results/golden/golden.md").read_text()
    assert (tmp_path / "results/golden/gaussian-ddim/results.csv").exists()
    again = invoke("golden", "gaussian-ddim")
    assert "1 of 1 cells are already measured" in again.stderr


def test_a_figure_that_lacks_a_file_names_it(invoke):
    result = invoke("golden", "edm-heun")
    assert result.exit_code == 2
    assert "missing: checkpoints/edm-cifar10-32x32-uncond-vp.pkl (from https://nvlabs" in result.stdout
    assert "cifar-10-batches-py" in result.stdout


def test_a_dry_run_lists_all_figures_and_writes_nothing(invoke, tmp_path):
    result = invoke("golden", "--dry-run")
    assert result.exit_code == 0
    for text in ("order-heun", "edm-ipndm-10", "otcfm-euler-100", "not run", "to run"):
        assert text in result.stdout
    assert not list(tmp_path.iterdir())


def test_a_miss_is_exit_code_1(invoke, monkeypatch):
    monkeypatch.setattr("samplerbench.regression.golden.run.difference", lambda figure: 0.2)
    result = invoke("golden", "pipeline-ddim")
    assert result.exit_code == 1
    assert "missed by +0.2" in result.stdout


def test_an_unknown_figure_is_one_sentence(invoke):
    result = invoke("golden", "edm-hoin")
    assert result.exit_code == 2
    assert result.stderr == "Error: No published figure is named 'edm-hoin'. Did you mean 'edm-heun'?\n"
