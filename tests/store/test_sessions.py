"""run.json keeps what every session did."""

import json

import pytest

from samplerbench.errors import InputError
from samplerbench.store.protocol import protocol_facts
from samplerbench.store.results import load
from samplerbench.store.run_directory import RunDirectory
from samplerbench.store.sessions import SCHEMA, read_facts, sessions, with_seconds, with_session


def test_each_session_is_kept_and_the_weights_are_those_of_all(facts):
    first = with_session({}, facts)
    assert [session["command"] for session in first["sessions"]] == ["bench run --methods a"]
    later = {"command": "bench run --methods b", "checkpoints": {"flow": "x/flow.safetensors 2"}, "commit": "d+"}
    both = with_session(first, facts | later | {"columns": [{"name": "kid"}]})
    assert [session["command"] for session in both["sessions"]] == ["bench run --methods a", "bench run --methods b"]
    assert [session["commit"] for session in both["sessions"]] == ["c", "d+"]
    assert [session["checkpoints"] for session in both["sessions"]] == [facts["checkpoints"], later["checkpoints"]]
    assert both["checkpoints"] == {"ddpm": "shipped 1", "flow": "x/flow.safetensors 2"}
    assert both["command"] == "bench run --methods b", "older readers see the latest"
    assert [column["name"] for column in both["columns"]] == ["fid", "kid"]


def test_an_older_run_recorded_its_last_session(facts):
    older = {key: value for key, value in facts.items() if key != "grids"}
    assert [session["command"] for session in sessions(older)] == ["bench run --methods a"]
    assert len(with_session(older, facts)["sessions"]) == 2


def test_a_run_of_a_newer_version_is_refused_by_every_reader_and_an_older_one_is_read(tmp_path, facts, fill):
    fill(tmp_path, {"method": "a", "cell": "1", "status": "ok"})
    path = tmp_path / "run.json"
    written = json.loads(path.read_text())
    assert written["schema"] == SCHEMA
    path.write_text(json.dumps({key: value for key, value in written.items() if key != "schema"}))
    assert load(tmp_path).rows["method"].tolist() == ["a"]
    path.write_text(json.dumps({"schema": SCHEMA + 1, "another": "layout"}))
    message = rf"newer samplerbench \(schema {SCHEMA + 1}, .* up to {SCHEMA}\): update samplerbench"
    for read in (load, RunDirectory, read_facts, protocol_facts):
        with pytest.raises(InputError, match=message):
            read(tmp_path)
    path.write_text(json.dumps(written | {"schema": "two"}))
    with pytest.raises(InputError, match="its 'schema' is damaged"):
        read_facts(tmp_path)


def test_seconds_belong_to_their_own_session(facts):
    both = with_session(with_session({}, facts), facts)
    found = with_seconds(with_seconds(both, 0, {"network": 1.23456}), 1, {"report": 2.0})
    assert [each["seconds"] for each in found["sessions"]] == [{"network": 1.235}, {"report": 2.0}]
    assert "seconds" not in both["sessions"][0]
    assert "seconds" not in with_session(found, facts)["sessions"][2]
