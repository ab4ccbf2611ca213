"""Encoders in folders that timm wrote for the hub."""

import inspect
import re
from dataclasses import dataclass, field
from math import floor
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from samplerbench.data.dataset import digest
from samplerbench.errors import InputError
from samplerbench.methods import FAULTS
from samplerbench.metrics.encoders.base import ENCODERS, Encoder, check_colours
from samplerbench.metrics.encoders.preparation import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Preparation,
    encoding_of,
    read_preparation,
)
from samplerbench.networks.published.folder import check_depth, read_config, tensor_shapes

WEIGHTS = "model.safetensors"
CROPPED = 0.875  # timm's default of crop_pct


@ENCODERS.register("timm")
@dataclass(frozen=True)
class TimmEncoder(Encoder):
    """A network of timm in a folder as `timm.models.push_to_hf_hub` writes it: config.json and model.safetensors.

    The features are the class token after the last norm, or where there is none the pooled features before the
    classifier. Images are prepared as the folder's pretrained_cfg says. Nothing is downloaded.
    folder: it may be a clone or a snapshot of a repository of the hub.
    """

    folder: str = field(metadata={"argument": "DIR"})

    meaning = "a network of timm, whose weights the protocol records"

    def load(self, shape, device):
        check_colours(shape, self.name)
        folder = Path(self.folder).expanduser()
        if not folder.is_dir():
            raise InputError(f"There is no folder {self.folder!r}: give one with config.json and {WEIGHTS} of timm.")
        preparation = read_preparation(folder / "config.json", _preparation)
        config, weights = read_config(folder / "config.json"), folder / WEIGHTS
        net = _load(config, weights).to(device)
        hashed = digest(*(value for _, value in sorted(net.state_dict().items())))
        return encoding_of(lambda images: features(net, images), preparation, hashed, device,
                           f"timm {config['architecture']}", folder)  # fmt: skip


def features(net: Any, images: Tensor) -> Tensor:
    """The class token (B, D), or the pooled features where there is none, of prepared images (B, 3, H, W)."""
    found = net.forward_features(images)
    if getattr(net, "cls_token", None) is not None and found.ndim == 3:
        return found[:, 0]
    return net.forward_head(found, pre_logits=True)


def _preparation(config: dict[str, Any]) -> Preparation:
    """timm's transform for evaluation, from the configuration of a folder."""
    facts = config.get("pretrained_cfg", config)  # older folders have its entries at the top
    channels, side, width = facts["input_size"]
    mode, filter = facts.get("crop_mode") or "center", facts.get("interpolation") or "bicubic"
    if channels != 3 or side != width or mode not in ("center", "squash"):
        raise ValueError(f"images of {facts['input_size']} with crop_mode {mode!r} are not supported")
    size = floor(side / (facts.get("crop_pct") or CROPPED))
    mean, std = (tuple(map(float, facts.get(key) or default)) for key, default in
                 (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)))  # fmt: skip
    resized = size if mode == "center" else (size, size)
    return Preparation(resized, None if size == side == width else side, mean, std, Image.Resampling[filter.upper()])


def _load(config: dict[str, Any], weights: Path) -> nn.Module:
    """The network of a configuration, its shapes compared before memory is taken. Raises InputError."""
    if not weights.is_file():
        raise InputError(f"There is no {weights}: save it with safetensors; pickled weights could run code.")
    found, options = tensor_shapes([weights]), config.setdefault("model_args", {})
    if not isinstance(options, dict):
        raise InputError(f"{weights.parent / 'config.json'} has no model_args by name, but {options!r:.100}.")
    check_depth(options, len(found), weights.parent)
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in _build(config, weights.parent).state_dict().items()}
    if found != expected:
        name = next(name for name in (*expected, *found) if expected.get(name) != found.get(name))
        raise InputError(
            f"{weights} does not fit its config.json: {name} is {found.get(name, 'missing')}, and "
            f"{expected.get(name, 'nothing')} by the configuration."
        )
    with torch.random.fork_rng(devices=[]):
        net = _build(config, weights.parent)
    try:
        net.load_state_dict(load_file(weights))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise InputError(f"{weights} cannot be loaded: {' '.join(str(error).split())[:200]}") from error
    return net.float().requires_grad_(False).eval()


def _build(config: dict[str, Any], folder: Path) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise InputError("timm is not installed: pip install 'samplerbench[encoders]'.") from error
    file, name, options = folder / "config.json", config.get("architecture"), config["model_args"]
    if not isinstance(name, str) or not re.fullmatch(r"\w+", name) or not timm.is_model(name):
        raise InputError(f"{file} names the architecture {name!r}, which this version of timm does not have.")
    try:
        refused = sorted(options.keys() & inspect.signature(timm.create_model).parameters.keys())
        if refused:  # such as checkpoint_path, a file that timm would unpickle
            raise ValueError(f"model_args must not have {refused[0]}")
        classes = {"num_classes": config["num_classes"]} if "num_classes" in config else {}
        return timm.create_model(name, pretrained=False, **(classes | options))
    except FAULTS as error:
        reason = " ".join(str(error).split())[:150]
        raise InputError(f"{file} describes no network of timm: {type(error).__name__}: {reason}") from error
