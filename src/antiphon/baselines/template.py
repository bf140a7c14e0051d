"""`template`: onset strength in semitone bands against the onsets that the notes predict. Nothing is learned.

Audio: log-magnitude spectrum in semitone-spaced triangular bands, half-wave-rectified difference over one frame of
80 ms. Notes: velocity-weighted onsets spread over six harmonics, square root. Both at 12.5 frames a second, smoothed
over 3 frames, centred, flattened, scaled to unit length, so that the dot product is the cosine.

Centring takes each band's mean over time away, and part of each frame's mean over bands. Without it all values are
positive, dense passages resemble everything, and audio finds notes a quarter less often (LOG.md has the figures).
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray

from antiphon.notes import Notes

_SAMPLE_RATE_HZ = 24_000
_WINDOW_S = 4.0
_FFT = 4096
_GRID_HZ = 50  # features are computed at 50 Hz, so that a window may start on any multiple of 20 ms
_STRIDE = 4  # of which a window takes every fourth: 12.5 frames a second
_HOP = _SAMPLE_RATE_HZ // _GRID_HZ
_FRAMES = round(_WINDOW_S * _GRID_HZ / _STRIDE)
_LOWEST_PITCH = 21
_BANDS = 96  # A0 to G#8: the keyboard and the first harmonics of its top octave
_HARMONICS = 6
_HARMONIC_DECAY = 0.6
_COMPRESSION = 100.0
_LAG = 2  # grid frames by which the spectral difference trails the onset, half an analysis window's rise
_FRAME_CENTRING = 0.35
_SETTINGS = (
    "template-2",
    (_SAMPLE_RATE_HZ, _WINDOW_S, _FFT, _GRID_HZ, _STRIDE, _LOWEST_PITCH, _BANDS),
    (_HARMONICS, _HARMONIC_DECAY, _COMPRESSION, _LAG, _FRAME_CENTRING),
)


class TemplateEmbedder:
    """The baseline that anything learned has to beat."""

    name = "template"
    fingerprint = hashlib.sha256(repr(_SETTINGS).encode()).hexdigest()
    sample_rate_hz = _SAMPLE_RATE_HZ
    window_s = _WINDOW_S
    dimensions = _FRAMES * _BANDS

    def embed_audio(self, samples: NDArray[np.float32], starts_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """Windows of onset strength: float32 [n, 4800]."""
        return _windows(_onset_strength(samples), starts_s, _LAG)

    def embed_notes(self, notes: Notes, starts_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """Windows of predicted onsets: float32 [n, 4800]."""
        last_s = float(starts_s.max(initial=0.0)) + _WINDOW_S
        return _windows(_predicted_onsets(notes, last_s), starts_s, 0)

    def embed_pairs(
        self, samples: NDArray[np.float32], notes: Notes, starts_s: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both sides of the same windows."""
        return self.embed_audio(samples, starts_s), self.embed_notes(notes, starts_s)


def _onset_strength(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rectified rise of the semitone spectrum over the last 80 ms, on the 50 Hz grid: [frames, bands]."""
    spectrum = torch.stft(
        torch.from_numpy(np.ascontiguousarray(samples)),
        n_fft=_FFT,
        hop_length=_HOP,
        window=torch.hann_window(_FFT),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    magnitude = torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag).sqrt_()  # faster than abs()
    level = torch.log1p(_COMPRESSION * (_semitone_bands() @ magnitude)).T
    rise = torch.zeros_like(level)
    rise[_STRIDE:] = (level[_STRIDE:] - level[:-_STRIDE]).clamp_min(0.0)
    return rise.numpy()


def _semitone_bands() -> torch.Tensor:
    """Triangular filters a semitone apart, each summing to one: [bands, bins].

    Below about 100 Hz a semitone is narrower than a bin; there a band interpolates between the two nearest bins.
    """
    bin_hz = torch.arange(_FFT // 2 + 1) * (_SAMPLE_RATE_HZ / _FFT)
    centre_hz = 440.0 * 2.0 ** ((torch.arange(_BANDS) + _LOWEST_PITCH - 69) / 12)
    half_width_hz = torch.clamp(centre_hz * (2 ** (1 / 12) - 1), min=_SAMPLE_RATE_HZ / _FFT)
    bands = (1 - (bin_hz[None] - centre_hz[:, None]).abs() / half_width_hz[:, None]).clamp_min(0.0)
    return bands / bands.sum(dim=1, keepdim=True)


def _predicted_onsets(notes: Notes, until_s: float) -> NDArray[np.float32]:
    """Velocity of the onsets in each 80 ms from a grid frame on, over six harmonics: [frames, bands]."""
    frames = round(until_s * _GRID_HZ) + _STRIDE
    frame = np.floor(notes.onset_s * _GRID_HZ).astype(np.int64)
    onsets = np.zeros((frames, _BANDS), np.float32)
    for harmonic in range(1, _HARMONICS + 1):
        band = notes.pitch.astype(np.int64) - _LOWEST_PITCH + round(12 * np.log2(harmonic))
        inside = (band >= 0) & (band < _BANDS) & (frame >= 0) & (frame < frames)
        weight = notes.velocity[inside] / np.float32(127) * np.float32(_HARMONIC_DECAY ** (harmonic - 1))
        np.add.at(onsets, (frame[inside], band[inside]), weight)
    total = np.concatenate([np.zeros((1, _BANDS), np.float64), np.cumsum(onsets, axis=0, dtype=np.float64)])
    in_frame: NDArray[np.float64] = np.clip(total[_STRIDE:] - total[:-_STRIDE], 0.0, None)
    in_frame[in_frame < 1e-6] = 0.0  # what cancellation leaves of an empty frame
    return np.sqrt(in_frame).astype(np.float32)


def _windows(grid: NDArray[np.float32], starts_s: NDArray[np.float64], lag: int) -> NDArray[np.float32]:
    """Cut, smooth over 3 frames, centre, flatten and normalise: [n, frames · bands]; empty windows stay zero."""
    first = np.rint(starts_s * _GRID_HZ).astype(np.int64)
    index = first[:, None] + np.arange(_FRAMES)[None] * _STRIDE + lag
    missing = int(index.max(initial=0)) + 1 - len(grid)
    if missing > 0:
        grid = np.pad(grid, ((0, missing), (0, 0)))
    cut = grid[index]
    padded = np.pad(cut, ((0, 0), (1, 1), (0, 0)))
    smooth = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    smooth -= smooth.mean(axis=1, keepdims=True)
    smooth -= _FRAME_CENTRING * smooth.mean(axis=2, keepdims=True)
    flat = smooth.reshape(len(cut), _FRAMES * _BANDS)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.divide(flat, norm, out=np.zeros_like(flat), where=norm > 1e-6)
