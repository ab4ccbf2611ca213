"""Encoders in folders that transformers saved."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from samplerbench.data.dataset import digest
from samplerbench.errors import InputError
from samplerbench.methods import FAULTS
from samplerbench.metrics.encoders.base import ENCODERS, Encoder, check_colours
from samplerbench.metrics.encoders.preparation import Preparation, encoding_of, read_preparation
from samplerbench.networks.published.folder import check_depth, read_config, tensor_shapes, weight_files

# Keys of a configuration that name something elsewhere, such as code to run or a kernel or backbone to fetch.
REFUSED = {"auto_map", "attn_implementation", "_attn_implementation", "quantization_config", "backbone",
           "use_pretrained_backbone"}  # fmt: skip
SMALL = 384  # pixels below which ConvNeXt's images are cropped
RESAMPLE = 2  # transformers' default, PIL's number of the bilinear filter


@ENCODERS.register("transformers")
@dataclass(frozen=True)
class TransformersEncoder(Encoder):
    """A vision model in a folder of `save_pretrained`: config.json, model.safetensors, preprocessor_config.json.

    The features are the class token after the last norm, or `pooler_output` where `last_hidden_state` has none of the
    model's own, as for CLIP's vision model, ConvNeXt or Swin. Nothing is downloaded, and no code in the folder is run.
    folder: it may be a clone or a snapshot of a repository of the hub.
    """

    folder: str = field(metadata={"argument": "DIR"})

    meaning = "a vision model of transformers, whose weights the protocol records"

    def load(self, shape, device):
        check_colours(shape, self.name)
        folder = Path(self.folder).expanduser()
        if not folder.is_dir():
            raise InputError(f"There is no folder {self.folder!r}: give one that transformers' save_pretrained wrote.")
        preparation = read_preparation(folder / "preprocessor_config.json", _preparation)
        net = _load(folder).to(device)
        hashed = digest(*(value for _, value in sorted(net.state_dict().items())))
        return encoding_of(lambda images: features(net, images), preparation, hashed, device,
                           f"transformers {type(net).__name__}", folder)  # fmt: skip


def features(net: nn.Module, images: Tensor) -> Tensor:
    """The class token (B, D), or the pooled output, of prepared images (B, 3, H, W)."""
    found = net(pixel_values=images)
    return found.last_hidden_state[:, 0] if _has_token(net) else found.pooler_output.flatten(1)


def _has_token(net: nn.Module) -> bool:
    return any(name.rpartition(".")[2] == "cls_token" for name, _ in net.named_parameters())


def _preparation(config: dict[str, Any]) -> Preparation:
    """The image processor's steps, from its configuration."""
    skipped = [step for step in ("do_resize", "do_rescale", "do_normalize") if config.get(step) is False]
    if skipped or config.get("rescale_factor", 1 / 255) != 1 / 255:
        raise ValueError(f"images that are not resized, scaled to [0, 1] and normalised are not supported: {skipped}")
    size, crop = _size(config["size"], square=not config.get("do_center_crop")), None
    if config.get("do_center_crop"):
        crop = _size(config["crop_size"])
        crop = crop[0] if isinstance(crop, tuple) and crop[0] == crop[1] else crop
    elif isinstance(size, int) and config.get("crop_pct"):  # ConvNeXt's
        size, crop = (int(size / config["crop_pct"]), size) if size < SMALL else ((size, size), None)
    if isinstance(crop, tuple) or (isinstance(size, int) and not crop):
        raise ValueError("images that are not square after preparation are not supported")
    mean, std = (tuple(map(float, config[key])) for key in ("image_mean", "image_std"))
    return Preparation(size, crop, mean, std, Image.Resampling(config.get("resample", RESAMPLE)), down=True)


def _size(size: Any, square: bool = True) -> tuple[int, int] | int:
    """A size of images as transformers writes it: {height, width}, {shortest_edge}, or a number for either."""
    if isinstance(size, int):
        return (size, size) if square else size
    return size["shortest_edge"] if "shortest_edge" in size else (size["height"], size["width"])


def _load(folder: Path) -> nn.Module:
    """The model of a folder, its size compared with that of its weights before memory is taken. Raises InputError."""
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
            _check_size(AutoModel.from_config(described, trust_remote_code=False), shapes, files[0])
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
    _check_complete(net, found["missing_keys"], files[0])
    return net.float().requires_grad_(False).eval()


def _parts(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A configuration and those inside it."""
    yield config
    for value in config.values():
        if isinstance(value, dict):
            yield from _parts(value)


def _check_size(net: nn.Module, shapes: dict[str, tuple[int, ...]], file: Path) -> None:
    """Raises InputError for a model without images, or with more parameters than the file, which may hold a head."""
    if getattr(net, "main_input_name", "") != "pixel_values" or hasattr(net, "text_model"):
        raise InputError(f"{file.parent} holds {type(net).__name__}, which is no vision model: save that part alone.")
    ours = sum(value.numel() for name, value in net.named_parameters() if not name.startswith("pooler."))
    theirs = sum(torch.Size(shape).numel() for shape in shapes.values())
    if ours > theirs:
        raise InputError(f"{file} holds {theirs} numbers, and by its config.json the model has {ours}.")


def _check_complete(net: nn.Module, missing: Iterable[str], file: Path) -> None:
    """Raises InputError for weights that would be random. A pooler's are not used where there is a class token."""
    needed = sorted(name for name in missing if not (_has_token(net) and name.startswith("pooler.")))
    if needed:
        raise InputError(f"{file} does not fit its config.json: {needed[0]} is missing.")
