"""MIDI with a tempo map: the notes at their places in the bars, and tempo events that follow the recording.

There is at most one tempo event a beat, so beats on which a note begins are at the recording's times, to the rounding
of MIDI's microseconds a quarter. Within a beat the tempo is constant: notes between beats sound where it puts them, not
where the player did. Where the player pauses inside a beat, one event is on the note next to the pause instead.

Second 0 of the file is second 0 of the recording. Bars that the recording repeats stand there again and those that it
skips are left out (`antiphon.alignment.unfolding`); a marker has the bar's number in the notes wherever their order
changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import symusic

from antiphon.alignment.alignment_table import Alignment, AlignmentFormat
from antiphon.alignment.unfolding import Unfolded, unfold
from antiphon.errors import AntiphonError
from antiphon.io.metre import Bar, Floats, read_metre, time_signature
from antiphon.io.notes import tick_tracks

_LONGEST_QUARTER = (1 << 24) - 1  # microseconds, in three bytes
_CLOSE = 1e-4
_PAUSE_S = 0.2  # notes of a beat that are further off than this tell of a pause inside it


def _write(alignment: Alignment) -> bytes:
    pitch = alignment.pitch.astype(np.int64) + int(alignment.semitones)
    kept = alignment.is_sounding & (pitch >= 0) & (pitch <= 127)
    if not kept.any():
        raise AntiphonError(f"{alignment.recording}: no note of {alignment.notes} was found in it")
    end_s = float(alignment.offset_s[np.isfinite(alignment.offset_s)].max(initial=0.0))
    metre = read_metre(Path(alignment.notes), end_s)
    unfolded = unfold(alignment, metre, on_clock=True)
    score: Any = symusic.Score(metre.ticks_per_quarter)
    per_quarter = metre.ticks_per_quarter
    begin, end = (
        np.rint(np.nan_to_num(column[kept]).clip(0) * per_quarter).astype(np.int32)
        for column in (unfolded.onset, unfolded.end)
    )
    score.tracks.extend(tick_tracks(begin, end, pitch[kept].astype(np.uint8), alignment.velocity[kept]))
    for tick, length in tempo_events(unfolded, per_quarter):
        score.tempos.append(symusic.Tempo(tick, None, length))
    _add_bars(score, unfolded, per_quarter)
    return score.dumps_midi()


def tempo_events(unfolded: Unfolded, ticks_per_quarter: int) -> list[tuple[int, int]]:
    """(tick, microseconds a quarter), at most one a beat; each makes up for the rounding of those before.

    The last tempo goes on behind the last note.
    """
    last = float(unfolded.anchor_quarter[-1])
    quarter = [0.0, *(one for one in beats(unfolded.bars) if _CLOSE < one < last - _CLOSE), last]
    quarter = _moved_to_pauses(quarter, unfolded.anchor_quarter, unfolded.anchor_s)
    second = np.interp(quarter, unfolded.anchor_quarter, unfolded.anchor_s)
    tick = np.rint(np.array(quarter) * ticks_per_quarter).astype(np.int64)
    events: list[tuple[int, int]] = []
    elapsed_us = 0
    for begin, end, until_us in zip(tick[:-1].tolist(), tick[1:].tolist(), (second[1:] * 1e6).tolist(), strict=True):
        if end == begin:
            continue
        length = round((until_us - elapsed_us / ticks_per_quarter) * ticks_per_quarter / (end - begin))
        length = min(max(length, 1), _LONGEST_QUARTER)
        elapsed_us += length * (end - begin)
        if not events or events[-1][1] != length:
            events.append((begin, length))
    return events or [(0, 500_000)]


def _moved_to_pauses(beat: list[float], anchor_quarter: Floats, anchor_s: Floats) -> list[float]:
    """Where a player pauses inside a beat, put the event of this beat or of the next on the note next to the pause.

    Otherwise the notes of that beat would be late or early by a part of the pause.
    """

    def error_s(events: list[float], begin: float, end: float) -> float:
        first, last = np.searchsorted(anchor_quarter, (begin - _CLOSE, end + _CLOSE))
        at_events_s = np.interp(events, anchor_quarter, anchor_s)
        errors_s = np.interp(anchor_quarter[first:last], events, at_events_s) - anchor_s[first:last]
        return float(np.abs(errors_s).max(initial=0.0))

    moved = list(beat)
    for index in range(len(beat) - 1):
        low, high = max(index - 1, 0), min(index + 2, len(beat) - 1)
        near = moved[low : high + 1]
        least_s = error_s(near, beat[low], beat[high])
        if least_s < _PAUSE_S:
            continue
        least_s /= 2
        first, last = np.searchsorted(anchor_quarter, (beat[index] + _CLOSE, beat[index + 1] - _CLOSE))
        for note in anchor_quarter[first:last].tolist():
            for place in {index, index + 1} - {0, len(beat) - 1}:
                events = [*near[: place - low], note, *near[place - low + 1 :]]
                if events == sorted(events) and (found_s := error_s(events, beat[low], beat[high])) < least_s:
                    least_s = found_s
                    moved[low : high + 1] = events
    return moved


def beats(bars: Sequence[Bar]) -> list[float]:
    """The quarters at which the beats of bars begin.

    >>> beats([Bar(0.0, 1.0, 1, 1.0, 3.0), Bar(1.0, 2.0, 2), Bar(3.0, 1.75, 3, 1.0, 0.25)])
    [0.0, 1.0, 2.0, 3.75]
    """
    found: list[float] = []
    for bar in bars:
        first = np.ceil(bar.phase / bar.beat - _CLOSE) * bar.beat - bar.phase
        found += (bar.at + np.arange(first, bar.length - _CLOSE, bar.beat)).tolist()
    return found


def _add_bars(score: Any, unfolded: Unfolded, ticks_per_quarter: int) -> None:
    """Time signatures where they change, and markers where the order of the bars does."""
    before: tuple[int, int] | None = None
    for bar in unfolded.bars:
        signature = time_signature(bar.length, bar.beat)
        if signature is not None and signature != before:
            score.time_signatures.append(symusic.TimeSignature(round(bar.at * ticks_per_quarter), *signature))
        before = signature
    for position in dict.fromkeys((0, *unfolded.jumps)):
        bar = unfolded.bars[min(position, len(unfolded.bars) - 1)]
        score.markers.append(symusic.TextMeta(round(bar.at * ticks_per_quarter), f"bar {bar.number}"))


FORMAT = AlignmentFormat("tempo-map", (), _write)
