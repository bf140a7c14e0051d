"""Judgement of the measured pairs of a corpus: each kind of finding is one function and one row of `KINDS`.

The alignment itself places all notes of an instrument some milliseconds early or late, −10 to +20 ms by instrument. So
the offset of a pair is judged against the median of its corpus, which is limited to that range.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from antiphon.experiments.check.evidence import Evidence
from antiphon.experiments.check.registers import Split

MAX_OFFSET_MS, MAX_DRIFT_PPM = 20.0, 50.0
_OWN_BIAS_MS = (-15.0, 25.0)
_MAD_TO_SD = 1.4826
_OFFSET_SIGMAS, _DRIFT_SIGMAS, _DRIFT_SIGMAS_SHORT = 4.0, 3.0, 4.5
_SHORT_ERROR_PPM = 30.0  # above it the error itself is uncertain: a short recording, or few notes
_WIDEST_SPREAD_MS = 10.0
_LEAST_LOST_S = 4.5
_OF_CORPUS_PLAYED, _OF_CORPUS_WRITTEN = 0.4, 0.75
_FEWEST_NOTES = 20
_MOSTLY = 0.7
_NOTE_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True)
class Finding:
    """A fault of a pair: its kind, and the evidence in words and numbers.

    `from_s` and `to_s` are seconds of the recording, where the finding has a place.
    """

    kind: str
    text: str
    from_s: float | None = None
    to_s: float | None = None


@dataclass(frozen=True)
class Norms:
    """The usual values of a corpus, and the limits that the user accepts.

    `offset_ms` is the median offset of its pairs and `spread_ms` their standard deviation by the median absolute
    deviation; both are NaN where no pair has one clock. `played` and `written` are the median shares; `one_clock` says
    whether the notes are those of the performances, as in most pairs, and no scores.
    """

    offset_ms: float
    spread_ms: float
    played: float
    written: float
    one_clock: bool
    max_offset_ms: float = MAX_OFFSET_MS
    max_drift_ppm: float = MAX_DRIFT_PPM

    @classmethod
    def of(cls, pairs: Sequence[Evidence], max_offset_ms: float, max_drift_ppm: float) -> Norms:
        """The norms of the pairs that are the same music."""
        same = [one for one in pairs if one.same_music]
        offset_ms = np.array([1e3 * one.clocks.offset_s for one in same if one.one_clock])
        middle = float(np.median(offset_ms)) if len(offset_ms) else math.nan
        spread = _MAD_TO_SD * float(np.median(np.abs(offset_ms - middle))) if len(offset_ms) else math.nan
        played, written = (
            float(np.nanmedian(shares)) if len(shares) and not np.isnan(shares).all() else math.nan
            for shares in (
                np.array([one.registers.played_share for one in same]),
                np.array([one.registers.written_share for one in same]),
            )
        )
        one_clock = len(offset_ms) > _MOSTLY * len(same)
        return cls(middle, spread, played, written, one_clock, max_offset_ms, max_drift_ppm)

    @property
    def reference_ms(self) -> float:
        """The offset against which pairs are judged."""
        return 0.0 if math.isnan(self.offset_ms) else float(np.clip(self.offset_ms, *_OWN_BIAS_MS))

    @property
    def is_off(self) -> bool:
        """Whether the corpus as a whole has an offset that the alignment's own bias does not explain."""
        return not math.isnan(self.offset_ms) and self.offset_ms != self.reference_ms


def _offset(one: Evidence, norms: Norms) -> list[Finding]:
    clocks = one.clocks
    off_ms = 1e3 * clocks.offset_s - norms.reference_ms
    spread_ms = 0.0 if math.isnan(norms.spread_ms) else min(norms.spread_ms, _WIDEST_SPREAD_MS)
    error_ms = math.hypot(1e3 * clocks.offset_error_s, spread_ms)
    if not abs(off_ms) > max(norms.max_offset_ms, _OFFSET_SIGMAS * error_ms):
        return []
    side = "after" if off_ms > 0 else "before"
    absolute = f"{1e3 * clocks.offset_s:+.1f} ± {1e3 * clocks.offset_error_s:.1f} ms"
    return [Finding("offset", f"the sound is {abs(off_ms):.0f} ms {side} the notes (measured {absolute})")]


