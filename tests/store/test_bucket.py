"""A run directory in a bucket, which here are objects in memory and files under a URL, and what cannot be one."""

import fsspec
import numpy as np
import pytest
from fsspec.registry import known_implementations

from samplerbench.errors import InputError, WriteError
from samplerbench.store.atomic import age, create
from samplerbench.store.bucket import BucketPath
from samplerbench.store.images import SavedImages
from samplerbench.store.lock import Lock
from samplerbench.store.merge import merge, write
from samplerbench.store.place import as_place, names
from samplerbench.store.protocol import protocol_facts
from samplerbench.store.raw import read_raw
from samplerbench.store.results import load
from samplerbench.store.run_directory import RunDirectory
from samplerbench.store.sessions import read_facts
from samplerbench.store.status import RUNNING, read_status, runs_in
from samplerbench.store.stored_rows import read_results
from samplerbench.store.units import Units


@pytest.fixture(params=["memory", "file"])
def bucket(request, tmp_path):
    """The URL of an empty bucket."""
    yield f"memory://{tmp_path.name}" if request.param == "memory" else f"file://{tmp_path}/bucket"
    fsspec.filesystem("memory").store.clear()


def fids(folder) -> dict[str, float]:
    return dict(read_results(folder)[["method", "fid"]].itertuples(index=False))


def test_rows_raw_data_and_facts_are_those_of_a_local_run(bucket, tmp_path, cell, failed, fill, facts):
    local, remote = tmp_path / "local", as_place(f"{bucket}/run/")
    rows = cell("a", 5.0), failed("b", "RuntimeError: é"), cell("b", 6.0), cell("c", 7.0)
    for folder in (local, remote):
        fill(folder, *rows)
        with RunDirectory(folder) as store:
            store.add_raw("a10", {"images": np.arange(6)})
    assert (remote / "results.csv").read_bytes() == (local / "results.csv").read_bytes()
    assert read_facts(remote) == read_facts(local)
    assert read_raw(remote, "a10")["images"].tolist() == [0, 1, 2, 3, 4, 5]
    assert load(remote).rows["method"].tolist() == ["a", "b", "c"]
    assert {*names(remote)} - {"rows"} == {"raw", "results.csv", "run.json"}, "no lock"
    assert names(remote / "rows") == []


def test_a_killed_run_keeps_every_row_and_the_next_session_puts_them_together(bucket, cell, failed, fill):
    folder = as_place(f"{bucket}/run")
    fill(folder, cell("a", 5.0), failed("b", "RuntimeError"))
    store = RunDirectory(folder).__enter__()
    together = (folder / "results.csv").read_bytes()
    store.add(cell("b", 6.0))
    store.add(cell("c", 7.0))
    assert (folder / "results.csv").read_bytes() == together, "a row is an object of its own"
    assert fids(folder) == {"a": 5.0, "b": 6.0, "c": 7.0}
    assert read_status(folder).state == RUNNING
    store.hold.release()  # as after a kill, but for the lock
    with RunDirectory(folder) as store:
        assert store.done("b10")
        store.write()
        assert names(folder / "rows") == []
    assert fids(folder) == {"a": 5.0, "b": 6.0, "c": 7.0}


def test_it_has_one_writer(bucket, fill, cell):
    folder = as_place(f"{bucket}/run")
    fill(folder, cell("a", 5.0))
    with RunDirectory(folder) as store:
        with pytest.raises(InputError, match="is being written by process"), RunDirectory(folder):
            pytest.fail("two writers")
        (folder / "run.lock").unlink()
        other = Lock(folder / "run.lock")
        with pytest.raises(WriteError, match="another run may write there too"):
            store.add(cell("b", 6.0))
    assert other.held()


def test_an_object_is_created_once_and_has_an_age(bucket):
    path = as_place(f"{bucket}/run/file")
    assert create(path, b"first")
    assert not create(path, b"second")
    assert path.read_bytes() == b"first"
    assert 0 <= age(path) < 1
    assert names(path.parent) == ["file"]
    path.unlink()
    path.unlink(missing_ok=True)
    assert names(path.parent) == []


def test_blocks_and_images_come_back(bucket):
    folder = as_place(f"{bucket}/run")
    Units(folder).add("abc1", 0, {"scores": np.array([1.5])})
    units = Units(folder)
    assert units.read("abc1")[0]["scores"].tolist() == [1.5]
    units.remove("abc1")
    assert names(folder / "units") == []
    images = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    with SavedImages(folder / "images", "abc1", samples=2) as saved:
        saved.add(0, images[:1])
        saved.add(0, images[1:])
        saved.add(1, images[:1])  # the session ends before the rest of this block
    assert names(folder / "images") == ["abc1-0.npy"]
    fetched = folder / "images" / "abc1-0.npy"
    with fsspec.open(str(fetched)) as file:
        np.testing.assert_array_equal(np.load(file), images)


def test_runs_of_a_bucket_are_found_and_merged_there(bucket, fill, cell):
    for name in ("x", "y"):
        fill(as_place(f"{bucket}/runs/{name}"), cell(name, 5.0))
    runs = runs_in(as_place(f"{bucket}/runs"))
    assert [str(run) for run in runs] == [f"{bucket}/runs/x", f"{bucket}/runs/y"]
    output = as_place(f"{bucket}/both")
    write(merge(runs, output), runs, mixed=False)
    assert load(output).rows["run"].tolist() == ["x", "y"]
    with pytest.raises(InputError, match="contains something other than a merged report"):
        write(merge(runs, runs[0]), runs, mixed=False)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("s4://bucket/run", r"No storage is named 's4', as in 's4://bucket/run'\. Choose from: s3, gs, abfs, "),
        ("missing://bucket/run", r"'missing://bucket/run' cannot be opened: Install missingfs to open it\."),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(url, sentence, monkeypatch):
    absent = {"class": "missingfs.Missing", "err": "Install missingfs to open it"}
    monkeypatch.setitem(known_implementations, "missing", absent)
    with pytest.raises(InputError, match=sentence):
        as_place(url)


def test_a_storage_that_fails_is_one_sentence(monkeypatch, cell):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the network is\ndown")  # storages have errors of their own

    folder = as_place("memory://broken/run")
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "pipe_file", broken)
    with pytest.raises(
        WriteError, match=r"Cannot write to 'memory://broken/run' \(RuntimeError: the network is down\)"
    ):
        RunDirectory(folder).__enter__()
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "exists", broken)
    for name in ("isdir", "isfile"):
        monkeypatch.setattr(type(fsspec.filesystem("memory")), name, broken)
    for read in (RunDirectory, read_results, read_status, runs_in, load, protocol_facts):
        with pytest.raises(InputError, match=r"Cannot read 'memory://broken/run' \(RuntimeError"):
            read(folder)


def test_paths_are_those_of_pathlib():
    path = BucketPath("s3://bucket/run/report.md")
    assert (path.name, str(path.parent)) == ("report.md", "s3://bucket/run")
    assert str(path.with_suffix(".html")) == "s3://bucket/run/report.html"
    assert str(path.with_name("x") / "y") == "s3://bucket/run/x/y"
    assert path.parts == ("s3:", "bucket", "run", "report.md")
