"""The transformer layer and the positional encodings of towers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from antiphon.models.batch import Tokens


class TransformerLayer(nn.Module):
    """Self-attention and a GELU feed-forward block, each residual, LayerNorm before or after (`norm_first`).

    Parameters and initialisation equal those of `torch.nn.TransformerEncoderLayer`; attention always uses the fused
    kernel. Padded positions are not attended to; a row of padding only stays finite.
    """

    def __init__(
        self, width: int, heads: int, ffn: int, dropout: float, attention_dropout: float, norm_first: bool
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} does not divide into {heads} heads")
        self.heads = heads
        self.norm_first = norm_first
        self.attention_dropout = attention_dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.expand = nn.Linear(width, ffn)
        self.contract = nn.Linear(ffn, width)
        self.norm_attention = nn.LayerNorm(width)
        self.norm_ffn = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.qkv.weight)
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, tokens: Tokens, bias: Tensor | None = None) -> Tokens:
        """`bias` [B, heads, 1, T] is added to the attention scores of every query."""
        x = tokens.values
        mask = _attention_mask(tokens.padding, bias)
        if self.norm_first:
            x = x + self._attend(self.norm_attention(x), mask)
            x = x + self._feed(self.norm_ffn(x))
        else:
            x = self.norm_attention(x + self._attend(x, mask))
            x = self.norm_ffn(x + self._feed(x))
        return Tokens(x, tokens.padding)

    def _attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        rows, length, width = x.shape
        query, key, value = self.qkv(x).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            dropout_p=self.attention_dropout if self.training else 0.0,
        )
        return self.dropout(self.out(attended.transpose(1, 2).reshape(rows, length, width)))

    def _feed(self, x: Tensor) -> Tensor:
        return self.dropout(self.contract(self.dropout(F.gelu(self.expand(x)))))


def _attention_mask(padding: Tensor | None, bias: Tensor | None) -> Tensor | None:
    """The mask of the fused kernel: bool, True where attention is allowed, or float, added to the scores."""
    allowed = None if padding is None else attendable(padding)[:, None, None, :]
    if bias is None or allowed is None:
        return allowed if bias is None else bias
    return bias.masked_fill(~allowed, float("-inf"))


def attendable(padding: Tensor) -> Tensor:
    """Keys that may be attended to [B, N]: the unpadded ones, and all keys of a row of padding only. Such a row is not
    used, but would otherwise be NaN."""
    return ~padding | padding.all(dim=1, keepdim=True)


def sinusoidal_positions(length: int, width: int) -> Tensor:
    """The sinusoidal encoding of positions 0 … length − 1: [length, width]."""
    return sinusoidal(torch.arange(length), width)


def sinusoidal(position: Tensor, width: int) -> Tensor:
    """Sines and cosines of geometrically spaced wavelengths: [...] → [..., width] (Vaswani et al. 2017)."""
    rate = torch.exp(torch.arange(0, width, 2, device=position.device) * (-math.log(10_000.0) / width))
    phase = position.unsqueeze(-1) * rate
    return torch.stack([torch.sin(phase), torch.cos(phase)], dim=-1).flatten(-2)
