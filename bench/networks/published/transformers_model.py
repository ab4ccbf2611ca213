"""Models in folders that transformers saved, loaded without running code or fetching anything."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from samplerbench.errors import InputError
from samplerbench.methods import FAULTS
from samplerbench.networks.published.folder import check_depth, read_config, tensor_shapes, weight_files

# Keys of a configuration that name something elsewhere, such as code to run or a kernel or backbone to fetch.
REFUSED = {"auto_map", "attn_implementation", "_attn_implementation", "quantization_config", "backbone",
           "use_pretrained_backbone"}  # fmt: skip
Check = Callable[[nn.Module, Path], None]
Unused = Callable[[nn.Module, str], bool]


def never(net: nn.Module, name: str) -> bool:
    """A model uses all of its weights."""
    return False


def load_pretrained(folder: Path, check: Check, unused: Unused = never) -> nn.Module:
    """The model of a folder, in float32 and frozen, its size compared with that of its weights before memory is taken.

    check: raises InputError for a model, on the meta device, that is not of the right kind. unused: whether a model
    does without the weight of that name.
    Raises InputError for a folder that is damaged, or that would run or fetch code.
    """
    config, files = read_config(folder / "config.json"), weight_files(folder)
    for part in _parts(config):
        refused = sorted(key for key in REFUSED & part.keys() if part[key])
        if refused:
            raise InputError(f"{folder / 'config.json'} has {refused[0]}, which may fetch or run code: remove it.")
    shapes = tensor_shapes(files)
    check_depth(config, len(shapes), folder)
    try:
        from transformers import AutoConfig, AutoModel
        from transformers.utils import logging
    except ImportError as error:
        raise InputError("transformers is not installed: pip install 'samplerbench[encoders]'.") from error
    logging.set_verbosity_error()  # it lists the weights that a model does not use, such as those of a classifier
    logging.disable_progress_bar()
    try:
        described = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            skeleton = AutoModel.from_config(described, trust_remote_code=False)
        check(skeleton, folder)
        _check_size(skeleton, shapes, files[0])
        with torch.random.fork_rng(devices=[]):
            net, found = AutoModel.from_pretrained(
                folder, config=described, local_files_only=True, trust_remote_code=False, use_safetensors=True,
                output_loading_info=True,
            )  # fmt: skip
    except InputError:
        raise
    except FAULTS as error:
        reason = " ".join(str(error).split())[:150]
        raise InputError(f"{folder} cannot be loaded by transformers: {type(error).__name__}: {reason}") from error
    _check_complete([name for name in found["missing_keys"] if not unused(net, name)], files[0])
    return net.float().requires_grad_(False).eval()


def _parts(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A configuration and those inside it."""
    yield config
    for value in config.values():
        if isinstance(value, dict):
            yield from _parts(value)


def _check_size(net: nn.Module, shapes: dict[str, tuple[int, ...]], file: Path) -> None:
    """Raises InputError for a model with more parameters than the file, which may hold a head besides."""
    ours = sum(value.numel() for name, value in net.named_parameters() if not name.startswith("pooler."))
    theirs = sum(torch.Size(shape).numel() for shape in shapes.values())
    if ours > theirs:
        raise InputError(f"{file} holds {theirs} numbers, and by its config.json the model has {ours}.")


def _check_complete(missing: Iterable[str], file: Path) -> None:
    """Raises InputError for weights that would be random."""
    needed = sorted(missing)
    if needed:
        raise InputError(f"{file} does not fit its config.json: {needed[0]} is missing.")
