"""From where to where the runs of a set list play their pieces: an alignment near each run, and the ends of its parts.

A run may hold its piece twice, with applause between: there the alignment goes back in the notes after a pause. A
repeat inside of a piece goes back without one.

An alignment goes on to the edge of what it is given where a part of the notes seems to be detected there. So a piece
ends where, counted from its middle, the notes that are played no longer outweigh those that are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.aligning import Side, align_sides
from antiphon.alignment.alignment_table import Alignment
from antiphon.alignment.dtw import Warp
from antiphon.index.programme import Run
from antiphon.index.whole_match import Span, span_of
from antiphon.io.notes import Notes
from antiphon.models.note_onsets import FRAME_HZ

_REACH_S = 90.0
"""How far beyond a run its piece may begin or end."""
_OVERLAP_S = 12.0
"""How far beyond the ends of the runs next to it: a stretch of the search may play two pieces."""
_PAUSE_S, _LONG_PAUSE_S = 4.0, 60.0
"""A pause after which going back in the notes is another performance, and one after which going on is one."""
_BACK_S = 5.0
_REQUIRED = 0.6
"""Share of played notes that extends a piece, in multiples of the usual share."""
_USUAL, _BLOCK_S = 0.6, 4.0
"""The usual share is this quantile over blocks: some of them may lie outside of the piece."""
_SLACK_S, _PER_SECOND = 0.5, 2.0
"""A gap between two notes that is longer than the tempo says costs two notes for each second beyond half a second."""
_FEWEST_NOTES = 10
_CHORD_S = 0.1
_ANOTHER_S = 3.0
"""A note that is farther from the path belongs to another of its stretches."""
_LEAST_SHARE = 0.6

_Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Played:
    """A piece that is played from when to when, in seconds of the recording (`query_…`) and of the notes.

    `share` is the share of its notes that are detected, `path_confidence` that of `Alignment`.
    """

    run: Run
    span: Span
    share: float
    path_confidence: float


def pieces_of(runs: Sequence[Run], notes: Sequence[Notes], side: Side) -> Iterator[Played]:
    """The pieces of a recording in order of time, without overlaps.

    `runs` are in order of time, `notes` those of their files, and `side` is the whole recording. A run whose notes are
    not detected in the recording gives no piece.
    """
    before: Played | None = None
    for number, run in enumerate(runs):
        begin_s, end_s = max(0.0, run.begin_s - _REACH_S), min(side.duration_s, run.end_s + _REACH_S)
        if number:
            begin_s = max(begin_s, runs[number - 1].end_s - _OVERLAP_S)
        if number + 1 < len(runs):
            end_s = min(end_s, runs[number + 1].begin_s + _OVERLAP_S)
        for one in _near(run, notes[number], side, round(begin_s * FRAME_HZ), round(end_s * FRAME_HZ)):
            if before is not None:
                if (
                    one.span.query_start_s <= before.span.query_start_s
                    or one.span.query_end_s <= before.span.query_end_s
                ):
                    continue
                yield _until(before, one.span.query_start_s)
            before = one
    if before is not None:
        yield before


def _until(one: Played, end_s: float) -> Played:
    """The piece without what lies after `end_s` of the recording."""
    span = one.span
    excess_s = span.query_end_s - end_s
    if excess_s <= 0:
        return one
    return replace(
        one, span=replace(span, query_end_s=end_s, end_s=max(span.start_s, span.end_s - excess_s * span.tempo))
    )


def _near(run: Run, notes: Notes, side: Side, begin: int, end: int) -> Iterator[Played]:
    """The pieces of a run in frames `begin` to `end` of a recording."""
    part = Side(side.notes, side.onsets[:, begin:end], side.cents)
    found = align_sides(part, notes, "", "", (run.semitones,))
    later_s = begin / FRAME_HZ
    for warps in _performances(found.path):
        trimmed, share = _trimmed(found, warps)
        if not trimmed or share < _LEAST_SHARE:
            continue
        span = span_of(replace(found, path=trimmed), part.duration_s)
        if span.query_start_s + later_s < run.end_s and span.query_end_s + later_s > run.begin_s:
            moved = replace(span, query_start_s=span.query_start_s + later_s, query_end_s=span.query_end_s + later_s)
            yield Played(run, moved, share, found.path_confidence)


def _performances(path: Sequence[Warp]) -> list[tuple[Warp, ...]]:
    """The common stretches of a path, those that belong to one performance of the piece together."""
    parts: list[tuple[Warp, ...]] = []
    for warp in path:
        if parts and _goes_on(parts[-1][-1], warp):
            parts[-1] = (*parts[-1], warp)
        else:
            parts.append((warp,))
    return parts


def _goes_on(before: Warp, after: Warp) -> bool:
    pause_s = float(after.library_s[0] - before.library_s[-1])
    forward = float(after.query_s[0]) >= float(before.query_s[-1]) - _BACK_S
    return pause_s <= _PAUSE_S or (pause_s <= _LONG_PAUSE_S and forward)


def _trimmed(alignment: Alignment, warps: Sequence[Warp]) -> tuple[tuple[Warp, ...], float]:
    """The stretches without what is not played at both ends, and the share of their notes that is played."""
    time_s, notes_s, gain, is_played = _rows(alignment, warps)
    if len(time_s) == 0:
        return (), 0.0
    block = (time_s / _BLOCK_S).astype(np.int64)
    block -= block.min()
    count, sure = np.bincount(block), np.bincount(block, gain)
    gain = gain - _REQUIRED * float(np.quantile(sure[count > 0] / count[count > 0], _USUAL))
    tempo = sum(float(np.ptp(warp.query_s)) for warp in warps) / sum(float(np.ptp(warp.library_s)) for warp in warps)
    ahead_s, expected_s = np.diff(time_s), np.abs(np.diff(notes_s)) / max(tempo, 1e-6)
    gap = np.concatenate([[0.0], _PER_SECOND * np.maximum(ahead_s - expected_s - _SLACK_S, 0.0)])
    first, last = _best_part(gain, gap)
    if last - first + 1 < _FEWEST_NOTES:
        return (), 0.0
    kept = [_between(warp, time_s[first], time_s[last]) for warp in warps]
    return tuple(warp for warp in kept if warp is not None), float(is_played[first : last + 1].mean())


def _rows(alignment: Alignment, warps: Sequence[Warp]) -> tuple[_Values, _Values, _Values, NDArray[np.bool_]]:
    """Of the notes in these stretches, in order of the recording: seconds of the recording and of the notes, the
    confidence of those that are played and 0 of the others, and whether they are played."""
    parts = []
    for warp in warps:
        own = (alignment.onset_s >= warp.query_s[0] - 1e-6) & (alignment.onset_s <= warp.query_s[-1] + 1e-6)
        at_s = warp.at(alignment.onset_s[own])
        # A note that the player repeats has a row in each of the stretches.
        own[own] = ~(np.abs(alignment.recording_s[own] - at_s) > _ANOTHER_S)
        played = alignment.state[own] == "played"
        gain = np.where(played, alignment.note_confidence[own], 0.0)
        parts.append((warp.at(alignment.onset_s[own]), alignment.onset_s[own], gain, played))
    time_s, notes_s, gain, played = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(time_s, kind="stable")
    return time_s[order], notes_s[order], gain[order], played[order]


def _best_part(gain: _Values, gap: _Values) -> tuple[int, int]:
    """The first and the last of consecutive values with the greatest sum; `gap` is the cost between two of them.

    >>> _best_part(np.array([0.4, -0.5, 0.4, 0.4, 0.4]), np.array([0.0, 0.0, 0.0, 0.0, 2.0]))
    (2, 3)
    """
    best, best_sum, first, total = (0, 0), -np.inf, 0, -np.inf
    for at, (own, cost) in enumerate(zip(gain.tolist(), gap.tolist(), strict=True)):
        if total - cost < 0:
            first, total = at, own
        else:
            total += own - cost
        if total > best_sum:
            best, best_sum = (first, at), total
    return best


def _between(warp: Warp, begin_s: float, end_s: float) -> Warp | None:
    """The knots of a stretch from one second of the recording to another; None where fewer than two are left."""
    kept = (warp.library_s >= begin_s - _CHORD_S) & (warp.library_s <= end_s + _CHORD_S)
    return Warp(warp.query_s[kept], warp.library_s[kept]) if np.count_nonzero(kept) >= 2 else None
