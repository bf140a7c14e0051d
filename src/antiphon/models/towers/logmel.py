"""An audio tower with a log-mel spectrogram instead of convolutions on the waveform; not in the paper."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from antiphon.models.towers import TowerKind
from antiphon.models.towers.frames import FrameTower
from antiphon.signal.spectra import in_bands, power_spectrum

_FLOOR = 1e-5


class LogMel(nn.Module):
    """log(max(1e-5, mel power)) of a Hann STFT, then Linear and LayerNorm to the tower's width.

    T = S / hop frames, each centred on its hop; zeros beyond the ends.
    """

    def __init__(self, width: int, bands: int, n_fft: int, hop: int, sample_rate_hz: int, f_min_hz: float) -> None:
        super().__init__()
        self.hop = hop
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.register_buffer("filters", mel_filters(bands, n_fft, sample_rate_hz, f_min_hz), persistent=False)
        self.mix = nn.Linear(bands, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, audio: Tensor) -> Tensor:
        """Samples [B, S] → frames [B, S // hop, width]."""
        power = power_spectrum(audio.float(), self.get_buffer("window"), self.hop)
        mel = in_bands(power, self.get_buffer("filters")).clamp_min(_FLOOR).log()
        frames: Tensor = self.norm(self.mix(mel))
        return frames


def mel_filters(bands: int, n_fft: int, sample_rate_hz: int, f_min_hz: float) -> Tensor:
    """Triangles of height 1, equally spaced in mel, 2595·log10(1 + f/700), up to Nyquist: [n_fft // 2 + 1, bands].

    Raises `ValueError` when a triangle is so narrow that it contains no bin of the spectrum.
    """

    def mel(hz: float) -> float:
        return 2595 * math.log10(1 + hz / 700)

    edges_mel = torch.linspace(mel(f_min_hz), mel(sample_rate_hz / 2), bands + 2, dtype=torch.float64)
    edges_hz = 700 * (10 ** (edges_mel / 2595) - 1)
    bins_hz = torch.arange(n_fft // 2 + 1, dtype=torch.float64)[:, None] * sample_rate_hz / n_fft
    rising = (bins_hz - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2])
    falling = (edges_hz[2:] - bins_hz) / (edges_hz[2:] - edges_hz[1:-1])
    filters = torch.minimum(rising, falling).clamp_min(0)
    if bool((filters.sum(dim=0) == 0).any()):
        raise ValueError(f"{bands} mel bands from {f_min_hz} Hz are too many for n_fft {n_fft}: some would be empty")
    return filters.float()


def logmel_tower(
    width: int, bands: int, n_fft: int, hop: int, sample_rate_hz: int, f_min_hz: float, **transformer: Any
) -> FrameTower:
    """A `FrameTower` over `LogMel`; `transformer` are its other options."""
    return FrameTower(LogMel(width, bands, n_fft, hop, sample_rate_hz, f_min_hz), width, **transformer)


TOWER = TowerKind("logmel", "audio", logmel_tower)
