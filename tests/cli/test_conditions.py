"""--condition: what it does, and what is wrong with it, in one sentence."""

from pathlib import Path

import pytest


@pytest.fixture
def command(few, few_weights):
    return ["--dataset", "few", "--weights", few_weights, "--steps", "1", "--recipe"]


@pytest.mark.parametrize(
    ("recipe", "condition", "message"),
    [
        ("text", "inpaint", "no network here takes the condition 'inpaint'"),
        ("text", "texts", "No condition is named 'texts'. Did you mean 'text'?"),
        ("text", "text[prompts=prompts.txt]", "has an unknown word 'zebra'"),
        ("text", "text[prompts=none.txt]", "none.txt cannot be read as text"),
        ("inpaint", "inpaint[mask=middle]", "middle"),
    ],
)
@pytest.mark.parametrize("name", ["run", "sample"])
def test_a_wrong_condition_is_one_sentence_and_exit_code_2(name, recipe, condition, message, command, invoke):
    Path("prompts.txt").write_text("a thin zebra\n")
    method = ["run", "--methods", "flow"] if name == "run" else ["sample", "flow"]
    result = invoke(*method, *command, recipe, "--condition", condition)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr


def test_a_condition_without_a_network_to_take_it_is_refused(invoke):
    result = invoke("run", "--methods", "flow", "--steps", "1", "--condition", "text")
    assert result.exit_code == 2
    assert result.stderr == "Error: --condition has no effect: no network here takes the condition 'text'.\n"


def test_sample_draws_what_the_condition_says(command, invoke):
    Path("prompts.txt").write_text("a two\n")
    arguments = ["sample", "flow", *command, "text", "--count", "2", "--output"]
    for output, more in (("a.png", []), ("b.png", ["--condition", "text[prompts=prompts.txt]"])):
        result = invoke(*arguments, output, *more)
        assert result.exit_code == 0, result.output
    assert Path("a.png").read_bytes() != Path("b.png").read_bytes()
