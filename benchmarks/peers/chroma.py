"""Chroma and subsequence DTW with librosa: chroma of the query against chroma of each library file's notes.

python -m benchmarks.peers.chroma QUERIES OUT [--queries N] [--library N]

Frames last 93 ms and are unit vectors of 12 pitch classes, compared by cosine distance. The steps (1, 1), (1, 2) and
(2, 1) allow half to double the tempo. The result is the path with the least mean distance. Every query is aligned with
the whole library, and the time grows with its size: use a sample. Source: Müller, Fundamentals of Music Processing
(2015), 7.2.
"""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput
from antiphon.io.audio import read_samples
from antiphon.io.note_files import NOTE_SUFFIXES, read_notes
from antiphon.io.notes import Notes
from antiphon.progress import track
from benchmarks.peers.common import parser_for, run_peer
from benchmarks.search.queries import BestMatch, Library, Query
from benchmarks.search.querying import SearchFunction

_RATE_HZ, _HOP = 22_050, 2048
_FRAME_S = _HOP / _RATE_HZ
_STEPS = np.array([[1, 1], [1, 2], [2, 1]])
_DECAY_S = 1.0  # approximate decay time of a piano string
Chroma = NDArray[np.float32]


def main() -> None:
    """Parse the command line, prepare the library, run the queries."""
    options = parser_for("chroma", "Chroma and subsequence DTW.").parse_args()
    run_peer(options, "chroma + DTW (librosa)", prepare, None)


def prepare(library: Library) -> SearchFunction:
    """Compute the chroma [12, T] of every library file; unreadable files are printed and skipped."""
    chroma: dict[Path, Chroma] = {}
    for path in track(library.files, "chroma of the library"):
        try:
            chroma[path] = of_notes(read_notes(path, sustain=True))
        except UnreadableInput as error:
            print(error)
    return lambda query: _best(query, chroma)


def of_notes(notes: Notes) -> Chroma:
    """Synthetic chroma of notes: velocity with exponential decay while a note sounds; unit columns [12, T]."""
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
    # The floor gives silent frames the distance 1 to all others instead of an undefined one.
    return rows / np.maximum(np.linalg.norm(rows, axis=0, keepdims=True), np.float32(1e-6))


def _best(query: Query, library: dict[Path, Chroma]) -> BestMatch | None:
    if query.path.suffix.lower() in NOTE_SUFFIXES:
        frames = of_notes(read_notes(query.path, sustain=True).window(query.start_s, query.length_s))
    else:
        frames = of_sound(read_samples(query.path, _RATE_HZ, query.start_s, query.length_s))
    # `transpose` allows shifts of the query by whole semitones.
    shifts = range(-6, 7) if query.transpose else range(1)
    best: BestMatch | None = None
    for path, chroma in library.items():
        for semitones in shifts:
            found = _align(query, semitones, np.roll(frames, -semitones, axis=0), path, chroma)
            if found is not None and (best is None or found.score > best.score):
                best = found
    return best


def _align(query: Query, semitones: int, frames: Chroma, path: Path, chroma: Chroma) -> BestMatch | None:
    """The best stretch of one file; None where the file is too short for any path."""
    if 2 * chroma.shape[1] < frames.shape[1]:
        return None
    distance, steps = librosa.sequence.dtw(C=1.0 - frames.T @ chroma, subseq=True, step_sizes_sigma=_STEPS)
    cost = float(distance[-1].min()) / len(steps)
    start_s, end_s = float(steps[-1, 1]) * _FRAME_S, float(steps[0, 1] + 1) * _FRAME_S
    return BestMatch(
        str(path), start_s, end_s, query.start_s, (end_s - start_s) / query.length_s, 1.0 - cost, None, semitones
    )


if __name__ == "__main__":
    main()
