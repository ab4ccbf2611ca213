"""DINOv2's vision transformer, read from a file, inside torch-fidelity's extractor.

torch-fidelity fetches the network's code and weights through torch.hub and cannot read a file; the network here has the
names of the published state dict, so that one file is all it takes.
"""

import pickle
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2

from samplerbench.data.datasets import digest
from samplerbench.errors import InputError

WEIGHTS = "dinov2_vitl14_pretrain.pth"
PATCH = 14
HEAD = 64  # channels of an attention head, in every size of DINOv2


class DinoV2Extractor(FeatureExtractorDinoV2):
    """torch-fidelity's extractor on a file: uint8 images (B, 3, H, W), resized to 224x224 -> class tokens (B, D)."""

    def __init__(self, name, features_list, feature_extractor_weights_path=None, **kwargs):
        FeatureExtractorBase.__init__(self, name, features_list)  # the next one in line would go to torch.hub
        self.feature_extractor_internal_dtype = torch.float32
        path = find_weights(feature_extractor_weights_path)
        state = read_state(path)
        self.model = build(state, path)
        self.width, self.digest = self.model.norm.weight.numel(), digest(*state.values())


class VisionTransformer(nn.Module):
    """The Vision Transformer of DINOv2 (arXiv 2304.07193), without registers. forward: (B, 3, H, W) -> (B, D).

    Its positions were learnt on a grid of side x side patches, and are resized to that of the image.
    """

    def __init__(self, width: int, depth: int, side: int = 37):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))  # for training alone, but part of the file
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + side**2, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, PATCH, stride=PATCH)})
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patch_embed["proj"](images)  # (B, D, H/14, W/14)
        tokens = (patches + self._positions(patches.shape[2])).flatten(2).transpose(1, 2)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(images), -1, -1)
        x = torch.cat((first, tokens), dim=1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 0]

    def _positions(self, side: int) -> Tensor:
        """The positions (1, D, side, side) of square images."""
        learnt = round((self.pos_embed.shape[1] - 1) ** 0.5)
        grid = self.pos_embed[:, 1:].unflatten(1, (learnt, learnt)).permute(0, 3, 1, 2)
        if side == learnt:
            return grid
        # The published features were made with this 0.1 in the scale, once added against rounding.
        return F.interpolate(grid, scale_factor=(side + 0.1) / learnt, mode="bicubic")


class Block(nn.Module):
    """x + ls1(attn(norm1(x))), then x + ls2(mlp(norm2(x))), on tokens (B, T, D)."""

    def __init__(self, width: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})
        self.ls1, self.ls2 = (nn.ParameterDict({"gamma": torch.ones(width)}) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1["gamma"] * self._attend(self.norm1(x))
        return x + self.ls2["gamma"] * self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))

    def _attend(self, x: Tensor) -> Tensor:
        qkv = self.attn["qkv"](x).unflatten(-1, (3, -1, HEAD)).permute(2, 0, 3, 1, 4)  # (3, B, heads, T, 64)
        return self.attn["proj"](F.scaled_dot_product_attention(*qkv).transpose(1, 2).flatten(2))


def find_weights(path: str | None) -> Path:
    """The file of that path, or the usual one where torch.hub keeps checkpoints. Raises InputError if it is absent."""
    found = Path(path).expanduser() if path else Path(torch.hub.get_dir()) / "checkpoints" / WEIGHTS
    if not found.is_file():
        raise InputError(
            f"fd_dinov2 needs the weights of DINOv2's ViT-L/14 (1.2 GB), and there is no file {str(found)!r}: "
            f"take {WEIGHTS} from the table in the README of facebookresearch/dinov2 and put it there, "
            "or name it as fd_dinov2[weights=PATH]."
        )
    return found


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict in a file, loaded without running code from it. Raises InputError."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if all(isinstance(tensor, Tensor) for tensor in state.values()):
            return state
        reason = "it does not map names to tensors"
    except (OSError, EOFError, RuntimeError, AttributeError, pickle.UnpicklingError) as error:
        reason = str(error).split("\n", 1)[0].rstrip(". ")
    raise InputError(f"{str(path)!r} cannot be read as the weights of DINOv2 ({reason}): take {WEIGHTS}.")


def build(state: dict[str, Tensor], path: Path) -> VisionTransformer:
    """The network that a state dict, read from `path`, is of. Raises InputError if it is none of DINOv2's."""
    try:
        width, positions = state["cls_token"].shape[-1], state["pos_embed"].shape[1]
        depth = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
        with torch.device("meta"):  # no time and memory for numbers that the file replaces
            net = VisionTransformer(width, depth, round((positions - 1) ** 0.5))
        net.load_state_dict(state, assign=True)
    except (KeyError, IndexError, RuntimeError) as error:
        raise InputError(
            f"{str(path)!r} does not hold the weights of a ViT-S, B or L/14 of DINOv2 without registers: "
            f"take {WEIGHTS}."
        ) from error
    return net
