"""How verdicts read, and what a machine reads of them."""

import json
from xml.etree import ElementTree

import pytest

from samplerbench.regression.compare import Verdict
from samplerbench.regression.verdicts import render

VERDICTS = [
    Verdict("ddim, 10 steps", "nfe", 10, 10, "ok", "10 and 10"),
    Verdict("ddim, 10 steps", "fid", 3.0, 4.0, "regression", "3 became 4: <worse> & |bounds|"),
    Verdict("ddim, 10 steps", "latency_s", 1.0, 1.2, "info", "shown"),
    Verdict("flow, 10 steps", "", None, None, "missing", "the new run has no such cell"),
    Verdict("pf_ode, 10 steps", "fid", 3.0, float("nan"), "inconclusive", "wide"),
]


def test_text_names_cell_figure_and_reason_of_what_is_not_ok_and_counts_the_rest():
    assert render(VERDICTS, "text").splitlines() == [
        "regression   ddim, 10 steps: fid: 3 became 4: <worse> & |bounds|",
        "missing      flow, 10 steps: the new run has no such cell",
        "inconclusive pf_ode, 10 steps: fid: wide",
        "1 regression, 1 missing, 1 inconclusive, 1 ok",
    ]


def test_markdown_has_a_table_with_as_many_columns_in_every_line():
    text = render(VERDICTS, "markdown")
    lines = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {7}
    assert "❌ regression | ddim, 10 steps | fid | 3 | 4 |" in text
    assert "<details><summary>2 other figures</summary>" in text


def test_json_is_json_also_with_nan():
    rows = json.loads(render(VERDICTS, "json"), parse_constant=lambda name: pytest.fail(name))
    assert [row["status"] for row in rows] == ["regression", "missing", "inconclusive", "ok", "info"]


def test_junit_fails_what_regressed_and_skips_what_is_uncertain():
    suite = ElementTree.fromstring(render(VERDICTS, "junit"))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "2", "1")
    failed = {case.get("classname"): case[0].get("message") for case in suite.findall("testcase[failure]")}
    assert failed["ddim, 10 steps"] == "3 became 4: <worse> & |bounds|"
    assert set(failed) == {"ddim, 10 steps", "flow, 10 steps"}
