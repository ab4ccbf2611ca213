"""A small transformer that encodes the words of a caption, trained along with the network that attends to them."""

import torch
from torch import Tensor, nn

from samplerbench.models.attention import Context

HEADS, LAYERS = 4, 2


class TextEncoder(nn.Module):
    """Words (B, L), numbers below `vocabulary` of which 0 is none, -> tokens (B, L, width) and which of them are words.

    A text without words has one token, a learned one that stands for none.
    """

    def __init__(self, vocabulary: int, words: int, width: int):
        super().__init__()
        self.word = nn.Embedding(vocabulary, width)
        self.place = nn.Parameter(0.02 * torch.randn(words, width))
        layer = nn.TransformerEncoderLayer(
            width, HEADS, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, words: Tensor) -> Context:
        there = words > 0
        there = there | (~there.any(1, keepdim=True) & (torch.arange(words.shape[1], device=words.device) == 0))
        tokens = self.word(words) + self.place[: words.shape[1]]
        return Context(self.norm(self.layers(tokens, src_key_padding_mask=~there)), there)
