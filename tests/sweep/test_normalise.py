from pathlib import Path

import pytest

from samplerbench.errors import InputError
from samplerbench.methods import METHODS, SpecError
from samplerbench.sweep.jobs import expand
from samplerbench.sweep.normalise import normalise
from samplerbench.sweep.options import Sweep


def test_lists_may_be_sequences_text_or_single_values():
    assert normalise(Sweep(methods=["ddim", "flow"], steps=[10, 50])) == normalise(Sweep("ddim,flow", "10,50"))
    assert normalise(Sweep(seeds="0-2,7")).seeds == normalise(Sweep(seeds=[0, 1, 2, 7])).seeds == (0, 1, 2, 7)
    one = normalise(Sweep("ddim", steps=10, seeds=3, guidance=2, batch_size="8", output=Path("here")))
    assert (one.steps, one.seeds, one.guidance, one.batch_size, one.output) == ((10,), (3,), ("2",), 8, "here")


def test_all_is_every_method():
    assert normalise(Sweep("all")).methods == tuple(METHODS.names())


def test_exact_data_are_neither_timed_nor_run_at_low_precision():
    sweep = normalise(Sweep("ddim", dataset="mixture"))
    assert (sweep.timing, sweep.dtype, sweep.device) == (False, "float64", "cpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": "0"}, "--steps must be 1 or more, not 0"),
        ({"steps": "ten"}, "--steps takes whole numbers separated by commas, not 'ten'"),
        ({"steps": [None]}, "--steps takes whole numbers"),
        ({"steps": "10", "nfe": "10"}, "give one of them"),
        ({"samples": 1}, "--samples must lie between 2"),
        ({"samples": -5}, "--samples must lie between 2"),
        ({"samples": "many"}, "--samples takes whole numbers"),
        ({"batch_size": 0}, "--batch-size must be at least 1"),
        ({"batch_size": "most"}, "--batch-size takes a whole number or auto, not 'most'"),
        ({"dataset": "mixture", "batch_size": "auto"}, "leave out --batch-size auto"),
        ({"dataset": "mixture", "cuda_graph": True}, "leave out --cuda-graph"),
        ({"seeds": "-1"}, "--seeds takes whole numbers"),
        ({"seeds": "4-2"}, "--seeds is empty"),
        ({"seeds": "4096"}, "--seeds must be below 4096"),
        ({"methods": ""}, "--methods is empty"),
        ({"dtype": "float33"}, "Did you mean 'float32'?"),
        ({"quality": False, "timing": False}, "leave nothing to measure"),
        ({"quality": False, "samples": 10}, "--samples has no effect with --no-quality"),
        ({"quality": False, "metrics": "fid"}, "--metrics has no effect with --no-quality"),
        ({"preset": "cifar10"}, "add --no-quality"),
        ({"preset": "cifar", "quality": False}, "Did you mean 'cifar10'?"),
        ({"preset": "cifar10", "quality": False, "dataset": "digits"}, "leave out --dataset"),
        ({"preset": "cifar10", "quality": False, "weights": "mine"}, "leave out --weights"),
        ({"preset": "cifar10", "quality": False, "guidance": "2"}, "leave out --guidance"),
        ({"quality": False, "data_root": "here"}, "--data-root has no effect"),
        ({"methods": "flow[solver=dopri5]", "steps": "10"}, "have no effect"),
        ({"methods": "flow[solver=dopri5]", "grid": "karras"}, "have no effect"),
        ({"methods": "bespoke", "grid": "karras"}, "brings its own times"),
        ({"steps": "1001", "grid": "leading"}, "cannot make 1001 steps"),
        ({"dataset": "digit"}, "Did you mean 'digits'?"),
        ({"grid": "kerras"}, "Did you mean 'karras'?"),
        ({"recipe": "flows"}, "Did you mean 'flow'?"),
        ({"guidance": "cgf"}, "Did you mean 'cfg'?"),
        ({"guidance": ""}, "--guidance is empty"),
        ({"dataset": "mixture", "dtype": "bfloat16"}, "leave out --dtype"),
        ({"dataset": "mixture", "weights": "x"}, "leave out --weights"),
        ({"dataset": "mixture", "compile": True}, "leave out --compile"),
        ({"dataset": "mixture", "quality": False}, "leave out --no-quality"),
        ({"dataset": "mixture", "guidance": "auto"}, "leave out --guidance"),
    ],
    ids=str,
)
def test_what_cannot_run_is_found_before_anything_does(options, message):
    with pytest.raises((InputError, SpecError)) as caught:
        expand(normalise(Sweep(**options)))
    assert message in str(caught.value)


def test_a_folder_without_its_kind_is_one_sentence_unless_a_data_set_has_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pngs").mkdir()
    (tmp_path / "digits").mkdir()
    assert normalise(Sweep()).dataset == "digits"
    assert normalise(Sweep(data="digits")).dataset == "digits"
    with pytest.raises(InputError, match="'pngs' is a folder: write folder:pngs"):
        normalise(Sweep(data="pngs"))
