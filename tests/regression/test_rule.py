"""The rules of the gate: defaults, those of --fail-on, and the direction of each field."""

import pytest

from samplerbench.errors import InputError
from samplerbench.metrics import base
from samplerbench.metrics.column import Column
from samplerbench.regression.rule import RULES, Rule, merge_rules, parse_rule

RECALL, SHARPNESS = Column("recall", better="higher"), Column("sharpness", better="higher", floor_spread="sharpness_sd")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("fid:2%", Rule("fid", relative=0.02, floor_spread="fid_floor_sd")),
        (" overhead_ratio : 0.05 ", Rule("overhead_ratio", absolute=0.05)),
        ("recall:0.5%", Rule("recall", relative=0.005, better="higher")),
        ("latency_p95_s:10%", Rule("latency_p95_s", relative=0.1)),
    ],
)
def test_a_rule_is_a_field_and_a_threshold(text, rule):
    assert parse_rule(text, [RECALL]) == rule


@pytest.mark.parametrize("text", ["fid", "fid:", "fid:x%", "fid:-1", "fid:2%%", ":2%"])
def test_anything_else_is_refused(text):
    with pytest.raises(InputError, match="FIELD:THRESHOLD"):
        parse_rule(text)


def test_a_metric_of_a_plug_in_that_is_not_installed_is_found_in_the_recorded_columns():
    assert parse_rule("sharpness:1%", [SHARPNESS]) == Rule(
        "sharpness", relative=0.01, better="higher", floor_spread="sharpness_sd"
    )


def test_a_metric_that_no_run_recorded_is_found_in_the_registry():
    assert parse_rule("recall:2%").better == "higher"
    assert parse_rule("kid:2%").better == "lower"
    assert parse_rule("fd:1%") == Rule("fd", relative=0.01, floor_spread="fd_floor_sd")


@pytest.mark.parametrize("field", ["fid", "nfe", "overhead_ratio", "latency_s", "sharpness"])
def test_the_registry_is_not_asked_otherwise(field, monkeypatch):
    monkeypatch.delattr(base, "METRICS")
    assert parse_rule(f"{field}:2%", [SHARPNESS]).field == field


def test_an_unknown_field_is_refused_with_the_nearest_one():
    for text, name in (("fidd:2%", "fid"), ("sharpnes:2%", "sharpness"), ("recal:2%", "recall")):
        with pytest.raises(InputError, match=f"Did you mean '{name}'"):
            parse_rule(text, [SHARPNESS])


def test_a_column_without_a_better_direction_is_refused():
    with pytest.raises(InputError, match="no field 'kid_se'"):
        parse_rule("kid_se:2%", [Column("kid_se")])


def test_given_rules_replace_the_defaults_and_extend_them():
    merged = merge_rules(["fid:5%", "latency_s:0.1"])
    assert [rule.field for rule in merged] == [rule.field for rule in RULES] + ["latency_s"]
    assert next(rule for rule in merged if rule.field == "fid").relative == 0.05
    assert merge_rules([]) == list(RULES)


def test_a_fall_of_what_should_be_high_is_worse():
    assert Rule("recall", better="higher").worsening(0.8, 0.7) == pytest.approx(0.1)
    assert Rule("fid").worsening(3.0, 2.0) == -1.0


def test_the_margin_is_the_larger_of_both_limits():
    rule = Rule("fid", relative=0.1, absolute=0.5)
    assert [rule.margin(value) for value in (1.0, 5.0, -10.0)] == [0.5, 0.5, 1.0]


def test_a_rule_reads_as_a_sentence():
    assert str(Rule("fid", relative=0.02, absolute=0.05)) == "fid may rise by 2 % or 0.05"
    assert str(Rule("recall", better="higher", relative=0.02)) == "recall may fall by 2 %"
    assert str(Rule("gflops_per_image", relative=1e-6)) == "gflops_per_image may rise by nothing"
