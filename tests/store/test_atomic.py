"""Files are replaced, or appended to, as a whole or not at all."""

import os

import pytest

from samplerbench.errors import WriteError
from samplerbench.store import atomic
from samplerbench.store.atomic import append, continuing, replace


@pytest.fixture
def full(monkeypatch):
    """A disk whose last write fails: NFS and quotas report it only when the data is synchronised."""

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic, "_sync", fail)


@pytest.mark.parametrize("write", [append, replace])
def test_a_failed_write_leaves_the_file_as_it_was(write, tmp_path, full):
    path = tmp_path / "file"
    path.write_bytes(b"before\n")
    with pytest.raises(OSError, match="No space"):
        write(path, b"after\n")
    assert path.read_bytes() == b"before\n"
    assert os.listdir(tmp_path) == ["file"], "half a file takes no room"


def test_what_is_gone_is_not_made_anew_by_appending(tmp_path):
    with pytest.raises(FileNotFoundError):
        append(tmp_path / "file", b"row\n")
    assert os.listdir(tmp_path) == []


def test_the_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").mkdir()
    kept = r"Cannot write to '.*file' \(Is a directory\): the rows before are kept"
    with pytest.raises(WriteError, match=kept), continuing(tmp_path):
        append(tmp_path / "file", b"row\n")
    with pytest.raises(WriteError, match=r"run' has vanished, with its rows"), continuing(tmp_path / "run"):
        append(tmp_path / "run/file", b"row\n")
