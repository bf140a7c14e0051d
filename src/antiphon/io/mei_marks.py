"""Marks of MEI that change notes under them: `<octave>`, which transposes, and `<dynam>`, which gives velocities."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from xml.etree.ElementTree import Element

from antiphon.io.score_values import DYNAMICS
from antiphon.io.sheet import DEFAULT_VELOCITY, Bar, Written

AS_SOUNDING = " "  # among the names of a note whose octave is that of the sound; an id has no space
NO_VELOCITY = 0
_OCTAVES = {"8": 12, "15": 24, "22": 36}
Named = tuple[Written, frozenset[str]]


@dataclass(slots=True)
class _Span:
    """An `<octave>`: its notes lie from `start` to `end`, which is known once its note or its bar is read."""

    staff: int
    semitones: int
    start: Fraction
    end_name: str
    bars_left: int
    end_beat: str
    end: Fraction | None = None


class Marks:
    """The octaves and dynamics that hold on from bar to bar, by staff."""

    def __init__(self) -> None:
        self._spans: list[_Span] = []
        self._velocities: dict[int, int] = {}
        self._velocity = DEFAULT_VELOCITY

    def transposed(self, measure: Element, bar: Bar, notes: list[Named]) -> list[Named]:
        """The notes of a bar, those under an `<octave>` at the pitch that sounds."""
        for octave in measure.iter("octave"):
            self._open(octave, bar, notes)
        found = list(notes)
        for span in self._spans:
            last = _by_name(span.end_name, notes)
            if last is not None:
                span.end = last.at
            elif not span.end_name and span.bars_left == 0:
                span.end = beat_place(span.end_beat, bar)
            span.bars_left -= 1
            for place, (note, names) in enumerate(found):
                is_under = span.start <= note.at and (span.end is None or note.at <= span.end)
                if note.part == span.staff and is_under and AS_SOUNDING not in names:
                    found[place] = (note._replace(pitch=note.pitch + span.semitones), names)
        self._spans = [span for span in self._spans if span.end is None]
        return found

    def _open(self, octave: Element, bar: Bar, notes: list[Named]) -> None:
        end_name = octave.get("endid", "").lstrip("#")
        until = re.fullmatch(r"(?:(\d{1,5})m\s*\+\s*)?(\d{1,4}(?:\.\d{1,9})?)", octave.get("tstamp2", "").strip())
        if not end_name and until is None:
            return
        first = _by_name(octave.get("startid", ""), notes)
        self._spans.append(
            _Span(
                staff=first.part if first else _staves(octave, default=1)[0],
                semitones=_OCTAVES.get(octave.get("dis", ""), 0) * (-1 if octave.get("dis.place") == "below" else 1),
                start=first.at if first else beat_place(octave.get("tstamp", ""), bar),
                end_name=end_name,
                bars_left=int(until[1] or 0) if until else 0,
                end_beat=until[2] if until else "",
            )
        )

    def loudened(self, measure: Element, bar: Bar, notes: Iterable[Named]) -> list[Named]:
        """The notes of a bar, those without a velocity with that of the last dynamic mark of their staff."""
        notes = sorted(notes, key=lambda one: one[0].at)
        marks: list[tuple[Fraction, list[int], int]] = []
        for dynam in measure.iter("dynam"):
            velocity = DYNAMICS.get("".join(dynam.itertext()).strip().lower().rstrip("."))
            if velocity is not None:
                first = _by_name(dynam.get("startid", ""), notes)
                staves = _staves(dynam) or ([first.part] if first else [])
                marks.append((first.at if first else beat_place(dynam.get("tstamp", ""), bar), staves, velocity))
        marks.sort(key=lambda mark: mark[0], reverse=True)
        found = []
        for note, names in notes:
            while marks and marks[-1][0] <= note.at:
                self._hold(*marks.pop()[1:])
            if note.velocity == NO_VELOCITY:
                note = note._replace(velocity=self._velocities.get(note.part, self._velocity))
            found.append((note, names))
        while marks:
            self._hold(*marks.pop()[1:])
        return found

    def _hold(self, staves: list[int], velocity: int) -> None:
        """A mark without a staff holds for all."""
        self._velocities.update(dict.fromkeys(staves, velocity))
        if not staves:
            self._velocities.clear()
            self._velocity = velocity


def beat_place(stamp: str, bar: Bar) -> Fraction:
    """The place of a beat such as "2.5" of a bar, in quarters; without a number, the start of the bar."""
    if not re.fullmatch(r"\d{1,4}(\.\d{1,9})?", stamp):
        return bar.at
    return bar.at + max(Fraction(stamp) - 1, Fraction(0)) * bar.beat - (bar.upbeat if Fraction(stamp) > 1 else 0)


def _staves(element: Element, default: int | None = None) -> list[int]:
    found = [int(number) for number in re.findall(r"\d{1,6}", element.get("staff", ""))]
    return found or ([] if default is None else [default])


def _by_name(name: str, notes: list[Named]) -> Written | None:
    name = name.lstrip("#")
    return next((note for note, names in notes if name in names), None) if name else None
