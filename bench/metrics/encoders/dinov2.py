"""DINOv2's vision transformers."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from samplerbench.data.dataset import digest
from samplerbench.errors import InputError
from samplerbench.metrics.encoders.base import ENCODERS, Encoder, check_colours
from samplerbench.metrics.encoders.preparation import Preparation, encoding_of
from samplerbench.metrics.state_dict import read_state
from samplerbench.models.vit import VisionTransformer

WEIGHTS = "dinov2_vitl14_pretrain.pth"
SIZES = {384: "S", 768: "B", 1024: "L"}  # by width
PREPARED = Preparation(size=(224, 224))


@ENCODERS.register("dinov2")
@dataclass(frozen=True)
class DinoV2Encoder(Encoder):
    """The class token of DINOv2's ViT-S, B or L/14 from a file of its published weights (arXiv 2304.07193).

    Images are prepared as dgm-eval and EDM2's `pil` mode do: PIL's bicubic filter to 224x224, and ImageNet's mean and
    standard deviation.
    weights: the file; by default dinov2_vitl14_pretrain.pth in torch.hub's folder of checkpoints.
    """

    weights: str | None = field(default=None, metadata={"argument": "FILE"})

    meaning = "DINOv2, a vision transformer trained on photographs without labels"

    def load(self, shape, device):
        check_colours(shape, self.name)
        path = find_weights(self.weights)
        state = read_state(path, "DINOv2", WEIGHTS)
        net = build(state, path).to(device)
        width = net.norm.weight.numel()
        label = f"DINOv2 ViT-{SIZES[width]}/14" if width in SIZES else "DINOv2"
        return encoding_of(net, PREPARED, digest(*state.values()), device, label, path)


def find_weights(path: str | None) -> Path:
    """The file of that path, or the usual one where torch.hub keeps checkpoints. Raises InputError if it is absent."""
    found = Path(path).expanduser() if path else Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
    if not found.is_file():
        raise InputError(
            f"DINOv2 needs the weights of its ViT-L/14 (1.2 GB), but there is no file {str(found)!r}: "
            f"download {WEIGHTS}, linked in the README of facebookresearch/dinov2, to that path, "
            "or give its path as fd[encoder=dinov2:FILE]."
        )
    return found


def build(state: dict[str, Tensor], path: Path) -> VisionTransformer:
    """The network of a state dict read from `path`. Raises InputError if it is not one of DINOv2's."""
    try:
        width, positions = state["cls_token"].shape[-1], state["pos_embed"].shape[1]
        depth = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
        with torch.device("meta"):  # spends no time or memory on weights that the file replaces
            net = VisionTransformer(width, depth, round((positions - 1) ** 0.5))
        net.load_state_dict(state, assign=True)
    except (KeyError, IndexError, RuntimeError) as error:
        raise InputError(
            f"{str(path)!r} does not hold the weights of a ViT-S, B or L/14 of DINOv2 without registers: use {WEIGHTS}."
        ) from error
    return net.float().requires_grad_(False).eval()
