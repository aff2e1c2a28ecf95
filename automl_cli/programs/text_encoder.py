"""A transformer encoder for texts (Vaswani et al. 2017, arXiv 1706.03762), small and plain.

Normalisation comes before each branch (Xiong et al. 2020, arXiv 2002.04745), so that no warm-up
is needed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from automl_spaces.registry import register


class Attention(nn.Module):
    """Each word looks at all words, with several heads.

    Args:
        width: of the vectors.
        heads: a divisor of the width.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """x [N, L, width], present bool [N, 1, 1, L] -> [N, L, width]."""
        n, length, width = x.shape
        # [N, L, 3 width] -> three of [N, heads, L, width / heads]
        q, k, v = self.inputs(x).view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = scaled_dot_product_attention(q, k, v, attn_mask=present)
        output: Tensor = self.output(y.transpose(1, 2).reshape(n, length, width))
        return output


class EncoderLayer(nn.Module):
    """Attention, then a layer of each word's own; both are added to their input."""

    def __init__(self, width: int, heads: int, ff: int, dropout: float) -> None:
        super().__init__()
        self.attention, self.attention_norm = Attention(width, heads), nn.LayerNorm(width)
        self.ff = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, ff), nn.GELU(), nn.Linear(ff, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """x [N, L, width], present bool [N, 1, 1, L] -> [N, L, width]."""
        x = x + self.dropout(self.attention(self.attention_norm(x), present))
        y: Tensor = x + self.dropout(self.ff(x))
        return y


@register
class TextEncoder(nn.Module):
    """Words and their places, layers of attention, the mean over the words, a linear layer.

    Args:
        layers: of attention.
        width: of the vectors.
        heads: of each attention; a divisor of the width.
        ff: width inside of each word's own layers.
        dropout: probability, on the embedded words and on every branch.
        vocabulary: number of words; 0 stands for no word at all.
    """

    def __init__(
        self,
        layers: int = 2,
        width: int = 32,
        heads: int = 4,
        ff: int = 64,
        dropout: float = 0.1,
        vocabulary: int = 256,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"TextEncoder: {width=} is no multiple of {heads=}")
        self.layer_count, self.width, self.heads = layers, width, heads
        self.ff, self.dropout_rate, self.vocabulary = ff, dropout, vocabulary

    def build_for(self, shape: tuple[int, ...], classes: int) -> TextEncoder:
        """Make every layer, with fresh weights, for texts of length `shape[0]`; returns itself."""
        self.words = nn.Embedding(self.vocabulary, self.width)
        self.places = nn.Parameter(torch.empty(shape[0], self.width))
        self.dropout = nn.Dropout(self.dropout_rate)
        self.layers = nn.ModuleList(
            EncoderLayer(self.width, self.heads, self.ff, self.dropout_rate)
            for _ in range(self.layer_count)
        )
        self.norm, self.classifier = nn.LayerNorm(self.width), nn.Linear(self.width, classes)
        for table in (self.words.weight, self.places):
            nn.init.normal_(table, std=self.width**-0.5)
        return self

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [N, L], whole numbers -> logits [N, classes]."""
        tokens = tokens.long()
        present = tokens != 0  # [N, L]
        x = self.dropout(self.words(tokens) + self.places)
        for layer in self.layers:
            x = layer(x, present[:, None, None])
        weights = present / present.sum(1, keepdim=True).clamp(min=1)
        logits: Tensor = self.classifier((self.norm(x) * weights[..., None]).sum(1))
        return logits
