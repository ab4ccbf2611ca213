"""Damaged and hostile files of models: one sentence, no traceback, no code run, no memory taken for what they claim."""

import json
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel
from torch import nn

from samplerbench.errors import InputError
from samplerbench.methods import SpecError
from samplerbench.models import CheckpointError, shipped
from samplerbench.networks import load_weights
from samplerbench.networks.model import get_model, load_model

LIMIT = 5.0  # seconds for one file, of which most take milliseconds
HOSTILE = [None, -1, 65536, 10**30, float("nan"), "x", [10**9] * 4, {"a": 1}]


class Bomb:
    """Runs code when it is unpickled."""

    def __init__(self, canary: Path):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A pipeline as diffusers saves it."""
    folder = tmp_path_factory.mktemp("saved")
    unet = UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=(8,), norm_num_groups=4,
        down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), add_attention=False,
    )  # fmt: skip
    DDIMPipeline(unet, DDIMScheduler()).save_pretrained(folder)
    return folder


def copied(saved: Path, folder: Path) -> Path:
    for file in saved.rglob("*"):
        if file.is_file():
            target = folder / file.relative_to(saved)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return folder


def refused(spec: str, may_load: bool = False) -> str:
    """The one sentence with which a spec is refused; empty if it loads, which few of them may."""
    begun, message = time.perf_counter(), ""
    try:
        load_model(get_model(spec), torch.device("cpu"), torch.float32)
    except (InputError, SpecError, CheckpointError) as error:
        message = str(error)
    assert time.perf_counter() - begun < LIMIT
    assert message or may_load, f"{spec} was loaded"
    assert "\n" not in message
    assert len(message) < 1500
    return message


CONFIG, SCHEDULER = Path("unet/config.json"), Path("scheduler/scheduler_config.json")
WEIGHTS = Path("unet/diffusion_pytorch_model.safetensors")


@pytest.mark.parametrize("file", [CONFIG, SCHEDULER], ids=["unet", "scheduler"])
def test_no_value_in_a_configuration_does_harm(saved, tmp_path, file):
    """Every key takes every hostile value: it is refused in a sentence, or makes no difference."""
    folder, config = copied(saved, tmp_path), json.loads((saved / file).read_text())
    told = 0
    for key in config:
        for value in HOSTILE:
            (folder / file).write_text(json.dumps(config | {key: value}))
            told += bool(refused(f"diffusers:{folder}", may_load=True))
    assert told > (60 if file == CONFIG else 20)


def header(size: int, text: bytes = b"{}") -> bytes:
    return size.to_bytes(8, "little") + text


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "one byte": lambda data: data[:1],
    "no header": lambda data: data[:8],
    "half": lambda data: data[: len(data) // 2],
    "without its end": lambda data: data[:-1],
    "text": lambda data: b"not a file of weights",
    "zip": lambda data: b"PK\x03\x04" + data[4:],
    "endless header": lambda data: header(2**63 - 1, data[8:]),
    "header beyond the end": lambda data: header(len(data) * 2, data[8:]),
    "header is no JSON": lambda data: header(8, b"{{{{{{{{"),
    "header is a list": lambda data: header(2, b"[]"),
    "no tensors": lambda data: header(2, b"{}"),
    "offsets overlap": lambda data: data.replace(b'"data_offsets":[0,', b'"data_offsets":[4,', 1),
    "another dtype": lambda data: data.replace(b'"dtype":"F32"', b'"dtype":"F99"', 1),
    "another shape": lambda data: data.replace(b'"shape":[32]', b'"shape":[99]', 1),
    "zeros": lambda data: bytes(len(data)),
    "reversed": lambda data: data[::-1],
}  # fmt: skip


@pytest.mark.parametrize("damage", BROKEN)
def test_damaged_weights_of_diffusers(saved, tmp_path, damage):
    folder = copied(saved, tmp_path)
    (folder / WEIGHTS).write_bytes(BROKEN[damage]((saved / WEIGHTS).read_bytes()))
    assert str(folder) in refused(f"diffusers:{folder}")


@pytest.mark.parametrize("damage", [name for name in BROKEN if name not in ("another dtype", "another shape")])
def test_a_damaged_checkpoint_of_ours(tmp_path, damage):
    file = tmp_path / "net.safetensors"
    file.write_bytes(BROKEN[damage](shipped("digits", "ddpm").read_bytes()))
    assert str(file) in refused(str(file))


def test_random_bytes_of_a_header_change_nothing_in_silence(tmp_path):
    """A flipped byte in the header: refused, or the same network (a name's order, white space)."""
    data, file = shipped("digits", "ddpm").read_bytes(), tmp_path / "net.safetensors"
    length = int.from_bytes(data[:8], "little")
    generator = np.random.default_rng(0)
    for place in generator.integers(0, 8 + length, 30):
        changed = bytearray(data)
        changed[place] ^= 1 << int(generator.integers(8))
        file.write_bytes(changed)
        refused(str(file), may_load=True)


def test_a_claim_of_65536_channels_is_refused_before_memory_is_taken(tmp_path):
    data = shipped("digits", "ddpm").read_bytes()
    length = int.from_bytes(data[:8], "little")
    text = data[8 : 8 + length].replace(rb"\"channels\": 32", rb"\"channels\": 65536")
    assert text != data[8 : 8 + length]
    file = tmp_path / "net.safetensors"
    file.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    assert "by its architecture" in refused(str(file))


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (CONFIG, None, "config.json cannot be read: No such file"), (CONFIG, "", "is not JSON"),
        (CONFIG, "[]", "holds list, not a configuration"), (CONFIG, "[" * 100_000, "is not JSON"),
        (CONFIG, '{"_class_name": "os.system"}', "'os.system' are not supported"), (CONFIG, "{}", "names no class"),
        (SCHEDULER, None, "has no scheduler_config.json"), (SCHEDULER, "{}", "defines neither betas nor flow matching"),
        (SCHEDULER, "\x00", "is not JSON"), (WEIGHTS, None, "has no .safetensors weights"),
        (SCHEDULER, '{"beta_schedule": "linear", "beta_start": NaN}', "beta_start of the scheduler must lie"),
        (SCHEDULER, '{"beta_schedule": "moon"}', "beta_schedule 'moon' is not supported"),
        (SCHEDULER, '{"beta_schedule": "linear", "num_train_timesteps": 1e9}', "num_train_timesteps of"),
    ],
)  # fmt: skip
def test_a_damaged_folder_is_one_sentence(saved, tmp_path, file, text, message):
    folder = copied(saved, tmp_path)
    (folder / file).unlink()
    if text is not None:
        (folder / file).write_text(text)
    assert message in refused(f"diffusers:{folder}")


