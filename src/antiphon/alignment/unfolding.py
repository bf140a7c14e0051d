"""`unfold`: the notes of an alignment in quarters, on bars that follow the order in which the recording plays them.

A recording may pause, skip, or go back. Its common stretches are put one after the other on one axis of quarters, so
that a repeated bar stands there twice. Bars stay whole wherever the time between two stretches has room for the rest of
the bar; otherwise, as after a stumble, the bar is cut, to a multiple of a sixteenth note.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.alignment_table import Alignment
from antiphon.alignment.dtw import Warp
from antiphon.alignment.rising import heaviest_rising
from antiphon.io.metre import Bar, Floats, Metre

SLOWEST_S = 12.0
"""Seconds a quarter, 5 quarters a minute: a longer pause gets empty bars. MIDI has no tempo below 16.8 s a quarter."""
_MOST_RATIO = 4.0  # of the tempo of a stretch, by which the time between two may be faster or slower
_SIXTEENTH = 0.25
_SAME_ONSET = 1e-3  # quarters
_SOUNDING_START_S = 1e-3  # a recording whose first note is earlier needs no time before it
_BACK_S = 1.0  # a step back in the notes that is no order of ornaments or of chords
_CLOSE = 1e-4
_MOST_EMPTY_BARS = 10_000
_NEAR_BEAT = 5e-3  # of a beat
_UNSURE_WEIGHT, _BEAT_WEIGHT, _FIXED_WEIGHT = 0.25, 4.0, 1e9


@dataclass(frozen=True, eq=False)
class Unfolded:
    """N rows of an alignment on an axis of quarters from 0, and the bars there.

    Attributes
    ----------
    onset, end : float64 arrays [N]
        Quarters; NaN for rows that are not on the axis.
    bars : tuple of Bar
        In order without gaps, from quarter 0. A bar that is cut begins or ends inside a bar of the notes.
    jumps : tuple of int
        Positions of the bars at which the recording does not go on with the bar that follows in the notes.
    anchor_quarter, anchor_s : float64 arrays [A]
        Points with a known time in the recording, both strictly increasing. The first is (0, 0) for `on_clock`.
    """

    onset: Floats
    end: Floats
    bars: tuple[Bar, ...]
    jumps: tuple[int, ...]
    anchor_quarter: Floats
    anchor_s: Floats


def stretches(alignment: Alignment) -> NDArray[np.int64]:
    """The number of the common stretch of each row, int64 [N], not decreasing over rows with a time.

    Rows belong to the `Warp` of the path that is nearest to them. Without a path, a stretch ends where the notes go
    back. Rows of missing notes go with their neighbours; extra notes have −1.
    """
    onset_s, time_s = alignment.onset_s, alignment.recording_s
    is_timed = np.isfinite(onset_s) & np.isfinite(time_s)
    found = np.full(len(alignment), -1, np.int64)
    rows = np.flatnonzero(is_timed)
    if len(alignment.path) > 0 and len(rows):
        x, y = onset_s[rows], time_s[rows]
        found[rows] = np.argmin([_distance(warp, x, y) for warp in alignment.path], axis=0)
    elif len(rows):
        number, reached = 0, -np.inf
        for row in rows[np.argsort(time_s[rows], kind="stable")].tolist():
            if onset_s[row] < reached - _BACK_S:
                number, reached = number + 1, -np.inf
            reached = max(reached, onset_s[row])
            found[row] = number
    _give_to_missing(found, onset_s, is_timed)
    return found


def _distance(warp: Warp, onset_s: Floats, time_s: Floats) -> Floats:
    """How far points [n] are from a stretch of the path, in seconds of both sides together."""
    outside = np.maximum(warp.query_s[0] - onset_s, 0.0) + np.maximum(onset_s - warp.query_s[-1], 0.0)
    at_s = warp.at(onset_s) if len(warp.query_s) > 1 else warp.library_s[0]
    return outside + np.abs(at_s - time_s)


def _give_to_missing(found: NDArray[np.int64], onset_s: Floats, is_timed: NDArray[np.bool_]) -> None:
    """Rows without a time go with the stretch before where they follow it in the notes, else with the one after."""
    following = np.full(len(found) + 1, -1, np.int64)
    for row in range(len(found) - 1, -1, -1):
        following[row] = found[row] if is_timed[row] else following[row + 1]
    number, reached = -1, np.inf
    for row in np.flatnonzero(np.isfinite(onset_s)).tolist():
        if is_timed[row]:
            number, reached = int(found[row]), onset_s[row]
        elif number >= 0 and (onset_s[row] >= reached - _BACK_S or following[row] < 0):
            found[row] = number
        else:
            found[row] = max(int(following[row]), 0)


def unfold(alignment: Alignment, metre: Metre, *, on_clock: bool) -> Unfolded:
    """Put the rows of an alignment on one axis of quarters.

    Parameters
    ----------
    metre
        The metre of the notes.
    on_clock
        For a tempo map: second 0 of the recording is quarter 0, and only rows with a time are on the axis; skipped bars
        are not. Otherwise, for a score of all rows: quarter 0 is that of the notes, skipped bars stay, and bars are
        never cut.
    """
    number = stretches(alignment)
    quarter, end = metre.quarters(alignment.onset_s), metre.quarters(alignment.offset_s)
    is_timed = np.isfinite(quarter) & np.isfinite(alignment.recording_s) & (alignment.state != "extra")
    on_axis = is_timed if on_clock else np.isfinite(quarter)
    rows = np.flatnonzero(on_axis)
    axis = _Axis(metre, on_clock)
    shift = np.full(len(alignment), np.nan)
    for which in np.unique(number[rows]).tolist():
        kept = rows[number[rows] == which]
        timed = kept[is_timed[kept]]
        for part in _split_at_pauses(quarter, alignment.recording_s, timed) if on_clock else [kept]:
            times = alignment.recording_s[part if on_clock else timed].clip(0.0)
            shift[part] = axis.add(quarter[part], times)
    onset = quarter + shift
    anchors = _anchors(onset, _on_beat(quarter, metre), alignment, rows[is_timed[rows]], on_clock)
    ends = onset + np.nan_to_num(end - quarter).clip(0.0)
    return Unfolded(onset, ends, tuple(axis.bars), tuple(axis.jumps), *anchors)


def _on_beat(quarter: Floats, metre: Metre) -> NDArray[np.bool_]:
    """Whether quarters of the notes are at the beginning of a beat."""
    starts = np.array([bar.at for bar in metre.bars])
    position = (np.searchsorted(starts, np.nan_to_num(quarter) + _CLOSE, side="right") - 1).clip(0)
    phase = np.array([bar.phase for bar in metre.bars])[position]
    beat = (quarter - starts[position] + phase) / np.array([bar.beat for bar in metre.bars])[position]
    return np.abs(beat - np.rint(beat)) < _NEAR_BEAT


def _split_at_pauses(quarter: Floats, time_s: Floats, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Divide the rows of a stretch where the tempo is slower than a tempo map can be."""
    rows = rows[np.lexsort((time_s[rows], quarter[rows]))]
    step, step_s = np.diff(np.maximum.accumulate(quarter[rows])), np.diff(time_s[rows])
    return np.split(rows, np.flatnonzero(step_s > SLOWEST_S * np.maximum(step, _CLOSE) + SLOWEST_S * _SIXTEENTH) + 1)


