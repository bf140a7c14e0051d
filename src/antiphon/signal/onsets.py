"""Onset strength in semitone bands, measured from audio or predicted from notes. Nothing is learned.

Both use 50 frames a second; frame t describes the onsets in the 80 ms from t / 50 s on. The 96 bands are a semitone
apart and start at A0: they cover the keyboard and the first harmonics of its top octave.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from antiphon.io.notes import Notes
from antiphon.signal.spectra import power, stft

GRID_HZ = 50
RISE_FRAMES = 4
LOWEST_PITCH = 21
BANDS = 96
HARMONICS, HARMONIC_DECAY = 6, 0.6
FRAME_CENTRING = 0.35
BAND_NAMES = tuple(f"{note}{octave}" for octave in range(9) for note in "C C# D D# E F F# G G# A A# B".split())[9:105]

Frames = NDArray[np.float32]
"""[frames, bands]"""


def onset_strength(samples: NDArray[np.float32], sample_rate_hz: int, n_fft: int, compression: float) -> Frames:
    """Increase of log(1 + compression · magnitude) in each band over the last 80 ms: [S // hop + 1, bands].

    A decrease counts as 0. `samples` [S] are mono; frame t is centred on second t / 50, with zeros beyond the ends.
    """
    audio = torch.from_numpy(np.ascontiguousarray(samples))
    spectrum = stft(audio, torch.hann_window(n_fft), sample_rate_hz // GRID_HZ)
    bands = semitone_bands(n_fft, sample_rate_hz) @ power(spectrum).sqrt_()
    level = torch.log1p(compression * bands).T
    rise = torch.zeros_like(level)
    rise[RISE_FRAMES:] = (level[RISE_FRAMES:] - level[:-RISE_FRAMES]).clamp_min(0.0)
    return rise.numpy()


@lru_cache(maxsize=4)
@torch.inference_mode(mode=False)  # the cached tensor may be needed by autograd later
def semitone_bands(n_fft: int, sample_rate_hz: int) -> Tensor:
    """Triangular filters a semitone apart, each of which sums to one: [bands, n_fft // 2 + 1].

    Where a semitone is narrower than a bin, a band interpolates between the two nearest bins. Raises `ValueError` when
    the highest band, at 6.6 kHz, is above the Nyquist frequency.
    """
    if sample_rate_hz / 2 < 440.0 * 2.0 ** ((LOWEST_PITCH + BANDS - 1 - 69) / 12):
        raise ValueError(f"audio at {sample_rate_hz} Hz does not reach the highest of {BANDS} bands")
    bin_hz = torch.arange(n_fft // 2 + 1) * (sample_rate_hz / n_fft)
    centre_hz = 440.0 * 2.0 ** ((torch.arange(BANDS) + LOWEST_PITCH - 69) / 12)
    half_width_hz = torch.clamp(centre_hz * (2 ** (1 / 12) - 1), min=sample_rate_hz / n_fft)
    bands = (1 - (bin_hz[None] - centre_hz[:, None]).abs() / half_width_hz[:, None]).clamp_min(0.0)
    return bands / bands.sum(dim=1, keepdim=True)


def predicted_onsets(notes: Notes, until_s: float, first: int = 0) -> Frames:
    """Square root of the summed velocity / 127 of the onsets in each band, per frame of 80 ms: [frames, bands].

    The frames begin between frame `first`, second 0 by default, and `until_s`. A note adds to the bands of six
    harmonics, each 0.6 times as strong as the one below.
    """
    # The 80 ms of the last frame extend beyond `until_s`.
    reach = round(until_s * GRID_HZ) + RISE_FRAMES
    near = slice(*np.searchsorted(notes.onset_s, ((first - 1) / GRID_HZ, (reach + 1) / GRID_HZ)))
    columns = (notes.onset_s[near], notes.pitch[near].astype(np.int64), notes.velocity[near].astype(np.float32))
    onset_s, pitch, velocity = (torch.from_numpy(column)[None] for column in columns)
    onsets = onsets_in_bands(onset_s, pitch, velocity / 127, GRID_HZ, reach - first, first)[0].numpy()
    return np.sqrt(sum_over(onsets, RISE_FRAMES))


def onsets_in_bands(
    onset_s: Tensor, pitch: Tensor, weight: Tensor, frame_hz: float, frames: int, first: int = 0
) -> Tensor:
    """Sum of the weights of the onsets in each frame and band, for notes [B, N]: float32 [B, frames, bands].

    The frames count from frame `first` on. A note adds to the bands of six harmonics, each 0.6 times as strong as the
    one below. Rows without notes are zeros.

    >>> onset_s, c4, full = torch.tensor([[0.1]]), torch.tensor([[60]]), torch.tensor([[1.0]])
    >>> second = onsets_in_bands(onset_s, c4, full, frame_hz=12.5, frames=2)[0, 1]
    >>> [(BAND_NAMES[band], round(float(second[band]), 2)) for band in second.nonzero()[:3, 0].tolist()]
    [('C4', 1.0), ('C5', 0.6), ('G5', 0.36)]
    """
    harmonic = torch.arange(1, HARMONICS + 1, device=pitch.device)
    band = pitch[..., None] - LOWEST_PITCH + (12 * harmonic.double().log2()).round().long()
    frame = (onset_s * frame_hz).floor().long()[..., None] - first
    inside = (band >= 0) & (band < BANDS) & (frame >= 0) & (frame < frames)
    position = (frame * BANDS + band).masked_fill(~inside, 0).flatten(1)
    strength = (weight.float()[..., None] * HARMONIC_DECAY ** (harmonic - 1)).masked_fill(~inside, 0.0).flatten(1)
    onsets = strength.new_zeros(len(pitch), frames * BANDS).scatter_add_(1, position, strength)
    return onsets.view(-1, frames, BANDS)


def normalised(frames: Tensor) -> Tensor:
    """Smooth onsets [B, T, bands] over 3 frames, centre them and scale each window to unit length.

    Centring subtracts each band's mean over time and part of each frame's mean over bands. Without it all values are
    positive, dense passages resemble every other passage, and audio finds notes a quarter less often (LOG.md has the
    figures). Empty windows stay zero.
    """
    padded = F.pad(frames, (0, 0, 1, 1))
    smooth = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    smooth -= smooth.mean(dim=1, keepdim=True)
    smooth -= FRAME_CENTRING * smooth.mean(dim=2, keepdim=True)
    norm = smooth.square().sum(dim=(1, 2), keepdim=True).sqrt()
    return torch.where(norm > 1e-6, smooth / norm.clamp_min(1e-6), 0.0)


def sum_over(frames: Frames, count: int) -> Frames:
    """Sums of `count` consecutive frames: [n, bands] → [n − count + 1, bands]."""
    total = frames[: len(frames) - count + 1].copy()
    for lag in range(1, count):
        total += frames[lag : lag + len(total)]
    return total


def transpose(frames: Frames, semitones: int) -> Frames:
    """Frames of the same music transposed up by `semitones`; bands that become free are zero."""
    above, below = max(semitones, 0), max(-semitones, 0)
    return np.pad(frames, ((0, 0), (above, below)))[:, below : below + BANDS]
