"""Encoders in folders that transformers saved."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor, nn

from samplerbench.data.dataset import digest
from samplerbench.errors import InputError
from samplerbench.metrics.encoders.base import ENCODERS, Encoder, check_colours
from samplerbench.metrics.encoders.preparation import Preparation, encoding_of, read_preparation
from samplerbench.networks.published.transformers_model import load_pretrained

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
        net = load_pretrained(folder, _check_vision, _unused).to(device)
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


def _check_vision(net: nn.Module, folder: Path) -> None:
    """Raises InputError for a model without images."""
    if getattr(net, "main_input_name", "") != "pixel_values" or hasattr(net, "text_model"):
        raise InputError(f"{folder} holds {type(net).__name__}, which is no vision model: save that part alone.")


def _unused(net: nn.Module, name: str) -> bool:
    """Whether features do not depend on a weight: that of a pooler, where there is a class token."""
    return name.startswith("pooler.") and _has_token(net)
