"""How verdicts read, what a machine reads of them, and the exit code."""

import json
from xml.etree import ElementTree

import pytest

from samplerbench.regression.verdicts import Verdict, exit_code, render, summary

VERDICTS = [
    Verdict("ddim, 10 steps", "nfe", 10, 10, "ok", "10 and 10"),
    Verdict("ddim, 10 steps", "fid", 3.0, 4.0, "regression", "3 became 4: <worse> & |bounds|"),
    Verdict("ddim, 10 steps", "latency_s", 1.0, 1.2, "info", "shown"),
    Verdict("flow, 10 steps", "", None, None, "missing", "the new run has no such cell"),
    Verdict("pf_ode, 10 steps", "fid", 3.0, float("nan"), "inconclusive", "wide"),
]


@pytest.mark.parametrize(
    ("statuses", "plain", "strict"),
    [
        ([], 0, 0),
        (["ok", "new", "info"], 0, 0),
        (["ok", "inconclusive"], 0, 4),
        (["inconclusive", "regression"], 1, 1),
        (["missing"], 1, 1),
    ],
)
def test_the_exit_code_is_that_of_the_worst_verdict(statuses, plain, strict):
    verdicts = [Verdict("ddim", "fid", 1.0, 1.0, status, "") for status in statuses]
    assert (exit_code(verdicts, strict=False), exit_code(verdicts, strict=True)) == (plain, strict)


def test_text_shows_the_worst_first_and_counts_what_is_ok():
    assert render(VERDICTS, "text").splitlines() == [
        "regression   ddim, 10 steps: fid: 3 became 4: <worse> & |bounds|",
        "missing      flow, 10 steps: the new run has no such cell",
        "inconclusive pf_ode, 10 steps: fid: wide",
        "1 regression, 1 missing, 1 inconclusive, 1 ok",
    ]
    assert summary([]) == "nothing to compare"


def test_markdown_has_a_table_with_as_many_columns_in_every_line():
    text = render(VERDICTS, "markdown")
    lines = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {7}
    assert "❌ regression | ddim, 10 steps | fid | 3 | 4 |" in text
    assert "<details><summary>2 other metrics</summary>" in text


def test_json_has_no_nan():
    rows = json.loads(render(VERDICTS, "json"), parse_constant=lambda name: pytest.fail(name))
    assert [row["status"] for row in rows] == ["regression", "missing", "inconclusive", "ok", "info"]
    assert rows[2] == {
        "cell": "pf_ode, 10 steps", "field": "fid", "baseline": 3.0, "current": None, "status": "inconclusive",
        "reason": "wide",
    }  # fmt: skip


def test_junit_fails_regressions_and_skips_what_is_uncertain():
    suite = ElementTree.fromstring(render(VERDICTS, "junit"))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "2", "1")
    failed = {case.get("classname"): case[0].get("message") for case in suite.findall("testcase[failure]")}
    assert failed["ddim, 10 steps"] == "3 became 4: <worse> & |bounds|"
    assert set(failed) == {"ddim, 10 steps", "flow, 10 steps"}
