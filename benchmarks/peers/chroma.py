"""Chroma and subsequence DTW: `chroma_cqt` of the query against the chroma of each library file's notes, librosa's.

python -m benchmarks.peers.chroma QUERIES OUT [--queries N] [--library N]

Frames of 93 ms, unit vectors of 12 pitch classes, cosine distance; steps (1, 1), (1, 2), (2, 1), so that a query may go
at half to double the tempo; the answer is the path whose mean distance is least. Every query is aligned with the whole
library, so that its time grows with it: take a sample. Source: Müller, Fundamentals of Music Processing (2015), 7.2.
"""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput
from antiphon.io.audio import read_samples
from antiphon.io.notes import NOTE_SUFFIXES, Notes, read_notes
from antiphon.progress import track
from benchmarks.peers.common import answer, parser_for
from benchmarks.search.asking import Find
from benchmarks.search.queries import Found, Library, Query

_RATE_HZ, _HOP = 22_050, 2048
_FRAME_S = _HOP / _RATE_HZ
_STEPS = np.array([[1, 1], [1, 2], [2, 1]])
_DECAY_S = 1.0  # of a struck string, roughly
Chroma = NDArray[np.float32]


def main() -> None:
    """Parse, prepare, answer."""
    options = parser_for("chroma", "Chroma and subsequence DTW.").parse_args()
    answer(options, "chroma + DTW (librosa)", prepare, None)


def prepare(library: Library) -> Find:
    """Chroma of every library file [12, T]; files that cannot be read find nothing."""
    chroma: dict[Path, Chroma] = {}
    for path in track(library.files, "chroma of the library"):
        try:
            chroma[path] = of_notes(read_notes(path, sustain=True))
        except UnreadableInput as error:
            print(error)
    return lambda query: _best(query, chroma)


def of_notes(notes: Notes) -> Chroma:
    """What a chromagram of these notes would show: velocity, fading while a note sounds; unit columns [12, T]."""
    first = np.floor(notes.onset_s / _FRAME_S).astype(int)
    last = np.ceil(notes.offset_s / _FRAME_S).astype(int)
    rows = np.zeros((12, int(last.max()) + 1), np.float32)
    for begin, end, pitch, velocity in zip(first, last, notes.pitch.tolist(), notes.velocity.tolist(), strict=True):
        frames = max(1, end - begin)
        rows[pitch % 12, begin : begin + frames] += velocity * np.exp(-np.arange(frames) * _FRAME_S / _DECAY_S)
    return _unit(rows)


def of_sound(samples: NDArray[np.float32]) -> Chroma:
    """The constant-Q chromagram of samples at 22 050 Hz: unit columns [12, T]."""
    return _unit(librosa.feature.chroma_cqt(y=samples, sr=_RATE_HZ, hop_length=_HOP).astype(np.float32))


def _unit(rows: Chroma) -> Chroma:
    # A silent frame is as far from every other as can be, instead of undefined.
    return rows / np.maximum(np.linalg.norm(rows, axis=0, keepdims=True), np.float32(1e-6))


def _best(query: Query, library: dict[Path, Chroma]) -> Found | None:
    if query.path.suffix.lower() in NOTE_SUFFIXES:
        asks = of_notes(read_notes(query.path, sustain=True).window(query.start_s, query.length_s))
    else:
        asks = of_sound(read_samples(query.path, _RATE_HZ, query.start_s, query.length_s))
    # Only shifts of the query in whole semitones: what `transpose` asks for.
    keys = range(-6, 7) if query.transpose else range(1)
    best: Found | None = None
    for path, chroma in library.items():
        for key in keys:
            found = _align(query, key, np.roll(asks, -key, axis=0), path, chroma)
            if found is not None and (best is None or found.score > best.score):
                best = found
    return best


def _align(query: Query, semitones: int, asks: Chroma, path: Path, chroma: Chroma) -> Found | None:
    """The best stretch of one file; None where it is too short for any path."""
    if 2 * chroma.shape[1] < asks.shape[1]:
        return None
    distance, steps = librosa.sequence.dtw(C=1.0 - asks.T @ chroma, subseq=True, step_sizes_sigma=_STEPS)
    cost = float(distance[-1].min()) / len(steps)
    start_s, end_s = float(steps[-1, 1]) * _FRAME_S, float(steps[0, 1] + 1) * _FRAME_S
    return Found(
        str(path), start_s, end_s, query.start_s, (end_s - start_s) / query.length_s, 1.0 - cost, None, semitones
    )


if __name__ == "__main__":
    main()
