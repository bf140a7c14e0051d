"""MusicXML, part-wise and time-wise → `Sheet`.

Pitches sound as `<transpose>` says. Cue notes are silent; notes that are not printed sound. A stroke of unpitched
percussion has the key that `<midi-unpitched>` names, else the snare drum's. Ornaments and tremolos are not realised:
the main note sounds. Words without a number, such as "Allegro", state no tempo. Ties are `<tie>`; in a document without
any, the drawn ones (`<tied>`).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

from antiphon.errors import UnreadableInput, warn_input
from antiphon.io.repeats import BarMarks, ending_numbers
from antiphon.io.score_values import (
    DYNAMICS,
    SNARE_DRUM,
    STEPS,
    TYPES,
    float_of,
    metronome,
    number_of,
    passes_of,
    times_of,
    velocity_of,
    with_ties,
)
from antiphon.io.sheet import DEFAULT_VELOCITY, Bar, InnerRepeat, Sheet, TempoMark, Written, count_upbeat, divided

_LONGEST = Fraction(100_000)  # quarters in a bar
_DRUM_CHANNEL = 10
_ROUNDED = Fraction(1, 32)  # a bar that differs less from its time signature was rounded
_OVERFULL = Fraction(1, 4)  # so much too long in one part, while another is right, is a fault of the file


def read_musicxml(path: Path, root: Element) -> Sheet:
    """Read a parsed MusicXML document. Raises `UnreadableInput` where a number is impossible or there is no bar."""
    parts = _parts(root)
    keys = _percussion_keys(root)
    tie = "tied" if next(root.iter("tie"), None) is None else "tie"
    try:
        read = [_Part(number, keys.get(name, {}), tie).bars(bars) for number, (name, bars) in enumerate(parts.items())]
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        raise UnreadableInput(path, f"a number in it cannot be read: {str(error)[:80]}") from None
    bars: list[Bar] = []
    has_coda_sign: list[bool] = []
    tempi: list[TempoMark] = []
    at = Fraction(0)
    for place in range(max((len(part) for part in read), default=0)):
        column = [part[place] for part in read if place < len(part)]
        bar = _joined(column, at, bars[-1] if bars else None)
        pieces = divided(bar, [sign for one in column for sign in one.inner])
        bars += pieces
        has_coda_sign += [any(one.coda_sign for one in column), *([False] * (len(pieces) - 1))]
        tempi += [mark._replace(at=mark.at + at) for one in column for mark in one.tempi]
        at = pieces[-1].at + pieces[-1].length
    if not bars:
        raise UnreadableInput(path, "it has no bars")
    _give_coda_signs_meaning(bars, has_coda_sign)
    left_out = sum(one.left_out for part in read for one in part)
    if left_out:
        warn_input(path, f"{left_out} notes outside the MIDI range 0–127 are left out")
    return Sheet(bars, tempi)


@dataclass(slots=True)
class _PartBar:
    """A bar of one part; positions count from its start."""

    number: str
    is_implicit: bool
    nominal: Fraction | None = None
    beat: Fraction = Fraction(1)
    length: Fraction = Fraction(0)
    marks: BarMarks = field(default_factory=BarMarks)
    notes: list[Written] = field(default_factory=list)
    tempi: list[TempoMark] = field(default_factory=list)
    inner: list[InnerRepeat] = field(default_factory=list)
    coda_sign: bool = False
    repeat_begins_next: bool = False
    repeat_ends_before: int = 1
    left_out: int = 0


class _Part:
    """Reads the bars of a part; what holds from bar to bar is its state."""

    def __init__(self, number: int, keys: dict[str, tuple[bool, int | None]], tie: str) -> None:
        self._number = number
        self._tie = tie
        self._keys = keys
        self._divisions = Fraction(1)
        self._transposed: dict[str, int] = {}
        self._velocity = DEFAULT_VELOCITY
        self._nominal: Fraction | None = None
        self._beat = Fraction(1)
        self._ending: frozenset[int] = frozenset()

    def bars(self, elements: list[Element]) -> list[_PartBar]:
        read = [self._bar(element) for element in elements]
        for bar, following in pairwise(read):
            following.marks.repeat_begins |= bar.repeat_begins_next
            bar.marks.repeats_to = max(bar.marks.repeats_to, following.repeat_ends_before)
        if self._ending:  # an ending that is not closed is its first bar
            for bar in reversed(read):
                if bar.marks.ending_begins:
                    break
                bar.marks.ending = frozenset()
        return read

    def _bar(self, element: Element) -> _PartBar:
        self._now = self._start = Fraction(0)
        self._graces: list[tuple[int, Written]] = []
        bar = _PartBar(element.get("number", ""), element.get("implicit") == "yes")
        closes = False
        for child in element:
            tag = child.tag
            if tag == "note":
                self._note(child, bar)
            elif tag in ("backup", "forward"):
                self._place_graces(bar)
                step = self._duration(child)
                self._now = self._now + step if tag == "forward" else max(self._now - step, Fraction(0))
                bar.length = max(bar.length, self._now)
            elif tag == "attributes":
                self._attributes(child)
            elif tag == "direction":
                self._direction(child, bar)
            elif tag == "sound":
                self._sound(child, bar, self._now)
            elif tag == "barline":
                closes |= self._barline(child, bar)
        self._place_graces(bar)
        if self._now > _LONGEST:
            raise ValueError(f"bar {bar.number} lasts {float(self._now):.0f} quarters")
        bar.nominal, bar.beat = self._nominal, self._beat
        bar.marks.ending = bar.marks.ending or self._ending
        if closes or (self._ending and bar.marks.repeats_to > 1):
            self._ending = frozenset()
        return bar

    def _note(self, element: Element, bar: _PartBar) -> None:
        is_grace = element.find("grace") is not None
        length = Fraction(0) if is_grace else self._duration(element)
        is_chord = element.find("chord") is not None
        if not is_chord:
            self._start = self._now
            self._now += length
            rest = element.find("rest")
            is_whole_bar = rest is not None and rest.get("measure") == "yes" and self._nominal is not None
            bar.length = max(bar.length, min(self._now, self._nominal) if is_whole_bar and self._nominal else self._now)
        if not is_grace:
            self._place_graces(bar)
        if element.find("cue") is not None:
            return
        pitch, is_drum = self._pitch(element)
        if pitch is None:
            return
        if not 0 <= pitch <= 127:
            bar.left_out += 1
            return
        note = Written(
            self._start, length, pitch, self._note_velocity(element), element.get("id", ""), self._number,
            is_drum=is_drum, times=passes_of(element),
        )  # fmt: skip
        if not is_grace:
            bar.notes += with_ties(note, [(tie.get("type", ""), passes_of(tie)) for tie in element.iter(self._tie)])
            return
        place = self._graces[-1][0] + (not is_chord) if self._graces else 0
        self._graces.append((place, note))

    def _place_graces(self, bar: _PartBar) -> None:
        """Number the grace notes that came before this place."""
        if self._graces:
            count = self._graces[-1][0] + 1
            bar.notes += [note._replace(grace=count - place, graces=count) for place, note in self._graces]
            self._graces = []

    def _duration(self, element: Element) -> Fraction:
        text = element.findtext("duration")
        if text is not None:
            return max(number_of(text), Fraction(0)) / self._divisions
        length = TYPES.get((element.findtext("type") or "").strip(), Fraction(0))
        length *= 2 - Fraction(1, 2 ** min(len(element.findall("dot")), 8))
        actual = number_of(element.findtext("time-modification/actual-notes") or "1")
        return length * number_of(element.findtext("time-modification/normal-notes") or "1") / actual

    def _pitch(self, element: Element) -> tuple[int | None, bool]:
        instrument = element.find("instrument")
        name = instrument.get("id", "") if instrument is not None else next(iter(self._keys), "")
        is_drum, key = self._keys.get(name, (False, None))
        if element.find("unpitched") is not None:
            return (SNARE_DRUM if key is None else key), True
        pitch = element.find("pitch")
        step = STEPS.get((pitch.findtext("step") or "").strip().upper()) if pitch is not None else None
        if pitch is None or step is None:
            return None, False
        alter = number_of(pitch.findtext("alter") or "0")
        sounding = 12 * int(number_of(pitch.findtext("octave") or "4")) + 12 + step + math.floor(alter + Fraction(1, 2))
        if is_drum:
            return (sounding if key is None else key), True
        staff = (element.findtext("staff") or "1").strip()
        return sounding + self._transposed.get(staff, self._transposed.get("", 0)), False

    def _note_velocity(self, element: Element) -> int:
        percent = float_of(element.get("dynamics"))
        return self._velocity if percent is None else velocity_of(percent)

    def _attributes(self, element: Element) -> None:
        divisions = element.findtext("divisions")
        if divisions is not None and number_of(divisions) > 0:
            self._divisions = number_of(divisions)
        for transpose in element.findall("transpose"):
            chromatic = int(number_of(transpose.findtext("chromatic") or "0"))
            octaves = int(number_of(transpose.findtext("octave-change") or "0"))
            staff = transpose.get("number", "")
            if not staff:
                self._transposed.clear()
            self._transposed[staff] = chromatic + 12 * octaves
        time = element.find("time")
        if time is None:
            return
        counts = [sum(int(one) for one in re.findall(r"\d{1,4}", beats.text or "")) for beats in time.findall("beats")]
        units = [int(number_of(unit.text or "4")) for unit in time.findall("beat-type")]
        if counts and len(counts) == len(units) and min(*counts, *units) > 0:
            self._nominal = sum(
                (Fraction(4 * count, unit) for count, unit in zip(counts, units, strict=True)), Fraction(0)
            )
            self._beat = Fraction(4, units[0])
        else:
            self._nominal, self._beat = None, Fraction(1)

    def _direction(self, element: Element, bar: _PartBar) -> None:
        offset = element.find("offset")
        shift = number_of(offset.text or "0") if offset is not None and offset.get("sound") == "yes" else Fraction(0)
        at = max(self._now + shift / self._divisions, Fraction(0))
        is_stated = False
        for sound in element.iter("sound"):
            is_stated |= self._sound(sound, bar, at)
        for kind in element.iter("direction-type"):
            for sign in kind:
                if sign.tag == "words":
                    words = "".join(sign.itertext())
                    bar.marks.read_words(words)
                    bar.coda_sign |= words.strip().lower() == "coda"
                elif sign.tag == "segno":
                    bar.marks.is_segno = True
                elif sign.tag == "coda" and not is_stated:
                    bar.coda_sign = True
                elif sign.tag == "metronome":
                    bar.tempi += metronome(sign, at)
                elif sign.tag == "dynamics":
                    self._velocity = next((DYNAMICS[one.tag] for one in sign if one.tag in DYNAMICS), self._velocity)

    def _sound(self, element: Element, bar: _PartBar, at: Fraction) -> bool:
        """Read a `<sound>`; whether it says what a coda sign means."""
        own = element.findtext("offset")
        at = at if own is None else max(at + number_of(own) / self._divisions, Fraction(0))
        tempo, dynamics = float_of(element.get("tempo")), float_of(element.get("dynamics"))
        if tempo:
            bar.tempi.append(TempoMark(at, tempo))
        if dynamics is not None:
            self._velocity = velocity_of(dynamics)
        marks = bar.marks
        if element.get("dacapo") == "yes":
            marks.jump = "capo"
        elif "dalsegno" in element.attrib:
            marks.jump = "segno"
        marks.is_segno |= "segno" in element.attrib
        marks.is_coda |= "coda" in element.attrib
        marks.to_coda |= "tocoda" in element.attrib
        marks.is_fine |= element.get("fine", "no") != "no"
        return "coda" in element.attrib or "tocoda" in element.attrib

    def _barline(self, element: Element, bar: _PartBar) -> bool:
        """Read a bar line; whether an ending closes at it."""
        location = element.get("location", "right")
        bar.marks.is_segno |= element.find("segno") is not None
        bar.coda_sign |= element.find("coda") is not None
        repeat, ending = element.find("repeat"), element.find("ending")
        style = (element.findtext("bar-style") or "").strip()
        bar.marks.is_final |= style == "light-heavy" and location == "right" and repeat is None
        if repeat is not None and location == "middle" and self._now > 0:
            begins = repeat.get("direction") == "forward"
            bar.inner.append(InnerRepeat(self._now, begins, 1 if begins else times_of(repeat)))
        elif repeat is not None:
            if repeat.get("direction") == "forward":
                bar.marks.repeat_begins |= location != "right"
                bar.repeat_begins_next |= location == "right"
            elif location != "right":
                bar.repeat_ends_before = times_of(repeat)
            else:
                bar.marks.repeats_to = times_of(repeat)
        if ending is None:
            return False
        numbers = ending_numbers(ending.get("number", "1"))
        if ending.get("type") == "start":
            self._ending, bar.marks.ending_begins = numbers, True
            return False
        bar.marks.ending = self._ending or numbers
        return True


def _parts(root: Element) -> dict[str, list[Element]]:
    """The bars of each part, by part id, of a part-wise or time-wise document."""
    parts: dict[str, list[Element]] = {}
    if root.tag == "score-timewise":
        for measure in root.findall("measure"):
            for part in measure.findall("part"):
                part.attrib = measure.attrib | part.attrib
                parts.setdefault(part.get("id", ""), []).append(part)
        return parts
    for place, part in enumerate(root.findall("part")):
        name = part.get("id", "")
        parts[name if name not in parts else f"{name} {place}"] = part.findall("measure")
    return parts


def _percussion_keys(root: Element) -> dict[str, dict[str, tuple[bool, int | None]]]:
    """By part and instrument: whether it is percussion, and its General MIDI key."""
    found: dict[str, dict[str, tuple[bool, int | None]]] = {}
    for part in root.iter("score-part"):
        keys = found.setdefault(part.get("id", ""), {})
        for midi in part.findall("midi-instrument"):
            key = float_of(midi.findtext("midi-unpitched"))
            is_drum = float_of(midi.findtext("midi-channel")) == _DRUM_CHANNEL or key is not None
            keys[midi.get("id", "")] = (is_drum, int(key) - 1 if key is not None and 1 <= key <= 128 else None)
    return found


def _joined(column: list[_PartBar], at: Fraction, before: Bar | None) -> Bar:
    """One bar of all parts; its length is that of the longest."""
    nominal = next((one.nominal for one in column if one.nominal is not None), None)
    length = max(one.length for one in column)
    fills = any(one.length == nominal for one in column)
    if length == 0 or (nominal is not None and abs(length - nominal) <= (_OVERFULL if fills else _ROUNDED)):
        length = Fraction(4) if nominal is None else nominal
    digits = re.search(r"\d{1,9}", column[0].number)
    number = int(digits.group()) if digits and column[0].number.strip()[0].isdigit() else before.number if before else 0
    bar = Bar(at, length, number, column[0].beat)
    count_upbeat(bar, before, nominal, column[0].is_implicit)
    for one in column:
        bar.marks.add(one.marks)
        bar.notes += [note._replace(at=note.at + at) for note in one.notes]
    return bar


def _give_coda_signs_meaning(bars: list[Bar], has_sign: list[bool]) -> None:
    """A coda sign without an explanation: the last one opens the coda, those before it lead to it."""
    signs = [bar.marks for bar, is_sign in zip(bars, has_sign, strict=True) if is_sign]
    if not signs or any(bar.marks.is_coda for bar in bars):
        return
    signs[-1].is_coda = True
    for marks in signs[:-1]:
        marks.to_coda = True
