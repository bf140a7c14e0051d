"""Aligned notes: the notes of one side of a match at the times and in the key of the other side.

The ends of a match are known to about 50 ms, the onset tolerance of transcription metrics (`mir_eval.transcription`),
so a note whose onset lies at most that far outside of them belongs to the match.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from antiphon.io.notes import Notes

Clock = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Maps seconds of the notes' side to seconds of the other side; strictly increasing."""

EDGE_S = 0.05
SHORTEST_NOTE_S = 0.01


def aligned_notes(notes: Notes, start_s: float, end_s: float, clock: Clock, semitones: int) -> Notes:
    """The notes whose onset lies in [`start_s` − 0.05, `end_s` + 0.05], mapped by `clock` and transposed.

    Onsets before second 0 of the other side become 0. Offsets are mapped too, to at least 10 ms after the onset. Notes
    that `semitones` moves out of MIDI's range 0–127 are left out. Empty where no note remains.

    >>> notes = Notes.of([0.98, 2.0, 9.0], [0.5, 1.0, 1.0], [60, 127, 60], [80, 80, 80])
    >>> moved = aligned_notes(notes, 1.0, 3.0, lambda seconds: 2 * seconds, 1)
    >>> moved.onset_s.tolist(), moved.duration_s.tolist(), moved.pitch.tolist()
    ([1.96], [1.0], [61])
    """
    pitch = notes.pitch.astype(np.int64) + semitones
    onset_s, offset_s = aligned_times(notes, start_s, end_s, clock)
    kept = np.isfinite(onset_s) & (pitch >= 0) & (pitch <= 127)
    return Notes.of(onset_s[kept], (offset_s - onset_s)[kept], pitch[kept], notes.velocity[kept])


def aligned_times(
    notes: Notes, start_s: float, end_s: float, clock: Clock
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Onset and offset of each note in seconds of the other side, float64 [N] both; NaN outside the match.

    The match, second 0 and the shortest note are as in `aligned_notes`.
    """
    onset_s, offset_s = np.full(len(notes), np.nan), np.full(len(notes), np.nan)
    kept = (notes.onset_s >= start_s - EDGE_S) & (notes.onset_s <= end_s + EDGE_S)
    onset_s[kept] = np.maximum(clock(notes.onset_s[kept]), 0.0)
    offset_s[kept] = onset_s[kept] + np.maximum(clock(notes.offset_s[kept]) - onset_s[kept], SHORTEST_NOTE_S)
    return onset_s, offset_s
