"""The paper's audio tower: convolutions on the waveform, then the transformer over their frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from antiphon.models.towers import TowerKind
from antiphon.models.towers.frames import FrameTower

_GROUPS = 32


class Convolutions(nn.Module):
    """Four convolutions, each followed by GroupNorm(32) and GELU (paper §2).

    With the paper's options 96 000 samples become 2400 frames of 1024.
    """

    def __init__(
        self, channels: Sequence[int], kernels: Sequence[int], strides: Sequence[int], paddings: Sequence[int]
    ) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        before = 1
        for after, kernel, stride, padding in zip(channels, kernels, strides, paddings, strict=True):
            blocks += [
                nn.Conv1d(before, after, kernel, stride, padding),
                nn.GroupNorm(_GROUPS, after),
                nn.GELU(),
            ]
            before = after
        self.blocks = nn.Sequential(*blocks)

    def forward(self, audio: Tensor) -> Tensor:
        """Samples [B, S] → frames [B, T, last of `channels`]."""
        frames: Tensor = self.blocks(audio.unsqueeze(1))
        return frames.transpose(1, 2)


def waveform_tower(
    channels: Sequence[int],
    kernels: Sequence[int],
    strides: Sequence[int],
    paddings: Sequence[int],
    **transformer: Any,
) -> FrameTower:
    """A `FrameTower` over `Convolutions`; `transformer` are its other options."""
    return FrameTower(Convolutions(channels, kernels, strides, paddings), channels[-1], **transformer)


TOWER = TowerKind("waveform", "audio", waveform_tower)