def _drift(one: Evidence, norms: Norms) -> list[Finding]:
    ppm, error = one.clocks.drift_ppm, one.clocks.drift_error_ppm
    limit = norms.max_drift_ppm * (1 + len(one.clocks.jumps))  # the levels between jumps are free, the line is short
    sigmas = _DRIFT_SIGMAS if error <= _SHORT_ERROR_PPM else _DRIFT_SIGMAS_SHORT
    if not abs(ppm) > max(limit, sigmas * error):
        return []
    slower = "slower" if ppm > 0 else "faster"
    return [Finding("drift", f"the recording runs {abs(ppm):.0f} ± {error:.0f} ppm {slower} than the notes")]


def _cuts(one: Evidence, norms: Norms) -> list[Finding]:
    found = []
    for jump in one.clocks.jumps:
        begin_s, end_s = sorted(jump.recording_s)
        length = f"{abs(jump.by_s):.2f} s"
        text = f"{length} of the {'notes' if jump.by_s > 0 else 'sound'} are missing"
        found.append(Finding("cut", f"{text} between {begin_s:.1f} and {end_s:.1f} s", begin_s, end_s))
    return found


def _lost(one: Evidence, norms: Norms) -> list[Finding]:
    if one.lost_s < _LEAST_LOST_S:
        return []
    where = ", ".join(f"{begin_s:.1f}–{end_s:.1f}" for begin_s, end_s in one.lost)
    text = f"for {one.lost_s:.1f} s the sound is not what the notes say: {where} s"
    return [Finding("lost", text, one.lost[0][0], one.lost[-1][1])]


def _unplayed(one: Evidence, norms: Norms) -> list[Finding]:
    registers = one.registers
    if (split := registers.unplayed_register()) is not None:
        return [Finding("unplayed notes", f"{split.lower:.0%} of the notes {_register(split)} are played")]
    share = registers.played_share
    if len(registers.played) >= _FEWEST_NOTES and share < _OF_CORPUS_PLAYED * norms.played:
        return [Finding("unplayed notes", f"{share:.0%} of the notes are played, in the corpus {norms.played:.0%}")]
    return []


def _unwritten(one: Evidence, norms: Norms) -> list[Finding]:
    registers = one.registers
    if (split := registers.unwritten_register()) is not None:
        return [Finding("unwritten notes", f"{split.lower:.0%} of the onsets {_register(split)} are in the notes")]
    share = registers.written_share
    if len(registers.written) >= _FEWEST_NOTES and share < _OF_CORPUS_WRITTEN * norms.written:
        text = f"{share:.0%} of the onsets are in the notes, in the corpus {norms.written:.0%}"
        return [Finding("unwritten notes", text)]
    return []


def _register(split: Split) -> str:
    """The words for the register of the lower share."""
    name = f"{_NOTE_NAMES[split.pitch % 12]}{split.pitch // 12 - 1}"
    side, opposite = ("below", "above") if split.below < split.above else ("from", "below")
    words = f"below {name}" if side == "below" else f"from {name} up"
    return f"{words} ({split.higher:.0%} {opposite})"


Judge = Callable[[Evidence, Norms], list[Finding]]
KINDS = MappingProxyType(
    {
        "unplayed notes": _unplayed,
        "unwritten notes": _unwritten,
        "cut": _cuts,
        "offset": _offset,
        "drift": _drift,
        "lost": _lost,
    }
)
"""Kind of finding → the function that judges it, in the order in which findings are told."""
_EXPLAIN_LOST = frozenset({"unplayed notes", "unwritten notes"})
_NEED_ONE_CLOCK = frozenset({"cut", "offset", "drift"})
OTHER_MUSIC, ANOTHER_PERFORMANCE = "other music", "another performance"


def findings_of(one: Evidence, norms: Norms) -> list[Finding]:
    """Everything that is wrong with a pair. Of other music nothing else is told."""
    if not one.same_music:
        return [Finding(OTHER_MUSIC, f"the notes are not those of the recording (confidence {one.confidence:.2f})")]
    kinds = [judge for kind, judge in KINDS.items() if one.one_clock or kind not in _NEED_ONE_CLOCK]
    found = [finding for judge in kinds for finding in judge(one, norms)]
    if any(finding.kind in _EXPLAIN_LOST for finding in found):
        found = [finding for finding in found if finding.kind != "lost"]
    if norms.one_clock and not one.one_clock:
        text = f"the times do not agree with the recording's: {one.clocks.same:.0%} of the sure notes are on its clock"
        found.insert(0, Finding(ANOTHER_PERFORMANCE, text))
    return found
