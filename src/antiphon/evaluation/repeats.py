"""Repeats within a recording: localisation may forgive a match at a repeat of the query's notes.

Sequenced music repeats itself to the millisecond, so no system can tell such places apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.io.notes import Notes

ONSET_TOLERANCE_S = 0.05
MATCHED_SHARE = 0.9
_WIDER_S = ONSET_TOLERANCE_S + 1e-6  # so that rounding excludes no lag


def is_repeat(notes: Notes, start_s: float, other_s: float, length_s: float, slack_s: float) -> bool:
    """Whether the notes of a stretch, `length_s` from `start_s` on, repeat within `slack_s` of `other_s` (all seconds).

    The notes of both stretches, those whose onset lies inside, are matched one to one: equal pitch, and onsets relative
    to the stretch's start within 50 ms. A repeat has 90 % of the notes of each stretch matched. The other stretch is
    tried at every start within `slack_s` of `other_s` that aligns one of its notes exactly with one of the first
    stretch. A stretch without notes has no repeat.
    """
    onset_s, pitch = _inside(notes, start_s, length_s)
    near_s, near_pitch = _inside(notes, other_s - slack_s, length_s + 2 * slack_s)
    lag_s = (near_s[None] - slack_s - onset_s[:, None])[pitch[:, None] == near_pitch[None]]
    lag_s = np.sort(lag_s[np.abs(lag_s) <= slack_s])
    # The number of pairs of notes within 50 ms of a lag limits the number of matches at that lag.
    first, last = (np.searchsorted(lag_s, lag_s + edge) for edge in (-_WIDER_S, _WIDER_S))
    for lag in np.unique(lag_s[last - first >= MATCHED_SHARE * len(onset_s)]):
        repeat_s, repeat_pitch = _inside(notes, other_s + float(lag), length_s)
        matched = _matched(onset_s, pitch, repeat_s, repeat_pitch)
        if matched >= MATCHED_SHARE * max(len(onset_s), len(repeat_s)):
            return True
    return False


def _inside(notes: Notes, start_s: float, length_s: float) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Onsets relative to `start_s`, and pitches, of the notes that begin in the stretch."""
    first, last = np.searchsorted(notes.onset_s, (start_s, start_s + length_s))
    return notes.onset_s[first:last] - start_s, notes.pitch[first:last]


def _matched(
    onset_s: NDArray[np.float64], pitch: NDArray[np.uint8], other_s: NDArray[np.float64], other_pitch: NDArray[np.uint8]
) -> int:
    """The largest number of pairs of equal pitch with onsets within 50 ms, each note in one pair."""
    left, right = (
        sorted(zip(p.tolist(), s.tolist(), strict=True)) for p, s in ((pitch, onset_s), (other_pitch, other_s))
    )
    pairs = i = j = 0
    while i < len(left) and j < len(right):
        if left[i][0] == right[j][0] and abs(left[i][1] - right[j][1]) <= ONSET_TOLERANCE_S:
            pairs, i, j = pairs + 1, i + 1, j + 1
        elif left[i] < right[j]:
            i += 1
        else:
            j += 1
    return pairs
