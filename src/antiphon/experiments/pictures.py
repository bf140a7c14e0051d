"""Pictures of a match: the spectrogram of the query above the piano roll of the matched notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from antiphon.io.notes import Notes
from antiphon.signal.spectra import power, stft

_LOWEST, _HIGHEST = 21, 108
_C_PITCHES = range(24, _HIGHEST + 1, 12)
_FFT, _HOP = 4096, 512
_FLOOR_DB = -70.0


def draw_match(
    path: Path,
    title: str,
    samples: NDArray[np.float32],
    sample_rate_hz: int,
    query_start_s: float,
    notes: Notes,
    match_s: tuple[float, float],
    context_s: float = 2.0,
) -> None:
    """Write a PNG: the spectrogram of the query, and below it the piano roll around the marked match.

    `samples` float32 [n] mono are the query alone, which begins at second `query_start_s` of its recording. `match_s`
    is the start and end of the match in seconds of the notes, `context_s` the margin on either side. Both parts have
    the same axes of pitch and time, so a note lies below its sound.
    """
    figure = Figure(figsize=(11, 7), layout="constrained")
    above, below = figure.subplots(2, 1)
    figure.suptitle(title, parse_math=False)  # file names may hold dollar signs
    query_s = len(samples) / sample_rate_hz
    margin = context_s / query_s  # of the query's length, and of the match's, so that the two stay aligned
    _spectrogram(above, samples, sample_rate_hz, query_start_s)
    above.set_xlim(query_start_s - margin * query_s, query_start_s + (1 + margin) * query_s)
    length_s = match_s[1] - match_s[0]
    _piano_roll(below, notes, match_s, match_s[0] - margin * length_s, match_s[1] + margin * length_s)
    for axes in (above, below):
        axes.set_ylim(_LOWEST, _HIGHEST)
        axes.set_yticks(list(_C_PITCHES), [f"C{pitch // 12 - 1}" for pitch in _C_PITCHES])
        axes.set_ylabel("pitch")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def _spectrogram(axes: Axes, samples: NDArray[np.float32], sample_rate_hz: int, query_start_s: float) -> None:
    window = torch.hann_window(_FFT)
    spectrum = stft(torch.from_numpy(samples), window, _HOP)[1:] / window.sum()
    level_db = 10 * np.log10(power(spectrum).numpy() + 1e-18)
    level_db = np.maximum(level_db - level_db.max(), _FLOOR_DB)
    time_s = np.arange(level_db.shape[1]) * _HOP / sample_rate_hz
    pitch = 69 + 12 * np.log2(np.arange(1, _FFT // 2 + 1) * sample_rate_hz / _FFT / 440)
    shown = (pitch >= _LOWEST - 1) & (pitch <= _HIGHEST + 1)
    axes.pcolormesh(query_start_s + time_s, pitch[shown], level_db[shown], cmap="magma", rasterized=True)
    axes.set_facecolor("0.93")
    axes.set_title("recording: spectrogram", loc="left", fontsize=10)
    axes.set_xlabel("seconds in the recording")


def _piano_roll(axes: Axes, notes: Notes, match_s: tuple[float, float], begin: float, end: float) -> None:
    axes.axvspan(*match_s, color="tab:green", alpha=0.18, label="the match")
    shown = notes.window(begin, end - begin)
    left, right = shown.onset_s + begin, shown.offset_s + begin
    low, high = shown.pitch - 0.5, shown.pitch + 0.5
    corners = np.stack([left, low, left, high, right, high, right, low], axis=1).reshape(-1, 4, 2)
    shade = 0.35 + 0.65 * shown.velocity / 127
    colours = [(0.1, 0.2, 0.45, alpha) for alpha in shade]
    axes.add_collection(PolyCollection(list(corners), facecolors=colours, edgecolors="none"))
    axes.set_xlim(begin, end)
    axes.set_title("matched notes, darker for higher velocities", loc="left", fontsize=10)
    axes.set_xlabel("seconds in the note file")
    axes.legend(loc="upper right")
