"""Frechet distance in DINOv2's features, its weights read from a file inside torch-fidelity's extractor.

torch-fidelity fetches the network's code and weights through torch.hub and cannot read a file.
"""

from pathlib import Path

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2

from samplerbench.data.dataset import digest
from samplerbench.errors import InputError
from samplerbench.metrics.extractors import register_extractor
from samplerbench.metrics.state_dict import read_state
from samplerbench.models.vit import VisionTransformer

WEIGHTS = "dinov2_vitl14_pretrain.pth"


class DinoV2Extractor(FeatureExtractorDinoV2):
    """torch-fidelity's extractor on a file: uint8 images (B, 3, H, W), resized to 224x224 -> class tokens (B, D)."""

    def __init__(self, name, features_list, feature_extractor_weights_path=None, **kwargs):
        FeatureExtractorBase.__init__(self, name, features_list)  # the parent class would load from torch.hub
        self.feature_extractor_internal_dtype = torch.float32
        path = find_weights(feature_extractor_weights_path)
        state = read_state(path, "DINOv2", WEIGHTS)
        self.model = build(state, path)
        self.width, self.digest = self.model.norm.weight.numel(), digest(*state.values())


register_extractor("dinov2", DinoV2Extractor)


def find_weights(path: str | None) -> Path:
    """The file of that path, or the usual one where torch.hub keeps checkpoints. Raises InputError if it is absent."""
    found = Path(path).expanduser() if path else Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
    if not found.is_file():
        raise InputError(
            f"DINOv2 needs the weights of its ViT-L/14 (1.2 GB), but there is no file {str(found)!r}: "
            f"download {WEIGHTS}, linked in the README of facebookresearch/dinov2, to that path, "
            "or give its path as fd_dinov2[weights=PATH] or fd[encoder=dinov2:PATH]."
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
    return net
