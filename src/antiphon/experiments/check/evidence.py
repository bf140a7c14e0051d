"""The measurements of one pair of a recording and a note file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from antiphon.alignment.aligning import Side, align_sides, read_side
from antiphon.alignment.alignment_table import Alignment
from antiphon.experiments.check.deviation import Clocks, Values, clocks_of
from antiphon.experiments.check.lag import LEAD, Lag, clocks_at, lag_of
from antiphon.experiments.check.registers import Registers, registers_of
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.models.note_onsets import FRAME_HZ

_MARGIN_S = 30.0
_ONE_CLOCK, _MOST_JUMPS_PER_MINUTE = 0.75, 4.0
_LIKELY = 0.5
_LEAST_GAP_S, _FEWEST_IN_GAP = 2.0, 8

Stretches = tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class Evidence:
    """The measurements of a pair.

    `recording_s` and `notes_s` are the lengths of both sides. `one_clock` says that the times of both sides differ by
    an offset, a drift and few jumps; a score has another clock. `lost` is from when to when, in seconds of the
    recording, the sound is not what the notes say: on one clock where notes and onsets do not agree, else where the
    path is lost.
    """

    confidence: float
    path_confidence: float
    lag: Lag
    recording_s: float
    notes_s: float
    lost: Stretches
    clocks: Clocks
    registers: Registers
    one_clock: bool

    @property
    def same_music(self) -> bool:
        """Whether both sides are the same music, by the alignment or by the lag."""
        return self.confidence >= _LIKELY or self.lag.lead >= LEAD

    @property
    def lost_s(self) -> float:
        """The length of all lost stretches."""
        return float(sum(end_s - begin_s for begin_s, end_s in self.lost))


def evidence_of(recording: Path, notes: Path) -> Evidence:
    """Align a pair and measure it. Raises `UnreadableInput` for a file that cannot be used."""
    played, written = read_side(recording), read_notes(notes, sustain=True)
    return measure(played, written, str(recording), str(notes))


def measure(played: Side, written: Notes, recording: str, file: str) -> Evidence:
    """Measure a pair that has been read.

    Notes that begin 30 s or more after the end of the recording do not count, unless the others are other music: those
    of a score may be slower.
    """
    recording_s = played.onsets.shape[1] / FRAME_HZ
    notes = written.within(0.0, recording_s + _MARGIN_S)
    alignment, lag = align_sides(played, notes, recording, file), lag_of(played.onsets, notes)
    if alignment.confidence < _LIKELY and lag.lead < LEAD and len(notes) < len(written):
        whole = align_sides(played, written, recording, file)
        if whole.confidence > alignment.confidence:
            alignment, notes = whole, written
    clocks = clocks_of(alignment)
    if lag.lead >= LEAD:
        # An alignment is lost where a hand is missing, and takes a repeat for the first time; the lag holds there.
        by_lag = clocks_at(played.onsets, notes, lag.lag_s)
        clocks = max(clocks, by_lag, key=lambda one: one.on_level)
    minutes = max(float(np.ptp(clocks.time_s)) / 60 if len(clocks) else 0.0, 0.5)
    one_clock = clocks.same >= _ONE_CLOCK and len(clocks.jumps) / minutes <= _MOST_JUMPS_PER_MINUTE
    at_s = clocks.expected_s(notes.onset_s) if one_clock else _along_path(alignment, notes.onset_s)
    registers = registers_of(played.onsets, notes, at_s)
    return Evidence(
        confidence=alignment.confidence,
        path_confidence=alignment.path_confidence,
        lag=lag,
        recording_s=recording_s,
        notes_s=written.end_s,
        lost=_merged(registers.strange_stretches()) if one_clock else _lost(alignment),
        clocks=clocks,
        registers=registers,
        one_clock=one_clock,
    )


def _along_path(alignment: Alignment, onset_s: Values) -> Values:
    """The times that the path gives notes at `onset_s`; NaN outside its stretches."""
    at_s = np.full(len(onset_s), np.nan)
    for warp in alignment.path:
        inside = np.isnan(at_s) & (onset_s >= warp.query_s[0]) & (onset_s <= warp.query_s[-1])
        at_s[inside] = warp.at(onset_s[inside])
    return at_s


def _lost(alignment: Alignment) -> Stretches:
    """The lost stretches of the path and the gaps between its stretches in which neither side is silent."""
    found = list(alignment.lost)
    missing_s = alignment.onset_s[alignment.state == "missing"]
    for one, other in zip(alignment.path[:-1], alignment.path[1:], strict=True):
        begin_s, end_s = float(one.library_s[-1]), float(other.library_s[0])
        skipped = (missing_s > one.query_s[-1]) & (missing_s < other.query_s[0])
        if end_s - begin_s >= _LEAST_GAP_S and skipped.sum() >= _FEWEST_IN_GAP:
            found.append((begin_s, end_s))
    return _merged(found)


def _merged(stretches: list[tuple[float, float]]) -> Stretches:
    joined: list[tuple[float, float]] = []
    for begin_s, end_s in sorted(stretches):
        if joined and begin_s <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end_s)
        else:
            joined.append((begin_s, end_s))
    return tuple(joined)
