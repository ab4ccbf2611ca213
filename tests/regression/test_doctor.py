"""The doctor on this machine."""

import pytest
import torch
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.errors import InputError
from samplerbench.regression.doctor import examine
from samplerbench.regression.doctor_report import threads


def test_the_timed_fields_are_examined_run_by_run():
    levels = examine("cpu", runs=3, batch_size=8)
    assert [level.field for level in levels] == ["overhead_ratio", "inner_ratio", "latency_s"]
    assert all(len(set(level.values)) == 3 for level in levels), "three measurements, not one"
    inner = levels[1]
    assert all(value > 1 for value in inner.values), "a sampler takes longer than its network calls"


def test_an_unavailable_device_is_refused():
    with pytest.raises(InputError, match="'nowhere' is not available"):
        examine("nowhere", runs=3, batch_size=8)
    assert CliRunner().invoke(main, ["doctor", "--device", "nowhere"]).exit_code == 2


def test_it_says_how_many_threads_there_are_and_whether_they_spin(monkeypatch):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")
    assert threads() == "3; GOMP_SPINCOUNT=1000"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    assert threads() == "3; OMP_NUM_THREADS=3, OMP_WAIT_POLICY=PASSIVE, GOMP_SPINCOUNT=1000"
