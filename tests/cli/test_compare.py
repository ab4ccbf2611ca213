import pytest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give two runs"),
        (["one"], "Give two runs"),
        (["one", "two", "--against", "main"], "leave out BASELINE and CURRENT"),
        (["one", "two", "--run", "--steps 5"], "give --against GIT_REF"),
        (["one", "two", "--fail-on", "fidd:2%"], "Did you mean 'fid'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_one_sentence_without_the_usage(arguments, message, invoke):
    result = invoke("compare", *arguments)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert message in line


def test_the_exit_code_is_that_of_the_verdicts(invoke, tmp_path, write_run, cell):
    run = write_run(tmp_path / "run", cell("a", 5.0))
    worse = write_run(tmp_path / "worse", cell("a", 50.0))
    other = write_run(tmp_path / "other", cell("a", 5.0, protocol="q"))
    assert "ok" in invoke("compare", run, run).stdout
    assert [invoke("compare", run, each).exit_code for each in (run, worse, other)] == [0, 1, 3]
    assert invoke("compare", run, worse, "--format", "json").stdout.startswith("[")
