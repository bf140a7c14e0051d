"""`Metre`: quarters, bars and beats of a note file, on the clock of `read_notes`."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import symusic
from numpy.typing import ArrayLike, NDArray

from antiphon.errors import collect_input_warnings
from antiphon.io.kinds import modality_of_input
from antiphon.io.midi import sequences_of, ticks_to_seconds
from antiphon.io.note_files import kind_of_notes, read_bytes
from antiphon.io.scores import read_sheet
from antiphon.io.sheet import played_bars

DEFAULT_TICKS = 480
DEFAULT_QUARTER_S = 0.5
_MOST_BARS = 200_000
_TICKS = (24, 32_767)  # ticks per quarter that other programs read
_DENOMINATORS = (4, 8, 2, 16, 1, 32, 64)
_CLOSE = 1e-4  # quarters

Floats = NDArray[np.float64]


class Bar(NamedTuple):
    """A bar as played: its start, length and beat in quarters, and its printed number.

    `phase` is where the bar begins within a whole bar: above 0 for a pickup bar or the rest of a bar.
    """

    at: float
    length: float
    number: int
    beat: float = 1.0
    phase: float = 0.0


@dataclass(frozen=True, eq=False)
class Metre:
    """The map between seconds and quarters, and the bars, in order without gaps, repeats unfolded.

    Attributes
    ----------
    second, quarter : float64 arrays [K]
        Knots of the piecewise linear map, both strictly increasing; K ≥ 2. Beyond them it goes on with its end slopes.
    bars : tuple of Bar
        They cover the notes and begin at quarter 0.
    ticks_per_quarter : int
        Of the MIDI file; 480 for other files.
    """

    second: Floats
    quarter: Floats
    bars: tuple[Bar, ...]
    ticks_per_quarter: int = DEFAULT_TICKS

    def quarters(self, second: ArrayLike) -> Floats:
        """Quarters from the start at seconds of the notes; NaN stays NaN.

        >>> regular_metre(8.0).quarters([0.0, 1.25]).tolist()
        [0.0, 2.5]
        """
        return _interpolate(np.asarray(second, np.float64), self.second, self.quarter)

    def seconds(self, quarter: ArrayLike) -> Floats:
        """Seconds of the notes at quarters from the start."""
        return _interpolate(np.asarray(quarter, np.float64), self.quarter, self.second)

    def bar_at(self, quarter: float) -> int:
        """The position of the bar that contains a quarter; the last one for later quarters."""
        return max(bisect_right(self.bars, quarter + _CLOSE, key=lambda bar: bar.at) - 1, 0)


def _interpolate(at: Floats, x: Floats, y: Floats) -> Floats:
    piece = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    slope = (y[piece + 1] - y[piece]) / (x[piece + 1] - x[piece])
    return y[piece] + (at - x[piece]) * slope


def regular_metre(end_s: float) -> Metre:
    """Bars of four quarters at 120 quarters a minute, until `end_s` at least.

    >>> metre = regular_metre(3.0)
    >>> [bar.at for bar in metre.bars], [bar.number for bar in metre.bars]
    ([0.0, 4.0], [1, 2])
    """
    end = max(end_s, 0.0) / DEFAULT_QUARTER_S
    return Metre(np.array([0.0, DEFAULT_QUARTER_S]), np.array([0.0, 1.0]), _regular_bars(end))


def _regular_bars(end: float, signatures: tuple[tuple[float, float, float], ...] = ()) -> tuple[Bar, ...]:
    """Bars until a quarter; `signatures` are (quarter, length of a bar, length of a beat) in order."""
    changes = [(0.0, 4.0, 1.0), *signatures, (end, 4.0, 1.0)]
    bars: list[Bar] = []
    for (begin, length, beat), (until, _, _) in pairwise(changes):
        count = min(int(np.ceil((until - begin) / length - _CLOSE)), _MOST_BARS)
        for index in range(count):
            at = begin + index * length
            bars.append(Bar(at, min(length, until - at), len(bars) + 1, beat))
    length, beat = changes[-2][1:]
    return (*bars[:-1], bars[-1]._replace(length=length)) if bars else (Bar(0.0, length, 1, beat),)


def read_metre(path: Path, end_s: float) -> Metre:
    """The metre of a MIDI file or a score; a regular one until `end_s` for tables, recordings and format 2 of MIDI.

    Bars of MIDI follow its time signatures, 4/4 where it has none, and are numbered from 1. Warnings about the file are
    left to `read_notes`. Raises `UnreadableInput`.
    """
    if modality_of_input(path) == "audio":
        return regular_metre(end_s)
    with collect_input_warnings():
        data = read_bytes(path)
        kind = kind_of_notes(path, data)
        if kind == "midi":
            return _midi_metre(path, data, end_s)
        return _score_metre(path, data, end_s) if kind == "score" else regular_metre(end_s)


def _midi_metre(path: Path, data: bytes, end_s: float) -> Metre:
    sequences, _, _ = sequences_of(path, data, False)
    if len(sequences) != 1:
        return regular_metre(end_s)
    one = sequences[0]
    per_quarter = one.ticks_per_quarter
    last = max(float(one.tempo[:, 0].max(initial=0)), float(one.end.max(initial=0))) + per_quarter
    tick = np.unique(np.concatenate([[0.0, last], one.tempo[:, 0].astype(np.float64)]))
    second = ticks_to_seconds(one, tick)
    ticks = round(per_quarter) if _TICKS[0] <= per_quarter <= _TICKS[1] else DEFAULT_TICKS
    is_exact = per_quarter == round(per_quarter)
    metre = Metre(second, tick / per_quarter, (), ticks if is_exact else DEFAULT_TICKS)
    end = max(float(metre.quarters(end_s)), float(one.end.max(initial=0)) / per_quarter)
    return Metre(second, metre.quarter, _regular_bars(end, _signatures(data, end)), metre.ticks_per_quarter)


def _signatures(data: bytes, end: float) -> tuple[tuple[float, float, float], ...]:
    """Time signatures of a MIDI file before a quarter, as in `_regular_bars`; none where symusic cannot read it."""
    try:
        score: Any = symusic.Score.from_midi(data, sanitize_data=True)
    except (RuntimeError, ValueError):
        return ()
    found: dict[float, tuple[float, float, float]] = {}
    for one in score.time_signatures:
        at = one.time / score.ticks_per_quarter
        if one.numerator > 0 and one.denominator > 0 and at < end:
            found[at] = (at, 4.0 * one.numerator / one.denominator, 4.0 / one.denominator)
    return tuple(found[at] for at in sorted(found))


def _score_metre(path: Path, data: bytes, end_s: float) -> Metre:
    sheet = read_sheet(path, data)
    played = [one for one in played_bars(sheet, path) if one.bar.length > 0][:_MOST_BARS]
    if not played:
        return regular_metre(end_s)
    points = [(0.0, 0.0)]
    for one in played:
        points += [(float(one.at), one.at_s), *((float(at), at_s) for at, at_s in one.tempi)]
    points.append((float(played[-1].at + played[-1].bar.length), played[-1].end_s))
    quarter, second = (np.array(column) for column in zip(*points, strict=True))
    kept = np.concatenate([[True], (np.diff(quarter) > 0) & (np.diff(second) > 0)])
    if not sheet.has_bars:
        metre = Metre(second[kept], quarter[kept], ())
        return Metre(metre.second, metre.quarter, _regular_bars(max(float(metre.quarters(end_s)), 4.0)))
    bars = tuple(
        Bar(float(one.at), float(one.bar.length), one.bar.number, float(one.bar.beat), float(one.bar.upbeat))
        for one in played
    )
    return Metre(second[kept], quarter[kept], bars)


def time_signature(length: float, beat: float = 1.0) -> tuple[int, int] | None:
    """Numerator and denominator of a bar in quarters, the beat's denominator first; None where no signature fits.

    >>> time_signature(3.0, 0.5), time_signature(0.25), time_signature(1 / 3)
    ((6, 8), (1, 16), None)
    """
    own = round(4 / beat) if beat > 0 else 4
    for denominator in (own, *_DENOMINATORS):
        numerator = length * denominator / 4
        if denominator in _DENOMINATORS and 1 <= round(numerator) <= 255 and abs(numerator - round(numerator)) < _CLOSE:
            return round(numerator), denominator
    return None
