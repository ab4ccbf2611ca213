"""run.json keeps what every session did."""

from samplerbench.store.sessions import sessions, with_session


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
