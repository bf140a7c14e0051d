"""An audio tower that keeps time: a mel spectrogram, then convolutions over its frames."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from antiphon.models.batch import Batch
from antiphon.models.towers import Elasticity, TowerKind
from antiphon.models.towers.convolutional import ConvolutionalTower, level_normalised
from antiphon.models.towers.logmel import mel_filters
from antiphon.signal.spectra import fill_up, in_bands, power_spectrum


class MelFrames(nn.Module):
    """Mel spectrogram, compressed and level-normalised: [B, S // hop, bands].

    Another tempo is another hop, in whole samples, with an equal number of frames. A transposition raises `ValueError`,
    since the distance of mel bands is not a multiple of a semitone.
    """

    def __init__(self, bands: int, n_fft: int, hop: int, sample_rate_hz: int, f_min_hz: float) -> None:
        super().__init__()
        self.hop = hop
        self.elasticity = Elasticity(tempo_steps=hop, semitone_step=None)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.register_buffer("filters", mel_filters(bands, n_fft, sample_rate_hz, f_min_hz), persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        hop = round(self.hop * self.elasticity.nearest(batch.playback).tempo)
        frames = round(batch.audio.shape[1] / batch.playback.tempo) // self.hop
        audio = fill_up(batch.audio.float(), hop, frames)
        power = power_spectrum(audio, self.get_buffer("window"), hop)[:, :frames]
        return level_normalised(in_bands(power, self.get_buffer("filters")))


def spectrogram_tower(
    bands: int, n_fft: int, hop: int, sample_rate_hz: int, f_min_hz: float, **convolutions: Any
) -> ConvolutionalTower:
    """A `ConvolutionalTower` over `MelFrames`; `convolutions` are its other options."""
    return ConvolutionalTower(MelFrames(bands, n_fft, hop, sample_rate_hz, f_min_hz), bands, **convolutions)


TOWER = TowerKind("spectrogram", "audio", spectrogram_tower)
