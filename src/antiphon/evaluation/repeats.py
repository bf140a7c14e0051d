"""Does a stretch of a recording come again elsewhere in it? Sequenced music repeats itself to the millisecond."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.io.notes import Notes

ONSET_TOLERANCE_S = 0.05
MATCHED_SHARE = 0.9
_WIDER_S = ONSET_TOLERANCE_S + 1e-6  # so that rounding rules no lag out


def is_repeat(notes: Notes, start_s: float, other_s: float, length_s: float, slack_s: float) -> bool:
    """Whether the notes of the `length_s` from `start_s` come again at `other_s`, give or take `slack_s`: in seconds.

    Both stretches' notes, those whose onset lies inside, are matched one to one: equal pitch, onsets within 50 ms of
    each other when both count from their stretch's start. It is a repeat when 90 % of either stretch's notes are
    matched. The other stretch is tried at every start within `slack_s` of `other_s` that lays one of its notes exactly
    on one of the first's. A stretch without notes comes nowhere again.
    """
    onset_s, pitch = _inside(notes, start_s, length_s)
    near_s, near_pitch = _inside(notes, other_s - slack_s, length_s + 2 * slack_s)
    lag_s = (near_s[None] - slack_s - onset_s[:, None])[pitch[:, None] == near_pitch[None]]
    lag_s = np.sort(lag_s[np.abs(lag_s) <= slack_s])
    # No more notes can be matched at a lag than there are pairs of notes whose lag is within 50 ms of it.
    first, last = (np.searchsorted(lag_s, lag_s + edge) for edge in (-_WIDER_S, _WIDER_S))
    for lag in np.unique(lag_s[last - first >= MATCHED_SHARE * len(onset_s)]):
        found_s, found_pitch = _inside(notes, other_s + float(lag), length_s)
        matched = _matched(onset_s, pitch, found_s, found_pitch)
        if matched >= MATCHED_SHARE * max(len(onset_s), len(found_s)):
            return True
    return False


def _inside(notes: Notes, start_s: float, length_s: float) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Onsets counted from `start_s`, and pitches, of the notes that begin inside."""
    first, last = np.searchsorted(notes.onset_s, (start_s, start_s + length_s))
    return notes.onset_s[first:last] - start_s, notes.pitch[first:last]


def _matched(
    onset_s: NDArray[np.float64], pitch: NDArray[np.uint8], other_s: NDArray[np.float64], other_pitch: NDArray[np.uint8]
) -> int:
    """How many pairs of equal pitch and about equal onset can be made at most, each note in one pair."""
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
