"""Onset features for alignment: onset strength in semitone bands at 50 frames a second, of audio and of notes."""

from __future__ import annotations

import numpy as np

from antiphon.io.notes import Notes
from antiphon.signal.onsets import GRID_HZ, RISE_FRAMES, Frames, onset_strength, predicted_onsets, sum_over
from antiphon.types import SampleArray

FRAME_HZ = GRID_HZ
_FFT_S = 2048 / 24_000
_COMPRESSION = 10.0
_EXPONENT = 0.7
_LAG = 4  # frames by which the spectral difference trails the onset
_CONTEXT_S = 0.2
_SMOOTHED = 5


def sound_frames(samples: SampleArray, sample_rate_hz: int, begin_s: float, end_s: float) -> Frames:
    """Onset frames of mono audio from `begin_s` to `end_s`: [(end_s − begin_s) · 50, 96]; zeros beyond its ends."""
    count = round((end_s - begin_s) * FRAME_HZ)
    first = round((begin_s - _CONTEXT_S) * sample_rate_hz)
    last = first + round((count / FRAME_HZ + 2 * _CONTEXT_S) * sample_rate_hz)
    part = samples[max(0, first) : max(0, last)]
    before = max(0, min(-first, last - first))
    part = np.pad(part, (before, last - first - before - len(part)))
    n_fft = 1 << round(np.log2(_FFT_S * sample_rate_hz))
    strength = onset_strength(part, sample_rate_hz, n_fft, _COMPRESSION) ** np.float32(_EXPONENT)
    context = round(_CONTEXT_S * FRAME_HZ)
    return _smooth(strength[_LAG:])[context : context + count]


def note_frames(notes: Notes, begin_s: float, end_s: float) -> Frames:
    """Onset frames predicted from notes, from `begin_s` to `end_s`: [(end_s − begin_s) · 50, 96]."""
    count = round((end_s - begin_s) * FRAME_HZ)
    reach = (RISE_FRAMES + _SMOOTHED) / FRAME_HZ
    near = notes.window(begin_s - reach, end_s - begin_s + 2 * reach)
    first = round(reach * FRAME_HZ)
    return _smooth(predicted_onsets(near, end_s - begin_s + 2 * reach))[first : first + count]


def _smooth(frames: Frames) -> Frames:
    """Moving mean over five frames, 100 ms."""
    half = _SMOOTHED // 2
    return sum_over(np.pad(frames, ((half, half), (0, 0))), _SMOOTHED) / np.float32(_SMOOTHED)