def _anchors(
    onset: Floats, on_beat: NDArray[np.bool_], alignment: Alignment, rows: NDArray[np.int64], on_clock: bool
) -> tuple[Floats, Floats]:
    """One point for each distinct onset: the median time of its played notes, of its unsure ones if none is played.

    Where the order of the times contradicts that of the onsets, the points with the larger sum of weights stay.
    """
    rows = rows[np.argsort(onset[rows], kind="stable")]
    quarter, time_s = onset[rows].tolist(), alignment.recording_s[rows].clip(0.0).tolist()
    is_played, is_beat = (alignment.state[rows] == "played").tolist(), on_beat[rows].tolist()
    starts = [0, *(np.flatnonzero(np.diff(quarter) > _SAME_ONSET) + 1).tolist(), len(rows)] if len(rows) else [0]
    points = [(0.0, 0.0, _FIXED_WEIGHT)] if on_clock else []
    for begin, end in pairwise(starts):
        played = [index for index in range(begin, end) if is_played[index]]
        kept = played or range(begin, end)
        weight = (1.0 if played else _UNSURE_WEIGHT) * (_BEAT_WEIGHT if any(is_beat[begin:end]) else 1.0)
        points.append((fmean(quarter[index] for index in kept), median(time_s[index] for index in kept), weight))
    rising = [points[index] for index in heaviest_rising([(time, weight) for _, time, weight in points])]
    return np.array([one[0] for one in rising]), np.array([one[1] for one in rising])


