"""A small transformer that encodes the text a network is conditioned on."""

from math import gcd

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samplerbench.models.layers import HEAD_WIDTH, Tokens

DEPTH = 2
PADDING = 0  # the id that fills a text up on the right


class TextLayer(nn.Module):
    """A pre-norm transformer layer on x (B, L, width): self-attention, then a perceptron."""

    def __init__(self, width: int):
        super().__init__()
        self.heads = gcd(width, max(1, width // HEAD_WIDTH))
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, attended: Tensor) -> Tensor:
        b, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(b, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, L, width per head)
        found = F.scaled_dot_product_attention(q, k, v, attended[:, None, None])
        x = x + self.out(found.transpose(1, 2).reshape(b, length, width))
        return x + self.perceptron(self.norm2(x))


class TextEncoder(nn.Module):
    """Token ids (B, L), padded with 0 on the right, -> their `Tokens`: vectors (B, L, width) and what is no padding.

    vocabulary: the number of ids. length: the maximal L. Raises ValueError for another one.
    The empty text attends to its first padding, whose embedding thus learns to stand for the lack of a text.
    """

    def __init__(self, vocabulary: int, width: int, length: int):
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)
        for table in (self.words, self.positions):
            nn.init.normal_(table.weight, std=0.02)
        self.layers = nn.ModuleList(TextLayer(width) for _ in range(DEPTH))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids: Tensor) -> Tokens:
        longest = self.positions.num_embeddings
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= longest:
            raise ValueError(f"a text is given as token ids of shape (B, 1 to {longest}), not {tuple(ids.shape)}")
        # Without a token to attend to, the softmax would be NaN.
        empty = (ids == PADDING).all(1, keepdim=True)
        attended = torch.cat(((ids[:, :1] != PADDING) | empty, ids[:, 1:] != PADDING), dim=1)
        x = self.words(ids) + self.positions.weight[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x, attended)
        return Tokens(self.norm(x), attended)
