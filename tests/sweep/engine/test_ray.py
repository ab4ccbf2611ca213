"""A real Ray on this machine, with two actors, of which one dies."""

import re
import signal
import socket

import pandas as pd
import pytest

from samplerbench.errors import InputError
from samplerbench.sweep.events import Note
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.session import Session

EXACT = {"data": "mixture", "samples": 60, "batch_size": 40, "steps": "2", "seeds": "0-1"}
NEW = ["commit", "utc"]  # of every measurement


def test_actors_measure_the_rows_of_one_process_also_if_one_dies(measure, mishaps, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", str(mishaps))  # Ray's processes do not have the path of this one
    handler = signal.getsignal(signal.SIGTERM)
    serial, _ = measure(tmp_path / "serial", methods="ddim,dies_once", **EXACT)
    found, events = measure(tmp_path / "ray", methods="ddim,dies_once", engine="ray", workers=2, **EXACT)
    pd.testing.assert_frame_equal(serial.drop(columns=NEW), found.drop(columns=NEW), rtol=1e-9)
    (note,) = [event.text for event in events if isinstance(event, Note)]
    assert re.fullmatch(r"A worker was lost \(ActorDiedError: .*\): dies_once 2 steps, block [01], is .* again\.", note)
    assert not ray.is_initialized()
    assert signal.getsignal(signal.SIGTERM) is handler, "Ray has one that ends the process without a report"


@pytest.fixture
def listener():
    """The port of a server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def run_at(address: str, folder) -> None:
    list(Session(Sweep(methods="ddim", engine="ray", address=address, output=folder, **EXACT)).execute())


@pytest.mark.parametrize("address", ["head", "head:ray", ":6379", "ray://head:10001"])
def test_an_address_is_a_host_and_a_port(tmp_path, address):
    pytest.importorskip("ray")
    with pytest.raises(InputError, match=r"--address takes HOST:PORT of a cluster's head, or auto on one of its nodes"):
        run_at(address, tmp_path / "run")


def test_an_address_where_nothing_or_no_cluster_answers_is_one_sentence(tmp_path, monkeypatch, listener):
    pytest.importorskip("ray")
    monkeypatch.setattr("samplerbench.sweep.engine.ray.HEALTHY_S", 0.5)
    with pytest.raises(InputError, match=rf"What answers at --address 127.0.0.1:{listener} is no Ray cluster"):
        run_at(f"127.0.0.1:{listener}", tmp_path / "run")
    with pytest.raises(InputError, match=r"Nothing answers at --address 127.0.0.1:1 \("):
        run_at("127.0.0.1:1", tmp_path / "run")
    assert not (tmp_path / "run/run.lock").exists()


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("samplerbench.sweep.engine.ray.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"--engine ray needs Ray: pip install 'samplerbench\[ray\]'\."):
        Session(Sweep(methods="ddim", engine="ray", output=tmp_path / "run", **EXACT))
    assert not (tmp_path / "run").exists()
