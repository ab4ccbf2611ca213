import numpy as np
import pytest

from samplerbench.errors import WriteError
from samplerbench.store.run_directory import RunDirectory
from samplerbench.store.units import Units

BLOCK = {"scores": np.array([1.5, np.nan]), "names": np.array(["fid", "novelty"])}


def equal(ours: dict, theirs: dict) -> bool:
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name], **_nan(name)) for name in ours)


def _nan(name: str) -> dict:
    return {"equal_nan": True} if name == "scores" else {}


def test_blocks_are_read_back_by_another_process(tmp_path):
    units = Units(tmp_path)
    units.add("abc1", 0, BLOCK)
    units.add("abc1", 12, BLOCK)
    units.add("abc2", 0, BLOCK)
    found = Units(tmp_path).read("abc1")
    assert list(found) == [0, 12]
    assert all(equal(each, BLOCK) for each in found.values())


def test_a_damaged_block_is_measured_again(tmp_path):
    Units(tmp_path).add("abc1", 0, BLOCK)
    path = tmp_path / "units/abc1-0.npz"
    path.write_bytes(path.read_bytes()[:100])
    assert Units(tmp_path).read("abc1") == {}
    assert not path.exists()


def test_the_blocks_of_a_cell_go_when_its_row_is_written_and_stay_when_it_fails(tmp_path):
    with RunDirectory(tmp_path) as store:
        store.write()
        for cell in ("abc1", "abc2"):
            store.units.add(cell, 0, BLOCK)
        store.add({"method": "a", "cell": "abc1", "status": "failed"})
        assert list(store.units.read("abc1")) == [0]
        store.add({"method": "a", "cell": "abc1", "status": "ok"})
        store.add({"method": "b", "cell": "abc2", "status": "ok"})
    assert not (tmp_path / "units").exists()


def test_half_a_block_is_swept_up(tmp_path):
    (tmp_path / "units").mkdir()
    partial = tmp_path / "units/abc1-0.npz.partial"
    partial.touch()
    with RunDirectory(tmp_path):
        pass
    assert not partial.exists()


def test_a_full_disk_is_a_write_error(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("samplerbench.store.units.replace", full)
    with pytest.raises(WriteError, match="No space left on device"):
        Units(tmp_path).add("abc1", 0, BLOCK)