class _Axis:
    """The axis while stretches are added in the order of the recording."""

    def __init__(self, metre: Metre, on_clock: bool) -> None:
        self.bars: list[Bar] = []
        self.jumps: list[int] = []
        self._metre = metre
        self._on_clock = on_clock
        self._shift = 0.0
        self._last = 0.0  # the last quarter of the notes that is on the axis
        self._last_s = 0.0
        self._next_bar = 0  # the bar of the notes that follows the last on the axis

    def add(self, quarter: Floats, time_s: Floats) -> float:
        """Add a stretch by the quarters of its rows and the times of those that have one; how far it is shifted."""
        first, last = float(quarter.min()), float(quarter.max())
        begin_s, end_s = (float(time_s.min()), float(time_s.max())) if len(time_s) else (self._last_s, self._last_s)
        pace = (end_s - begin_s) / (last - first) if last > first + _SIXTEENTH and end_s > begin_s else 0.0
        if pace <= 0.0:  # too short to tell: the notes' own tempo
            pace = float(self._metre.seconds(first + 1.0) - self._metre.seconds(first))
        if not self.bars:
            self._lead_in(first, begin_s, pace)
        else:
            self._join(first, max(begin_s - self._last_s, 0.0), pace)
        self._add_bars(self._metre.bar_at(last))
        self._last, self._last_s = last, end_s
        return self._shift

    def _add_bars(self, until: int) -> None:
        """Add the bars of the notes from the next one to a position."""
        for position in range(self._next_bar, until + 1):
            bar = self._metre.bars[position]
            self.bars.append(bar._replace(at=bar.at + self._shift))
        self._next_bar = max(self._next_bar, until + 1)

    def _lead_in(self, first: float, begin_s: float, pace: float) -> None:
        """Fill the time before the first note: whole bars where their tempo is near, otherwise a shorter bar."""
        if not self._on_clock:
            return
        position = self._metre.bar_at(first)
        bar = self._metre.bars[position]
        inside = first - bar.at
        self._next_bar = position
        nearest = max(round((begin_s / pace - inside) / bar.length), 0)
        for count in (nearest, nearest + 1):
            quarters = inside + count * bar.length
            if quarters * pace / _MOST_RATIO <= begin_s <= quarters * pace * _MOST_RATIO and quarters > 0:
                self.bars += [Bar(index * bar.length, bar.length, bar.number, bar.beat) for index in range(count)]
                self._shift = count * bar.length - bar.at
                return
        if begin_s > _SOUNDING_START_S:
            length = max(round(begin_s / pace / _SIXTEENTH), 1) * _SIXTEENTH
            self.bars.append(Bar(0.0, length, bar.number))
        self._resume(first)

    def _resume(self, first: float) -> None:
        """Go on at the end of the axis, with the bar of a quarter of the notes from this quarter on."""
        position = self._metre.bar_at(first)
        bar = self._metre.bars[position]
        cut = np.floor((first - bar.at + _CLOSE) / _SIXTEENTH) * _SIXTEENTH
        at = self.bars[-1].at + self.bars[-1].length if self.bars else 0.0
        self._shift = float(at - bar.at - cut)
        self._next_bar = position
        if cut > 0:
            self.bars.append(Bar(at, float(bar.length - cut), bar.number, bar.beat, float(bar.phase + cut)))
            self._next_bar = position + 1

    def _join(self, first: float, gap_s: float, pace: float) -> None:
        """Go on after `gap_s` with another quarter of the notes."""
        here = self._metre.bars[self._metre.bar_at(self._last)]
        ahead = max(first - self._last, 0.0)
        goes_on = first > self._last - _SIXTEENTH  # an ornament or a chord may lie on both sides of a pause
        if goes_on and (not self._on_clock or gap_s >= ahead * pace / _MOST_RATIO):
            self._shift += self._add_empty(here, ahead, gap_s)
            return
        there_at = self._metre.bar_at(first)
        there = self._metre.bars[there_at]
        phase, new_phase = self._last - here.at + here.phase, first - there.at + there.phase
        to_next = here.at + here.length - self._last + first - there.at
        fits_in_bar = phase + _CLOSE < new_phase < here.phase + here.length - _CLOSE
        wanted = gap_s / pace
        if fits_in_bar and (not self._on_clock or abs(wanted - new_phase + phase) < abs(wanted - to_next)):
            quarters, next_bar = new_phase - phase, there_at + 1
        else:
            quarters, next_bar = to_next, there_at
        if self._on_clock and quarters * pace / _MOST_RATIO > gap_s:
            self._cut(self._last + self._shift + wanted)
            self.jumps.append(len(self.bars))
            self._resume(first)
            return
        extra = self._add_empty(here, quarters, gap_s)
        self._shift += self._last + quarters + extra - first
        self.jumps.append(len(self.bars) - (next_bar > there_at))
        self._next_bar = next_bar

    def _add_empty(self, bar: Bar, quarters: float, gap_s: float) -> float:
        """Add copies of a bar until a pause is no slower than a tempo map can be; their length in quarters."""
        if not self._on_clock or gap_s <= SLOWEST_S * max(quarters, _SIXTEENTH):
            return 0.0
        count = min(int(np.ceil((gap_s / SLOWEST_S - quarters) / bar.length)), _MOST_EMPTY_BARS)
        for _ in range(count):
            at = self.bars[-1].at + self.bars[-1].length
            self.bars.append(Bar(at, bar.length, bar.number, bar.beat))
        return count * bar.length

    def _cut(self, at: float) -> None:
        """End the axis at a quarter, or a sixteenth after the last note, on the grid of sixteenths of its bar."""
        bar = self.bars[-1]
        used = self._last + self._shift - bar.at
        length = max(round((at - bar.at) / _SIXTEENTH), int(np.floor((used + _CLOSE) / _SIXTEENTH)) + 1) * _SIXTEENTH
        self.bars[-1] = bar._replace(length=min(length, max(bar.length, _SIXTEENTH)))
        if length > bar.length + _CLOSE:
            self.bars.append(Bar(bar.at + bar.length, length - bar.length, bar.number, bar.beat))
