"""DINOv2's vision transformer, whose state dict has the names of the published one (arXiv 2304.07193)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PATCH = 14
HEAD = 64  # channels of an attention head, in every size of DINOv2


class VisionTransformer(nn.Module):
    """The vision transformer of DINOv2 (arXiv 2304.07193), without registers. forward: (B, 3, H, W) -> (B, D).

    width: D. depth: the number of blocks. The position embeddings, learned on side x side patches, are resized to the
    patches of the (square) image.
    """

    def __init__(self, width: int, depth: int, side: int = 37):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))  # used in training only, but part of the file
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
        """The position embeddings (1, D, side, side) of an image of side x side patches."""
        learned = round((self.pos_embed.shape[1] - 1) ** 0.5)
        grid = self.pos_embed[:, 1:].unflatten(1, (learned, learned)).permute(0, 3, 1, 2)
        if side == learned:
            return grid
        # The published features were computed with this 0.1, which guards against rounding, in the scale.
        return F.interpolate(grid, scale_factor=(side + 0.1) / learned, mode="bicubic")


class Block(nn.Module):
    """x + ls1 attn(norm1(x)), then x + ls2 mlp(norm2(x)), on tokens (B, T, D)."""

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
