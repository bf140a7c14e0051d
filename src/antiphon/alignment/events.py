"""Events: the notes that begin together, the unit in which a path steps through a file of notes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from antiphon.models.note_onsets import KEYS, LOWEST_KEY

Seconds = NDArray[np.float64]
_TOGETHER_S = 0.025


@dataclass(frozen=True, eq=False)
class Events:
    """K events of N notes, in order of time.

    Attributes
    ----------
    onset_s : float64 [K]
        Seconds of the first note of each event, strictly increasing.
    event : int64 [N]
        The event of each note; notes are sorted by onset.
    key : int64 [N]
        Row of each note in an onset map, −1 for a pitch that is not on a piano's keyboard.
    keys : sparse float32 [K, 88]
        1 for each key that begins in an event.
    """

    onset_s: Seconds
    event: NDArray[np.int64]
    key: NDArray[np.int64]
    keys: sparse.csr_matrix

    @classmethod
    def of(cls, onset_s: Seconds, pitch: NDArray[np.integer], semitones: int = 0) -> Events:
        """Group notes, sorted by onset, whose onsets are at most 25 ms after the one before.

        A chain of such notes is split where it becomes longer than that, so no event is longer than 25 ms.
        `semitones` is added to the pitches.

        >>> Events.of(np.array([0.0, 0.01, 0.5]), np.array([60, 64, 62])).event.tolist()
        [0, 0, 1]
        """
        event = np.zeros(len(onset_s), np.int64)
        begins: list[float] = []
        for number, onset in enumerate(onset_s.tolist()):
            if not begins or onset > begins[-1] + _TOGETHER_S:
                begins.append(onset)
            event[number] = len(begins) - 1
        key = pitch.astype(np.int64) + semitones - LOWEST_KEY
        key[(key < 0) | (key >= KEYS)] = -1
        on = np.flatnonzero(key >= 0)
        keys = sparse.csr_matrix((np.ones(len(on), np.float32), (event[on], key[on])), shape=(len(begins), KEYS))
        keys.sum_duplicates()
        keys.data[:] = 1.0
        return cls(np.array(begins), event, key, keys)

    def __len__(self) -> int:
        return len(self.onset_s)

    def part(self, first: int, last: int) -> Events:
        """The events from `first` up to, not including, `last`, with their notes."""
        notes = slice(*np.searchsorted(self.event, (first, last)))
        return Events(self.onset_s[first:last], self.event[notes] - first, self.key[notes], self.keys[first:last])
