"""`Sheet`: the bars, notes and tempo marks of a score as written, and their performance as `Notes`.

Readers of score formats fill a sheet; `repeats` gives the order of the bars. Positions are quarters from the start of
the written score, exact fractions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from antiphon.errors import UnreadableInput, warn_input
from antiphon.io.notes import Notes
from antiphon.io.repeats import MOST_TIMES, BarMarks, playing_order

DEFAULT_VELOCITY = 80
DEFAULT_PER_MINUTE = 120.0
TEMPO_RANGE = (4.0, 2000.0)  # quarters a minute
GRACE_S = 0.08
GRACES_S = 0.5  # the most that the grace notes before one note take
MOST_NOTES = 1_000_000
_TIE_GAP = Fraction(1, 16)  # of a quarter: written durations of tuplets may be rounded


class Written(NamedTuple):
    """A written note. Of `graces` grace notes before a main note, the last has `grace` 1; 0 is no grace note.

    `times` counts how often its bar has been played: the note sounds at these times only; empty is always.
    """

    at: Fraction
    length: Fraction
    pitch: int
    velocity: int = DEFAULT_VELOCITY
    id: str = ""
    part: int = 0
    tie_from: bool = False
    tie_to: bool = False
    grace: int = 0
    graces: int = 1
    is_drum: bool = False
    times: frozenset[int] = frozenset()


class TempoMark(NamedTuple):
    """Quarters a minute from a position on; with `is_ratio`, a factor of the tempo so far."""

    at: Fraction
    per_minute: float
    is_ratio: bool = False


@dataclass(slots=True)
class Bar:
    """A bar of the score: its start and length in quarters, printed number, and the marks that affect the order.

    `beat` is the length of one beat in quarters; `upbeat` is what lacks at the start of a pickup bar.
    """

    at: Fraction
    length: Fraction
    number: int
    beat: Fraction = Fraction(1)
    upbeat: Fraction = Fraction(0)
    marks: BarMarks = field(default_factory=BarMarks)
    notes: list[Written] = field(default_factory=list)


def count_upbeat(bar: Bar, before: Bar | None, nominal: Fraction | None, may_continue: bool) -> None:
    """Count the beats of a short bar: a pickup from its end, the rest of a divided bar on from its first part."""
    if nominal is None or bar.length >= nominal:
        return
    if before is None:
        bar.upbeat = nominal - bar.length
    elif may_continue and before.upbeat + before.length + bar.length == nominal:
        bar.upbeat = before.upbeat + before.length


class InnerRepeat(NamedTuple):
    """A repeat sign inside a bar, at a place in quarters from its start: a section begins, or ends after `times`."""

    at: Fraction
    begins: bool
    times: int = 1


def divided(bar: Bar, signs: Iterable[InnerRepeat]) -> list[Bar]:
    """Divide a bar at the repeat signs inside it; a note belongs to the part that it begins in."""
    pieces = [bar]
    for sign in sorted(sign for sign in signs if 0 < sign.at < bar.length):
        last, at = pieces[-1], bar.at + sign.at
        if at > last.at:
            rest = Bar(at, last.at + last.length - at, bar.number, bar.beat, last.upbeat + at - last.at)
            rest.marks = last.marks.divide()
            rest.notes = [note for note in last.notes if note.at >= at]
            last.notes = [note for note in last.notes if note.at < at]
            last.length = at - last.at
            pieces.append(rest)
        pieces[-1].marks.repeat_begins |= sign.begins
        pieces[-2].marks.repeats_to = max(pieces[-2].marks.repeats_to, sign.times)
    return pieces


@dataclass(slots=True)
class Sheet:
    """A score as written: bars in order without gaps, and tempo marks in any order.

    `order` gives the places of the bars as played where the source lists them; None is by the marks of the bars.
    Without `has_bars`, there is one bar, which the notes do not name.
    """

    bars: list[Bar]
    tempi: list[TempoMark]
    order: list[int] | None = None
    has_bars: bool = True


@dataclass(slots=True)
class _Sounding:
    start_s: float
    end_s: float
    note: Written
    bar: int
    beat: float
    end: Fraction
    written_end: Fraction


def performed(sheet: Sheet, path: Path) -> Notes:
    """Play a sheet: repeats unfolded, ties joined, grace notes before their main notes, seconds by the tempo marks.

    A tempo mark holds from its place in the written score on, also where that place is played again. A score without
    a tempo mark gets 120 quarters a minute, and `tempo_is_guessed`.

    Raises
    ------
    UnreadableInput
        There are no notes, or the repeats unfold to more than a million.
    """
    clock = _Clock(sheet.tempi, path)
    order = _order(sheet)
    if sum(len(sheet.bars[place].notes) for place in order) > MOST_NOTES:
        raise UnreadableInput(path, f"its repeats unfold to more than {MOST_NOTES:,} notes")
    pitched: list[_Sounding] = []
    drums: list[_Sounding] = []
    open_ties: defaultdict[tuple[int, int], list[_Sounding]] = defaultdict(list)
    bar_start, bar_start_s = Fraction(0), 0.0
    played: Counter[int] = Counter()
    for place in order:
        bar = sheet.bars[place]
        played[place] += 1
        time = min(played[place], MOST_TIMES)
        shift_s = bar_start_s - clock.seconds(bar.at)
        for note in sorted(bar.notes, key=lambda note: (note.at, -note.grace, not note.tie_from)):
            if note.times and time not in note.times:
                continue
            start = bar_start + note.at - bar.at
            key = (note.part, note.pitch)
            before = _tied(open_ties[key], note, start) if key in open_ties and not note.grace else None
            if before is not None:
                before.end, before.written_end = start + note.length, note.at + note.length
                before.end_s = clock.seconds(note.at + note.length) + shift_s
                if not note.tie_to:
                    open_ties[key].remove(before)
                continue
            onset_s = clock.seconds(note.at) + shift_s
            end_s = clock.seconds(note.at + note.length) + shift_s
            if note.grace:
                step_s = min(GRACE_S, GRACES_S / note.graces)
                begin_s = max(0.0, onset_s - note.grace * step_s)
                onset_s, end_s = begin_s, max(begin_s + step_s / 2, onset_s - (note.grace - 1) * step_s)
            beat = float((note.at - bar.at + bar.upbeat) / bar.beat) + 1
            sounding = _Sounding(onset_s, end_s, note, bar.number, beat, start + note.length, note.at + note.length)
            (drums if note.is_drum else pitched).append(sounding)
            if note.tie_to and not note.grace:
                open_ties[key] = [one for one in open_ties[key] if one.end >= bar_start - _TIE_GAP] + [sounding]
        bar_start += bar.length
        bar_start_s = clock.seconds(bar.at + bar.length) + shift_s
    if not pitched and not drums:
        raise UnreadableInput(path, "it holds no notes")
    strokes = _packed(drums, None, clock.is_guessed, sheet.has_bars) if drums else None
    return _packed(pitched, strokes, clock.is_guessed, sheet.has_bars)


def _order(sheet: Sheet) -> list[int]:
    """The places of the bars as played."""
    for bar in sheet.bars:
        bar.marks.number = bar.number
    return playing_order([bar.marks for bar in sheet.bars]) if sheet.order is None else sheet.order


class PlayedBar(NamedTuple):
    """A bar with its start in quarters and seconds as played, and its end in seconds.

    `tempi` has the quarters and seconds of the changes of tempo inside it.
    """

    bar: Bar
    at: Fraction
    at_s: float
    end_s: float
    tempi: tuple[tuple[Fraction, float], ...]


def played_bars(sheet: Sheet, path: Path) -> list[PlayedBar]:
    """The bars in the order and on the clock of `performed`."""
    clock = _Clock(sheet.tempi, path)
    played: list[PlayedBar] = []
    at, at_s = Fraction(0), 0.0
    for place in _order(sheet):
        bar = sheet.bars[place]
        begin_s = clock.seconds(bar.at)
        inside = [one for one in clock.changes if bar.at < one < bar.at + bar.length]
        tempi = tuple((at + one - bar.at, at_s + clock.seconds(one) - begin_s) for one in inside)
        end_s = at_s + clock.seconds(bar.at + bar.length) - begin_s
        played.append(PlayedBar(bar, at, at_s, end_s, tempi))
        at, at_s = at + bar.length, end_s
    return played


def _tied(candidates: list[_Sounding], note: Written, start: Fraction) -> _Sounding | None:
    """The sounding note that a note continues: a tie may be stated by its first note only."""
    for one in candidates:
        if abs(one.end - start) <= _TIE_GAP and (note.tie_from or one.written_end == note.at):
            return one
    return None


def _packed(sounding: list[_Sounding], drums: Notes | None, is_guessed: bool, has_bars: bool) -> Notes:
    has_ids = any(one.note.id for one in sounding)
    return Notes.of(
        [one.start_s for one in sounding],
        [one.end_s - one.start_s for one in sounding],
        [one.note.pitch for one in sounding],
        [one.note.velocity for one in sounding],
        id=[one.note.id for one in sounding] if has_ids else None,
        bar=[one.bar for one in sounding] if has_bars else None,
        beat=[one.beat for one in sounding] if has_bars else None,
        drums=drums,
        tempo_is_guessed=is_guessed,
    )


class _Clock:
    """Written position in quarters → seconds, by the tempo marks."""

    def __init__(self, marks: list[TempoMark], path: Path) -> None:
        self._starts: list[Fraction] = [Fraction(0)]
        self._starts_s = [0.0]
        self._per_quarter_s = [60.0 / DEFAULT_PER_MINUTE]
        self._known: dict[Fraction, float] = {}
        self.is_guessed = True
        left_out = 0
        seen: set[Fraction] = set()
        for mark in sorted(marks, key=lambda mark: mark.at):  # of marks at one place, the first counts
            at = max(mark.at, Fraction(0))
            if at in seen:
                continue
            per_minute = mark.per_minute * 60.0 / self._per_quarter_s[-1] if mark.is_ratio else mark.per_minute
            if not TEMPO_RANGE[0] <= per_minute <= TEMPO_RANGE[1]:
                left_out += 1
                continue
            seen.add(at)
            self.is_guessed = self.is_guessed and mark.is_ratio
            self._change(at, 60.0 / per_minute)
        if left_out:
            limits = f"{TEMPO_RANGE[0]:.0f} to {TEMPO_RANGE[1]:.0f} quarters a minute"
            warn_input(path, f"{left_out} tempo marks outside {limits} are not used")

    def _change(self, at: Fraction, per_quarter_s: float) -> None:
        if at == self._starts[-1]:
            self._per_quarter_s[-1] = per_quarter_s
            return
        self._starts_s.append(self._starts_s[-1] + float(at - self._starts[-1]) * self._per_quarter_s[-1])
        self._starts.append(at)
        self._per_quarter_s.append(per_quarter_s)

    @property
    def changes(self) -> list[Fraction]:
        """The places where the tempo changes."""
        return self._starts

    def seconds(self, at: Fraction) -> float:
        if at not in self._known:
            place = max(bisect_right(self._starts, at) - 1, 0)
            since = float(at - self._starts[place])
            self._known[at] = self._starts_s[place] + since * self._per_quarter_s[place]
        return self._known[at]