def test_pickled_weights_of_diffusers_are_not_read(saved, tmp_path):
    folder, canary = copied(saved, tmp_path / "model"), tmp_path / "canary"
    (folder / WEIGHTS).unlink()
    torch.save({"a": Bomb(canary)}, (folder / WEIGHTS).with_suffix(".bin"))
    assert "may run code when it is read" in refused(f"diffusers:{folder}")
    assert not canary.exists()


def test_a_spec_that_names_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "net.pt").write_bytes(b"PK")
    for spec in ("nothing", "diffusers:", "diffusers:absent", "absent.safetensors", ".", "net.pt", "a:b:c", "x" * 5000):
        refused(spec)


# PyTorch files, through `load_weights`.


class Layer(nn.Linear):
    def __init__(self):
        super().__init__(3, 2)


def torch_files(folder: Path, canary: Path) -> dict[str, object]:
    """By name, what is saved, or the bytes of the file."""
    good = Layer().state_dict()
    whole = folder / "whole"
    torch.save(good, whole)
    data = whole.read_bytes()
    return {
        "bomb": {"weight": Bomb(canary)}, "pickled": pickle.dumps(Bomb(canary)), "module": Layer(), "list": [1, 2],
        "number": 3, "no tensors": {"weight": 1}, "nested": {"ema": good}, "empty": {}, "nothing": b"",
        "half": data[: len(data) // 2], "text": b"hello", "zip alone": b"PK\x03\x04", "zeros": bytes(1000),
        "short": {**good, "bias": torch.zeros(1)}, "more": {**good, "more": torch.zeros(1)},
        "less": {"weight": good["weight"]}, "prefixed": {f"module.{name}": value for name, value in good.items()},
        "number as a name": {1: torch.zeros(1)},
    }  # fmt: skip


def test_pytorch_files_are_weights_or_refused(tmp_path):
    canary = tmp_path / "canary"
    for name, content in torch_files(tmp_path, canary).items():
        file = tmp_path / f"{name}.pt"
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            torch.save(content, file)
        with pytest.raises(InputError) as caught:
            load_weights(Layer, file)
        assert str(file) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not canary.exists()


def test_pytorch_files_are_read_by_key_and_without_a_prefix(tmp_path):
    layer, file = Layer(), tmp_path / "net.pt"
    torch.save({"state": {"ema": {f"module.{name}": value for name, value in layer.state_dict().items()}}}, file)
    found = load_weights(Layer, file, key="state.ema", prefix="module.")
    torch.testing.assert_close(found.weight, layer.weight)
    with pytest.raises(InputError, match="has no 'raw': it holds ema"):
        load_weights(Layer, file, key="state.raw")
