"""Folders that diffusers saved: their configurations and their weights, read without running code from them."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from samplerbench.errors import InputError
from samplerbench.methods import FAULTS

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
READ = ("*.json", "*.safetensors", "*.txt")  # what is fetched from the hub
BIGGEST = 2**24  # bytes of a configuration
DEPTHS = {
    "layers_per_block", "num_layers", "num_single_layers", "transformer_layers_per_block", "norm_num_groups", "depth",
    "depths", "layers", "num_hidden_layers", "num_blocks",
}  # fmt: skip


def find_folder(name: str) -> Path:
    """A local folder, or a snapshot of the hub's repository of that name. Raises InputError if there is neither."""
    if Path(name).is_dir():
        return Path(name)
    if Path(name).exists() or not HUB_ID.fullmatch(name):
        raise InputError(f"There is no folder {name!r}: give a folder that diffusers saved, or a hub id as OWNER/NAME.")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=list(READ)))
    except FAULTS as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"There is no folder {name!r}, and the hub does not give it: {reason}") from error


def read_config(file: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises InputError if it is missing or holds anything else."""
    try:
        if file.stat().st_size > BIGGEST:
            raise InputError(f"{file} is too long for a configuration.")
        config = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not JSON: {error}.") from error
    if not isinstance(config, dict):
        raise InputError(f"{file} holds {type(config).__name__}, not a configuration.")
    return config


def component(folder: Path, *names: str) -> Path:
    """The sub-folder of a component, or the folder itself where a single network was saved there."""
    return next((folder / name for name in names if (folder / name).is_dir()), folder)


def load_module(cls: type, folder: Path) -> Any:
    """The diffusers model of this class in a folder, in evaluation mode, its shapes compared before memory is taken.

    Raises InputError if its configuration is impossible or its weights are missing, damaged or others'.
    """
    config, files = read_config(folder / "config.json"), weight_files(folder)
    found = tensor_shapes(files)
    check_depth(config, len(found), folder)
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in _build(cls, config, folder).state_dict().items()}
    if found != expected:
        name = next(name for name in (*expected, *found) if expected.get(name) != found.get(name))
        raise InputError(
            f"{files[0]} does not fit its config.json: {name} is {found.get(name, 'missing')}, "
            f"and {expected.get(name, 'nothing')} by the configuration."
        )
    module = _build(cls, config, folder)
    try:
        module.load_state_dict({name: value for file in files for name, value in load_file(file).items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(f"{files[0]} cannot be loaded: {' '.join(str(error).split())[:200]}") from error
    return module.eval()


def _build(cls: Any, config: Mapping[str, Any], folder: Path) -> nn.Module:
    from diffusers.utils import logging

    logging.set_verbosity_error()  # it comments on every key that it does not know
    try:
        return cls.from_config(dict(config))
    except FAULTS as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder / 'config.json'} describes no {cls.__name__}: {reason}") from error


def weight_files(folder: Path) -> list[Path]:
    """The .safetensors files of a folder, without its half precision and averages. Raises InputError without any."""
    files = sorted(file for file in folder.glob("*.safetensors") if "fp16" not in file.name and "ema" not in file.name)
    files = files or sorted(folder.glob("*.safetensors"))
    if not files:
        pickles = [file.name for ending in ("bin", "pt", "pth", "ckpt") for file in sorted(folder.glob(f"*.{ending}"))]
        instead = f"; {pickles[0]} may run code when it is read, so it is not" if pickles else ""
        raise InputError(f"{folder} has no .safetensors weights{instead}: save them with safe_serialization=True.")
    return files


def tensor_shapes(files: list[Path]) -> dict[str, tuple[int, ...]]:
    """The shapes of all tensors in these files, from their headers alone."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                shapes |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path} is damaged or not a safetensors file: {error}.") from error
    return shapes


def check_depth(config: Mapping[str, Any], tensors: int, folder: Path) -> None:
    """Raises InputError for more layers than there are weights, before any are built."""
    for key in DEPTHS & config.keys():
        numbers = config[key] if isinstance(config[key], list) else [config[key]]
        if any(isinstance(number, int) and number > tensors for number in numbers):
            raise InputError(
                f"{folder / 'config.json'} has {key} {config[key]}, but there are weights for {tensors} tensors only."
            )
    for key, value in config.items():
        if isinstance(value, list) and len(value) > max(tensors, 8):
            raise InputError(f"{folder / 'config.json'} lists {len(value)} {key} for the weights of {tensors} tensors.")
