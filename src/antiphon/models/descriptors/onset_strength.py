"""Onset strength: the rise of the level in semitone bands over time; the audio counterpart of `predicted_onsets`.

The level minus that of 80 ms before, in triangular bands a semitone apart, negative values set to zero: spectral flux
per band (Bello et al. 2005, "A tutorial on onset detection in music signals", IEEE TSAP 13).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from antiphon.models.batch import Tokens
from antiphon.models.descriptors import Descriptor, View
from antiphon.signal.onsets import BAND_NAMES, normalised, semitone_bands
from antiphon.signal.spectra import in_bands, in_parts, power, stft

FRAME_HZ = 12.5
FRAMES = 50
"""Frames of 80 ms in a window of 4 s."""
_FFT = 4096
_ROWS_AT_A_TIME = 8


def _rise(audio: Tensor, sample_rate_hz: int, tempo: float) -> Tensor:
    """Rise of log(1 + magnitude / its mean over the window) in each band of mono windows [B, S]: [B, 50, 96].

    Invariant under gain. Silence gives zeros, and counts as the audio beyond the window. Frame t is the rise from
    80 (t − ½) to 80 (t + ½) ms of the window at the playback's tempo. Spectra are 171 ms long and trail an onset by
    half of that, so an onset from 80 t to 80 (t + 1) ms is within frame t.
    """
    hop = round(sample_rate_hz / FRAME_HZ * tempo)
    before = hop // 2 + _FFT // 2  # the first frame compares with a time before the window
    needed = FRAMES * hop + _FFT
    audio = F.pad(audio, (before, max(0, needed - before - audio.shape[1])))[:, :needed]
    window = torch.hann_window(_FFT, device=audio.device)
    magnitude = power(stft(audio, window, hop, centred=False)).transpose(1, 2).sqrt_()
    bands = in_bands(magnitude, semitone_bands(_FFT, sample_rate_hz).to(audio.device).T)
    level = torch.log1p(bands / bands.mean(dim=(1, 2), keepdim=True).clamp_min(1e-9))
    return (level[:, 1:] - level[:, :-1]).clamp_min_(0.0)


def _compute(view: View) -> Tokens:
    tempo = view.playback.tempo
    rise = in_parts(lambda windows: _rise(windows, view.sample_rate_hz, tempo), view.audio, _ROWS_AT_A_TIME)
    higher = view.playback.semitones
    return Tokens(normalised(F.pad(rise, (higher, -higher)) if higher else rise))


DESCRIPTOR = Descriptor("onset_strength", "audio", BAND_NAMES, _compute, FRAMES, elastic=True)
