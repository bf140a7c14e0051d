"""`template`: a baseline without learned parameters that compares onset strength with onsets predicted from notes.

Audio: log-magnitude spectrum in semitone-spaced triangular bands, half-wave-rectified difference over one frame of
80 ms. Notes: velocity-weighted onsets spread over six harmonics, square root. Both have 12.5 frames per second and are
normalised (`antiphon.signal.onsets.normalised`) and flattened, so that the dot product is the cosine.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from antiphon.corpora.segment_table import at_playback
from antiphon.io.notes import Notes
from antiphon.models.inputs import as_samples, as_starts
from antiphon.models.protocol import Embedder
from antiphon.signal.onsets import (
    BANDS,
    FRAME_CENTRING,
    GRID_HZ,
    HARMONIC_DECAY,
    HARMONICS,
    LOWEST_PITCH,
    Frames,
    normalised,
    onset_strength,
    predicted_onsets,
    transpose,
)
from antiphon.types import AS_RECORDED, Playback

_SAMPLE_RATE_HZ = 24_000
_WINDOW_S = 4.0
_FFT = 4096
_STRIDE = 4  # a window takes every fourth frame of the grid: 12.5 per second
_FRAMES = round(_WINDOW_S * GRID_HZ / _STRIDE)
_COMPRESSION = 100.0
_LAG = 2  # grid frames by which the spectral difference trails the onset, half an analysis window's rise
_SETTINGS = (
    "template-2",
    (_SAMPLE_RATE_HZ, _WINDOW_S, _FFT, GRID_HZ, _STRIDE, LOWEST_PITCH, BANDS),
    (HARMONICS, HARMONIC_DECAY, _COMPRESSION, _LAG, FRAME_CENTRING),
)


class TemplateEmbedder(Embedder):
    """The baseline embedder: float32 unit vectors of 4800 dimensions, 50 frames of 96 semitone bands."""

    name = origin = "template"
    fingerprint = hashlib.sha256(repr(_SETTINGS).encode()).hexdigest()
    sample_rate_hz = _SAMPLE_RATE_HZ
    window_s = _WINDOW_S
    dimensions = _FRAMES * BANDS
    parameters = 0
    query_hop_s = 0.1
    elastic = True

    def embed_audio_windows(
        self, samples: ArrayLike, starts_s: ArrayLike, playback: Playback = AS_RECORDED
    ) -> NDArray[np.float32]:
        """Windows of onset strength: float32 [w, 4800]. At another tempo each frame is the nearest one of the grid."""
        strength = transpose(_strength(as_samples(samples)), playback.semitones)
        return _windows(strength, as_starts(starts_s), _LAG, playback.tempo)

    def embed_notes_windows(
        self, notes: Notes, starts_s: ArrayLike, playback: Playback = AS_RECORDED
    ) -> NDArray[np.float32]:
        """Windows of predicted onsets: float32 [w, 4800]."""
        notes, starts_s = at_playback(notes, playback), as_starts(starts_s) / playback.tempo
        first = max(0, math.floor(float(starts_s.min()) * GRID_HZ) - 1) if len(starts_s) else 0
        last_s = float(starts_s.max(initial=0.0)) + _WINDOW_S
        return _windows(predicted_onsets(notes, last_s, first), starts_s, -first)

    def embed_pairs(
        self, samples: ArrayLike, notes: Notes, starts_s: ArrayLike
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both modalities of the same windows."""
        return self.embed_audio_windows(samples, starts_s), self.embed_notes_windows(notes, starts_s)


def _strength(samples: NDArray[np.float32]) -> Frames:
    return onset_strength(samples, _SAMPLE_RATE_HZ, _FFT, _COMPRESSION)


def _windows(
    grid: NDArray[np.float32], starts_s: NDArray[np.float64], lag: int, tempo: float = 1.0
) -> NDArray[np.float32]:
    """Cut, normalise and flatten: [w, frames · bands]; empty windows stay zero, as does time outside the grid."""
    first = np.rint(starts_s * GRID_HZ).astype(np.int64)
    index = first[:, None] + np.rint(np.arange(_FRAMES) * _STRIDE * tempo).astype(np.int64)[None] + lag
    # A negative index would address the end of the grid.
    before, after = max(0, -int(index.min(initial=0))), max(0, int(index.max(initial=0)) + 1 - len(grid))
    if before or after:
        grid = np.pad(grid, ((before, after), (0, 0)))
    return normalised(torch.from_numpy(grid[index + before])).flatten(1).numpy()
