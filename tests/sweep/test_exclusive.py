import json
from dataclasses import asdict, replace

import pytest

from samplerbench.store.writer import Writer
from samplerbench.sweep.exclusive import Alone


@pytest.fixture
def neighbour(tmp_path):
    """neighbour(name, **changes): the lock of a run beside the first shard, held by this process or as changed."""

    def neighbour(name, **changes):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "run.lock").write_text(json.dumps(asdict(replace(Writer.this(), **changes))))

    (tmp_path / "shard-1-of-3").mkdir()
    return neighbour


@pytest.mark.parametrize(
    ("name", "changes", "alone"),
    [
        ("shard-2-of-3", {}, False),
        ("shard-2-of-3", {"host": "another"}, True),
        ("shard-2-of-3", {"pid": 2**22 + 1, "started": "1"}, True),
        ("something", {}, True),
    ],
    ids=["here", "on another host", "dead", "no shard"],
)
def test_another_shard_on_this_host_disturbs(tmp_path, neighbour, name, changes, alone):
    neighbour(name, **changes)
    assert Alone(tmp_path / "shard-1-of-3", "1/3").until_now() is alone


def test_a_shard_that_came_or_went_in_between_disturbs_and_no_longer_than_that(tmp_path, neighbour):
    found = Alone(tmp_path / "shard-1-of-3", "1/3")
    assert found.until_now()
    neighbour("shard-2-of-3")
    assert not found.until_now()
    (tmp_path / "shard-2-of-3/run.lock").unlink()
    assert not found.until_now()
    assert found.until_now()


def test_a_sweep_without_shards_has_no_neighbours(tmp_path, neighbour):
    neighbour("shard-2-of-3")
    assert Alone(tmp_path / "run", None).until_now()
