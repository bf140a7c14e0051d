"""What the towers that keep time share: residual convolutions over frames, pooled to a few steps instead of one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from antiphon.errors import AntiphonError
from antiphon.models.batch import Batch, Tokens
from antiphon.models.towers import Elasticity


class ResidualConvolution(nn.Module):
    """h + Conv(GELU(norm(Conv(GELU(norm(h)))))) over frames, with frequency or pitch as channels.

    `norm` is a LayerNorm over channels, frame by frame: it looks neither at the batch nor at other frames, so a window
    is embedded alike wherever and with whatever it is embedded. Convolutions over `kernel` frames, `dilation` apart;
    padded frames are zeros to them, as frames beyond the window are. Raises `AntiphonError` for an attention bias.
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
            raise AntiphonError("the arm biases attention, and a tower of convolutions has none")
        hidden = tokens.values
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            active = F.gelu(norm(hidden))
            if tokens.padding is not None:
                active = active.masked_fill(tokens.padding.unsqueeze(-1), 0.0)
            hidden = convolution(active.transpose(1, 2)).transpose(1, 2)
        return Tokens(tokens.values + self.dropout(hidden), tokens.padding)


class ConvolutionalTower(nn.Module):
    """Frames [B, T, channels] of `front` → [B, steps · narrow].

    A strided convolution per entry of `strides` brings frames to the width and the frame rate down; residual
    convolutions follow; a Linear to `narrow` channels, then the mean over each of `steps` equal stretches of time,
    which keeps when things happened.
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
            nn.Conv1d(width if place else channels, width, 2 * stride + 1, stride, stride)
            for place, stride in enumerate(strides)
        )
        self.layers = nn.ModuleList(ResidualConvolution(width, kernel, dilation, dropout) for dilation in dilations)
        self.norm = nn.LayerNorm(width)
        self.narrow = nn.Linear(width, narrow)

    @property
    def elasticity(self) -> Elasticity | None:
        """Which playbacks its front can hear."""
        return getattr(self.front, "elasticity", None)

    def features(self, batch: Batch) -> Tokens:
        frames: Tensor = self.front(batch).transpose(1, 2)
        for place, convolution in enumerate(self.downward):
            frames = convolution(F.gelu(frames) if place else frames)
        return Tokens(frames.transpose(1, 2))

    def add_positions(self, tokens: Tokens, batch: Batch) -> Tokens:
        """Convolutions know where they are; nothing is added."""
        return tokens

    def pool(self, tokens: Tokens) -> Tensor:
        values = self.narrow(self.norm(tokens.values)).transpose(1, 2)
        if tokens.padding is None:
            return F.adaptive_avg_pool1d(values, self.steps).flatten(1)
        return (values @ _stretches(tokens.padding, self.steps)).flatten(1)


def _stretches(padding: Tensor, steps: int) -> Tensor:
    """What `adaptive_avg_pool1d` multiplies by, for rows that end where their padding [B, T] begins: [B, T, steps].

    Injections may put tokens of notes in the place of frames, as many as a window has. A row of padding gives zeros.
    """
    length = (~padding).sum(dim=1)[:, None, None]
    place = torch.arange(padding.shape[1], device=padding.device)[:, None]
    step = torch.arange(steps, device=padding.device)
    inside = (place >= step * length // steps) & (place < -(-(step + 1) * length // steps))
    return inside / inside.sum(dim=1, keepdim=True).clamp_min(1)


def level_normalised(power: Tensor) -> Tensor:
    """log(1 + 100 · power / its mean over the window) of [B, T, F]: the same at any level; zeros for silence."""
    mean = power.mean(dim=(1, 2), keepdim=True)
    return torch.log1p(100 * power / mean.clamp_min(1e-12))
