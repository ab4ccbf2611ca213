from pathlib import Path

import pytest

from samplerbench.models import load, save, shipped
from samplerbench.sweep.cell_key import cell_key
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.prepare import prepare

pytestmark = pytest.mark.usefixtures("elsewhere")


def key(**options) -> str:
    prepared = prepare(Sweep(**{"methods": "flow", "steps": "2", "samples": 80, "device": "cpu"} | options))
    return cell_key(prepared.jobs[0], prepared)


def test_everything_that_determines_a_row_is_part_of_its_key(monkeypatch):
    plain = key()
    changes = [
        {"methods": "flow[solver=heun]"}, {"steps": "3"}, {"grid": "quadratic"}, {"guidance": "2"},
        {"samples": 90}, {"seeds": "1"}, {"batch_size": 30}, {"metrics": "fid"}, {"timing": False},
        {"dtype": "bfloat16"}, {"save_images": True}, {"recipe": "reflow"},
    ]  # fmt: skip
    keys = [plain, *(key(**change) for change in changes)]
    assert len(set(keys)) == len(keys)
    assert key() == plain
    monkeypatch.setattr("samplerbench.sweep.cell_key.code_digest", lambda *roots: "changed")
    assert key() != plain


def test_other_weights_are_another_cell():
    plain, guided = key(), key(guidance="auto")
    weak = load(shipped("digits", "flow-weak"))
    save(Path("checkpoints/digits/flow.safetensors"), weak.weights, weak.metadata)
    assert key() != plain
    Path("checkpoints/digits/flow.safetensors").rename("checkpoints/digits/flow-weak.safetensors")
    assert key() == plain
    assert key(guidance="auto") != guided


def test_other_conditions_are_another_cell(few, few_weights):
    of_few = {"recipe": "text", "dataset": "few", "weights": few_weights, "samples": 20, "metrics": "prompt_accuracy"}
    file = Path("prompts.txt")
    file.write_text("a two\n")
    plain, two = key(**of_few), key(condition="text[prompts=prompts.txt]", **of_few)
    file.write_text("a three\n")
    assert len({plain, two, key(condition="text[prompts=prompts.txt]", **of_few)}) == 3
    file.write_text("\na  two\n")
    assert key(condition="text[prompts=prompts.txt]", **of_few) == two
