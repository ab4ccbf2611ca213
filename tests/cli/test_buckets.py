"""Commands on a run directory under a URL."""


def test_a_run_in_a_bucket_is_reported_compared_and_resumed(invoke, tmp_path):
    where = f"file://{tmp_path}/bucket/run"
    words = "--data mixture --methods ddim --steps 2 --samples 60 --batch-size 60".split()
    assert "ddim 2 steps, uniform done" in invoke("run", *words, "--output", where).stderr
    assert (tmp_path / "bucket/run/report.html").is_file()
    assert f"1 of 1 cells are already measured in {where}" in invoke("run", *words, "--output", where).stderr
    (tmp_path / "bucket/run/report.md").unlink()
    assert f"Report: {where}/report.md" in invoke("report", where).stdout
    assert "ddim" in (tmp_path / "bucket/run/report.md").read_text()
    assert "finished     1" in invoke("status", f"file://{tmp_path}/bucket").stdout
    compared = invoke("compare", where, where)
    assert (compared.exit_code, "ok" in compared.stdout) == (0, True)
    assert invoke("baseline", "update", where, "--reason", "first").exit_code == 0


def test_a_url_that_cannot_be_opened_is_one_sentence(invoke):
    for words in (("status",), ("report",), ("compare", "run"), ("run", "--methods", "ddim", "--output")):
        result = invoke(*words, "nowhere://bucket/run")
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: No storage is named 'nowhere', as in 'nowhere://bucket/run'.")
