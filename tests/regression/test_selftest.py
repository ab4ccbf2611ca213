"""The gate on a real sampler, sound and with known faults; and what a machine's noise lets it see."""

import numpy as np
import pytest
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.regression import selftest
from samplerbench.regression.doctor import examine, noise, report


def test_faults_fire_by_their_figure_and_sound_code_is_silent(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(selftest, "SWEEP", {"methods": ["ddim"], "steps": [2], "samples": 80, "batch_size": 80})
    monkeypatch.setattr(selftest, "BLOCKS", 5)
    monkeypatch.setattr(selftest, "CALIBRATION", range(4000, 4002))
    *_, outcomes = selftest.selftest(1)
    by_fault = {each.fault.split(":")[-1].strip(): dict(each.figures) for each in outcomes}
    assert by_fault["the same code again"] == {}
    assert by_fault["rounding errors of 1e-4 in every step"] == {}
    assert by_fault["one extra evaluation"] == {"nfe": 1}
    assert "inner_ratio" in by_fault["20 % more time in every step"]
    assert by_fault["the last step is left out"] == {"fid": 1}
    assert "| slower: one extra evaluation | fire | 1 of 1 | nfe 1 |" in selftest.as_markdown(outcomes)
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_the_injected_slowdown_is_what_it_says():
    import time

    from samplerbench.methods import METHODS

    def steps(*_):
        for _ in range(5):
            time.sleep(0.02)
            yield 0

    inner = METHODS.get("ddim")
    slow = selftest.Slower(inner)
    object.__setattr__(slow, "inner", type("Fixed", (), {"steps": staticmethod(steps)}))
    start = time.perf_counter()
    assert list(slow.steps(None, None, None, None)) == [0] * 5
    assert 0.12 <= time.perf_counter() - start < 0.5, "a fifth more, and what a busy machine adds"


def test_the_doctor_names_what_it_could_tell_from_noise():
    rng = np.random.default_rng(0)
    steady, shaky = (
        noise("latency_s", [m * (1 + 0.001 * rng.standard_normal(8)) for m in 1 + spread * rng.standard_normal(20)])
        for spread in (0.01, 0.1)
    )
    assert steady.spread == pytest.approx(0.01, rel=0.4)
    # Two runs differ by sqrt(2) spreads, and the 99 % bound with 80 % power lies 3.4 of those out.
    assert steady.detectable == pytest.approx(3.4 * 2**0.5 * steady.spread, rel=0.05)
    assert shaky.detectable > 5 * steady.detectable


def test_the_doctor_examines_this_machine():
    text = report(examine("cpu", runs=3, batch_size=8), "cpu")
    assert "inner_ratio" in text
    assert "seconds compare only where this is equal" in text
    assert CliRunner().invoke(main, ["doctor", "--device", "nowhere"]).exit_code == 2
