"""One writer per directory: who holds the lock, whether that process is gone, and who takes it over."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from samplerbench.errors import InputError
from samplerbench.store import atomic, lock, writer
from samplerbench.store.lock import Lock
from samplerbench.store.writer import Writer

SLEEP = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "run.lock"


@pytest.fixture
def process():
    """Another process, which does nothing."""
    with subprocess.Popen(SLEEP, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


def held_by(path: Path, **changes: object) -> Writer:
    """A lock as another process would have left it."""
    held = replace(Writer.this(), **changes)
    path.write_text(json.dumps(asdict(held)))
    return held


def left(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


def test_a_second_writer_is_told_who_the_first_one_is(path):
    first = Lock(path)
    with pytest.raises(InputError) as error:
        Lock(path)
    assert str(error.value) == (
        f"{str(path.parent)!r} is being written by {first.writer}: wait for it, start all with --join, or give every "
        "run an --output of its own and merge them with `bench report`."
    )
    assert str(first.writer).startswith(f"process {os.getpid()} on ")
    first.release()
    assert left(path) == []
    assert Lock(path).taken_from is None


def test_a_lock_is_released_when_its_object_goes(path):
    Lock(path)
    assert left(path) == []


def test_the_lock_of_a_running_process_is_kept_and_of_a_killed_one_taken_over(path, process):
    before = held_by(path, pid=process.pid, started=writer._start_time(process.pid))
    with pytest.raises(InputError, match=f"is being written by process {process.pid} on "):
        Lock(path)
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and remains as a zombie
    taken = Lock(path)
    assert taken.taken_from == before
    assert taken.held()
    assert left(path) == ["run.lock"]


def test_a_process_that_only_has_the_same_id_does_not_hold_the_lock(path, process):
    held_by(path, pid=process.pid, started="1")
    assert Lock(path).held()


def test_a_lock_from_before_a_reboot_is_taken_over(path, monkeypatch):
    monkeypatch.setattr(writer, "_machine", lambda: ("machine", "boot", "pids"))
    held_by(path, boot="another")
    assert Lock(path).held()


@pytest.mark.parametrize(
    ("changes", "machine"),
    [
        ({"host": "node7"}, "machine"),
        ({"machine": "another"}, "machine"),
        ({"namespace": "of a container"}, "machine"),
        ({"boot": "another"}, ""),  # a rebooted machine, or another of the same name
    ],
)
def test_a_lock_that_cannot_be_checked_is_kept_and_its_file_named(changes, machine, path, monkeypatch):
    monkeypatch.setattr(writer, "_machine", lambda: (machine, "boot", "pids"))
    held_by(path, **{"pid": 2**22 + 1} | changes)
    with pytest.raises(
        InputError, match=r"cannot be checked from here: .* delete '.*run\.lock' if that run has ended\.$"
    ):
        Lock(path)
    assert left(path) == ["run.lock"]


def test_a_lock_of_another_host_is_kept_while_it_is_renewed(path):
    before = held_by(path, host="node7", beat_s=10.0)
    with pytest.raises(InputError, match=r"is being written by .* on node7 .*: wait for it \(60 seconds, if it was"):
        Lock(path)
    assert left(path) == ["run.lock"]
    past = path.stat().st_mtime - lock.STALE_S - 1
    os.utime(path, (past, past))
    assert Lock(path).taken_from == before


def test_the_age_of_a_lock_is_by_the_clock_of_its_storage(path, monkeypatch):
    """Here one that is a day behind that of this machine."""
    held_by(path, host="node7", beat_s=10.0)
    monkeypatch.setattr(atomic, "modified", lambda file: file.stat().st_mtime - 86400)
    with pytest.raises(InputError, match="is being written by"):
        Lock(path)


def test_a_lock_is_renewed_until_it_is_released_or_taken(path, monkeypatch):
    monkeypatch.setattr(lock, "BEAT_S", 0.01)

    def renewed() -> bool:
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 0.5
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        return path.stat().st_mtime > 0

    held = Lock(path)
    assert renewed()
    held_by(path, host="node7")  # it was suspended, and another one has taken the lock
    assert not held.held()
    assert not renewed()
    held.release()
    assert left(path) == ["run.lock"], "it is not ours"


def test_a_damaged_lock_is_named(path, monkeypatch):
    monkeypatch.setattr(lock, "UNREADABLE_S", 0.0)
    path.write_text('{"token": ')
    with pytest.raises(InputError, match=r"run\.lock' is damaged, .* delete it if no run does\.$"):
        Lock(path)


def test_it_works_without_hard_links(path, monkeypatch):
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    first = Lock(path)
    assert first.held()
    with pytest.raises(InputError, match="is being written by"):
        Lock(path)


def test_of_two_that_see_the_same_dead_lock_one_takes_it_over(path, monkeypatch):
    """The slower one has read the dead lock; then the faster one takes it over, before the slower one goes on."""
    dead, faster, read = held_by(path, started="1"), [], lock._read

    def slowly(file: Path) -> Writer | None:
        found = read(file)
        if not faster:
            faster.append(True)
            faster.append(Lock(path))
        return found

    monkeypatch.setattr(lock, "_read", slowly)
    with pytest.raises(InputError, match="is being written by"):
        Lock(path)
    assert faster[1].taken_from == dead
    assert faster[1].held()
    assert left(path) == ["run.lock"]


def test_a_process_that_dies_while_taking_over_does_not_block_the_others(path):
    dead = held_by(path, started="1", token="first")
    held_by(path.with_name("run.lock.first"), started="1", token="second")
    held_by(path.with_name("run.lock.third.partial"), started="1", token="third")
    held_by(path.with_name("run.lock.other.partial"), token="other")  # of a process that is at it now
    assert Lock(path).taken_from == dead
    assert left(path) == ["run.lock.other.partial"]


def test_a_forked_process_does_not_release_it(path):
    held = Lock(path)
    child = os.fork()
    if child == 0:
        held.release()
        os._exit(0)
    os.waitpid(child, 0)
    assert held.held()
