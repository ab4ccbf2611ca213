"""The doctor on this machine."""

import pytest
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.errors import InputError
from samplerbench.regression.doctor import examine


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
