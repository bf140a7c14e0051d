"""Shared parts of the towers that keep time: residual convolutions over frames, mean over a few steps of time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from antiphon.errors import AntiphonError
from antiphon.models.batch import Batch, Tokens
from antiphon.models.towers import Elasticity


class ResidualConvolution(nn.Module):
    """h + Conv(GELU(norm(Conv(GELU(norm(h)))))) over frames, with frequency or pitch as channels.

    `norm` is a LayerNorm over the channels of one frame, so an embedding depends neither on the batch nor on the
    window's place in it. Convolutions are over `kernel` frames, `dilation` apart; padded frames and frames beyond the
    window count as zeros. Raises `AntiphonError` for an attention bias.
    """

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, width, kernel, padding=padding, dilation=dilation) for _ in range(2)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tokens, bias: Tensor | None = None) -> Tokens:
        if bias is not None:
            raise AntiphonError("mechanism 'attention_bias' needs attention layers; a convolutional tower has none")
        hidden = tokens.values
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            active = F.gelu(norm(hidden))
            if tokens.padding is not None:
                active = active.masked_fill(tokens.padding.unsqueeze(-1), 0.0)
            hidden = convolution(active.transpose(1, 2)).transpose(1, 2)
        return Tokens(tokens.values + self.dropout(hidden), tokens.padding)


class ConvolutionalTower(nn.Module):
    """Frames [B, T, channels] of `front` → [B, steps · narrow].

    Strided convolutions, one per entry of `strides`, change the channels to `width` and reduce the frame rate. Residual
    convolutions follow, then a Linear to `narrow` channels and the mean over each of `steps` equal parts of the window,
    so the embedding depends on the times of events.
    """

    def __init__(
        self,
        front: nn.Module,
        channels: int,
        width: int,
        strides: tuple[int, ...],
        kernel: int,
        dilations: tuple[int, ...],
        steps: int,
        narrow: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.width, self.pooled_width = width, steps * narrow
        self.heads, self.dropout, self.attention_dropout = 1, dropout, 0.0
        self.steps = steps
        self.front = front
        self.downward = nn.ModuleList(
            nn.Conv1d(width if number else channels, width, 2 * stride + 1, stride, stride)
            for number, stride in enumerate(strides)
        )
        self.layers = nn.ModuleList(ResidualConvolution(width, kernel, dilation, dropout) for dilation in dilations)
        self.norm = nn.LayerNorm(width)
        self.narrow = nn.Linear(width, narrow)

    @property
    def elasticity(self) -> Elasticity | None:
        """The playbacks that the front end supports."""
        return getattr(self.front, "elasticity", None)

    def features(self, batch: Batch) -> Tokens:
        frames: Tensor = self.front(batch).transpose(1, 2)
        for number, convolution in enumerate(self.downward):
            frames = convolution(F.gelu(frames) if number else frames)
        return Tokens(frames.transpose(1, 2))

    def add_positions(self, tokens: Tokens, batch: Batch) -> Tokens:
        """Returns `tokens`: steps of time make positions unnecessary."""
        return tokens

    def pool(self, tokens: Tokens) -> Tensor:
        values = self.narrow(self.norm(tokens.values)).transpose(1, 2)
        if tokens.padding is None:
            return F.adaptive_avg_pool1d(values, self.steps).flatten(1)
        return (values @ _pooling_weights(tokens.padding, self.steps)).flatten(1)


def _pooling_weights(padding: Tensor, steps: int) -> Tensor:
    """The weights of `adaptive_avg_pool1d` over the unpadded positions of each row, `padding` [B, T]: [B, T, steps].

    Injections may replace frames by tokens of notes, whose number varies. A row of padding gives zeros.
    """
    length = (~padding).sum(dim=1)[:, None, None]
    position = torch.arange(padding.shape[1], device=padding.device)[:, None]
    step = torch.arange(steps, device=padding.device)
    inside = (position >= step * length // steps) & (position < -(-(step + 1) * length // steps))
    return inside / inside.sum(dim=1, keepdim=True).clamp_min(1)


def level_normalised(power: Tensor) -> Tensor:
    """log(1 + 100 · power / its mean over the window) of [B, T, F]: invariant under gain; zeros for silence."""
    mean = power.mean(dim=(1, 2), keepdim=True)
    return torch.log1p(100 * power / mean.clamp_min(1e-12))
