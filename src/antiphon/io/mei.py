"""MEI (versions 3 to 5) → `Sheet`.

Pitch is `@pname` and `@oct` with `@accid.ges`, else `@accid`, and `@trans.semi` of the staff; an `<octave>` transposes
the notes under it that have no `@oct.ges`. Velocity is `@vel`, else that of the last `<dynam>` of the staff. Cue notes
are silent; hidden ones sound. Of variants (`<app>`, `<choice>`) the lemma, the correction or the first reading is read.
An `<expansion>` gives the order of the sections; without one, the repeat signs of the bar lines do.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import Element

from antiphon.errors import UnreadableInput, warn_input
from antiphon.io.mei_marks import AS_SOUNDING, NO_VELOCITY, Marks, Named, beat_place
from antiphon.io.repeats import MOST_BARS, ending_numbers
from antiphon.io.score_values import SNARE_DRUM, STEPS
from antiphon.io.sheet import Bar, Sheet, TempoMark, Written, count_upbeat

_ALTERATIONS = {
    "s": 1, "f": -1, "ss": 2, "x": 2, "ff": -2, "xs": 3, "sx": 3, "ts": 3, "tf": -3, "n": 0, "nf": -1, "ns": 1,
}  # fmt: skip
_LONG = {"breve": Fraction(8), "long": Fraction(16), "maxima": Fraction(32)}
_FIRST_OF = {"app": ("lem", "rdg"), "choice": ("corr", "reg", "expan", "sic", "orig", "abbr"), "subst": ("add",)}
_WRAPPERS = frozenset({"beam", "beamSpan", "lem", "rdg", "corr", "reg", "sic", "orig", "add", "supplied", "unclear"})
_WRAPPERS |= {"ligature", "damage", "restore", "expan", "abbr", "bTrem", "oLayer", "layer"}
_SECTIONS = frozenset({"section", "ending", "lem", "rdg", "part", "parts", "supplied", "corr", "reg"})
_JUMPS = {"daCapo": "D.C.", "dalSegno": "D.S.", "fine": "Fine", "segno": "Segno", "coda": "Coda"}


@dataclass(slots=True)
class _Staff:
    """The state of a staff, by its `<staffDef>`."""

    transposed: int = 0
    is_drum: bool = False
    nominal: Fraction | None = None
    beat: Fraction = Fraction(1)
    default: str = "4"


@dataclass(slots=True)
class _Voice:
    """A layer of a staff in a bar while it is read: the present place, the tuplet factor, waiting grace notes."""

    now: Fraction
    staff: int
    factor: Fraction = Fraction(1)
    graces: list[list[Named]] = field(default_factory=list)


def read_mei(path: Path, root: Element) -> Sheet:
    """Read a parsed MEI document. Raises `UnreadableInput` where a number is impossible or there is no bar."""
    for element in root.iter():
        element.tag = element.tag.rpartition(":")[2]
    reader = _Reader(root)
    try:
        for score in root.iter("score"):
            reader.section(score, frozenset())
            if reader.bars:
                reader.bars[-1].marks.is_final = True
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        raise UnreadableInput(path, f"a number in it cannot be read: {str(error)[:80]}") from None
    if not reader.bars:
        raise UnreadableInput(path, "it has no bars")
    if reader.left_out:
        warn_input(path, f"{reader.left_out} notes without a pitch in the MIDI range 0–127 are left out")
    order = reader.expanded()
    if order is not None and len(order) > MOST_BARS:
        raise UnreadableInput(path, f"its repeats unfold to more than {MOST_BARS:,} bars")
    return Sheet(reader.bars, reader.tempi, order)


class _Reader:
    def __init__(self, root: Element) -> None:
        self.bars: list[Bar] = []
        self.tempi: list[TempoMark] = []
        self.left_out = 0
        self._staves: defaultdict[int, _Staff] = defaultdict(_Staff)
        self._nominal: Fraction | None = None
        self._beat = Fraction(1)
        self._default = "4"
        self._sections: dict[str, tuple[int, int]] = {}
        self._expansion: list[str] = []
        self._begins_next = False
        self._marks = Marks()
        self._previous: dict[tuple[int, str], list[Named]] = {}
        ties = list(root.iter("tie"))
        self._tie_starts = {tie.get("startid", "").lstrip("#") for tie in ties} - {""}
        self._tie_ends = {tie.get("endid", "").lstrip("#") for tie in ties} - {""}

    def section(self, element: Element, ending: frozenset[int]) -> None:
        """Read a `<score>`, `<section>` or `<ending>` in order."""
        begin = len(self.bars)
        for child in element:
            tag = child.tag
            if tag in _FIRST_OF:
                chosen = _first_of(child)
                if chosen is not None:
                    self.section(chosen, ending)
            elif tag == "measure":
                self._measure(child, ending)
            elif tag == "ending":
                place = len(self.bars)
                self.section(child, ending_numbers(child.get("n") or child.get("label") or ""))
                if len(self.bars) > place:
                    self.bars[place].marks.ending_begins = True
            elif tag in _SECTIONS:
                self.section(child, ending)
            elif tag in ("scoreDef", "staffDef"):
                self._definition(child)
            elif tag == "expansion" and not self._expansion:
                self._expansion = [name.lstrip("#") for name in child.get("plist", "").split()]
        if name := _id(element):
            self._sections[name] = (begin, len(self.bars))

    def expanded(self) -> list[int] | None:
        if not self._expansion or not all(name in self._sections for name in self._expansion):
            return None
        order: list[int] = []
        for name in self._expansion:
            order += range(*self._sections[name])
        return order

    def _definition(self, element: Element) -> None:
        at = self.bars[-1].at + self.bars[-1].length if self.bars else Fraction(0)
        for one in element.iter():
            if one.tag not in ("scoreDef", "staffDef"):
                continue
            self.tempi += _tempo(one, at)
            sign = next((sign for sign in one.iter("meterSig") if one.tag == "staffDef" or _is_own(one, sign)), None)
            count = one.get("meter.count") or (sign.get("count") if sign is not None else None)
            unit = one.get("meter.unit") or (sign.get("unit") if sign is not None else None)
            nominal = beat = None
            if count and unit:
                beat = Fraction(4, _count(unit))
                nominal = sum(int(number) for number in re.findall(r"\d{1,4}", count)) * beat
            if one.tag == "scoreDef":
                self._default = one.get("dur.default", self._default)
                if nominal and beat:
                    self._nominal, self._beat = nominal, beat
                    for staff in self._staves.values():
                        staff.nominal = None
                continue
            staff = self._staves[int(one.get("n", "1"))]
            if nominal and beat:
                staff.nominal, staff.beat = nominal, beat
            staff.default = one.get("dur.default", self._default)
            staff.transposed = int(one.get("trans.semi", staff.transposed))
            clef = one.find("clef")
            shape = one.get("clef.shape") or (clef.get("shape") if clef is not None else None)
            staff.is_drum = shape == "perc" if shape else staff.is_drum

    def _measure(self, element: Element, ending: frozenset[int]) -> None:
        before = self.bars[-1] if self.bars else None
        at = before.at + before.length if before else Fraction(0)
        if len(self.bars) > MOST_BARS:
            raise ValueError(f"more than {MOST_BARS} bars")
        found = re.search(r"\d{1,9}", element.get("n", ""))
        first = next(iter(self._staves.values()), _Staff())
        nominal = first.nominal or self._nominal
        bar = Bar(at, Fraction(0), int(found.group()) if found else before.number if before else 0)
        bar.beat = first.beat if first.nominal else self._beat
        ends: list[Fraction] = []
        read: list[Named] = []
        for staff in element.iter("staff"):
            number = int(staff.get("n", "1"))
            for place, layer in enumerate(staff.iter("layer")):
                voice = _Voice(at, number)
                notes = self._voice(
                    layer, voice, self._staves[number].nominal or self._nominal or Fraction(4), str(place)
                )
                self._previous[number, str(place)] = notes
                read += notes
                ends.append(voice.now)
        bar.length = max(ends, default=at) - at or nominal or Fraction(4)
        count_upbeat(bar, before, nominal, element.get("metcon") == "false" or not found)
        sounding = self._marks.loudened(element, bar, self._marks.transposed(element, bar, read))
        bar.notes = [self._tied(note, names) for note, names in sounding if 0 <= note.pitch <= 127]
        self.left_out += len(sounding) - len(bar.notes)
        self._signs(element, bar, ending)
        self.bars.append(bar)

    def _signs(self, element: Element, bar: Bar, ending: frozenset[int]) -> None:
        left, right, marks = element.get("left", ""), element.get("right", ""), bar.marks
        marks.ending = ending
        marks.repeat_begins |= left in ("rptstart", "rptboth")
        if self.bars and left in ("rptend", "rptboth"):
            self.bars[-1].marks.repeats_to = 2
        if self.bars and self._begins_next:
            marks.repeat_begins = True
        self._begins_next = right in ("rptstart", "rptboth")
        marks.repeats_to = 2 if right in ("rptend", "rptboth") else 1
        for child in element.iter():
            if child.tag == "tempo":
                self.tempi[:0] = _tempo(
                    child, beat_place(child.get("tstamp", ""), bar)
                )  # it counts before the definitions
            elif child.tag == "repeatMark":
                marks.read_words(_JUMPS.get(child.get("func", ""), "") or "".join(child.itertext()))
            if child.tag in ("dir", "tempo"):
                words = "".join(child.itertext()) or _JUMPS.get(child.get("type", ""), "")
                marks.read_words({"dacapo": "D.C.", "fine": "Fine"}.get(child.get("type", ""), words))

    def _voice(self, element: Element, voice: _Voice, whole: Fraction, layer: str) -> list[Named]:
        notes: list[Named] = []
        for child in element:
            tag = child.tag
            if tag in ("note", "chord"):
                self._note(child, voice, notes)
            elif tag in ("rest", "space"):
                voice.now += self._length(child, voice)
            elif tag in ("mRest", "mSpace", "multiRest"):
                voice.now += whole
            elif tag == "mRpt":
                shift = self.bars[-1].length if self.bars else Fraction(0)
                before = self._previous.get((voice.staff, layer), [])
                notes += [(note._replace(at=note.at + shift), names) for note, names in before]
                voice.now += whole
            elif tag in ("tuplet", "fTrem"):
                factor = voice.factor
                voice.factor *= Fraction(1, 2) if tag == "fTrem" else _ratio(child)
                notes += self._voice(child, voice, whole, layer)
                voice.factor = factor
            elif tag == "graceGrp":
                for note in child.iter():
                    if note.tag in ("note", "chord") and note.get("grace") is None:
                        note.set("grace", "unknown")
                notes += self._voice(child, voice, whole, layer)
            elif tag in _FIRST_OF:
                chosen = _first_of(child)
                notes += self._voice(chosen, voice, whole, layer) if chosen is not None else []
            elif tag in _WRAPPERS:
                notes += self._voice(child, voice, whole, layer)
        if element.tag == "layer":
            self._place_graces(voice, notes)
        return notes

    def _note(self, element: Element, voice: _Voice, notes: list[Named]) -> None:
        is_chord = element.tag == "chord"
        inner = [note for note in element.iter("note") if note is not element] if is_chord else [element]
        is_grace = element.get("grace") is not None or any(note.get("grace") is not None for note in inner)
        length = Fraction(0) if is_grace else self._length(element, voice)
        found: list[Named] = []
        staff = self._staves[voice.staff]
        for note in inner:
            pitch = _pitch(note)
            if note.get("cue") == "true" or element.get("cue") == "true":
                continue
            pitch = SNARE_DRUM if staff.is_drum and pitch is None else pitch
            sounding = pitch if pitch is None or staff.is_drum else pitch + staff.transposed
            if sounding is None or not 0 <= sounding <= 127:
                self.left_out += 1
                continue
            velocity = note.get("vel", "")
            force = min(max(int(velocity), 1), 127) if velocity.isdecimal() else NO_VELOCITY
            tie = (note.get("tie") or "") + (element.get("tie") or "")
            written = Written(
                voice.now, length, sounding, force, _id(note), voice.staff,
                bool(re.search("[mt]", tie)), bool(re.search("[im]", tie)), is_drum=staff.is_drum,
            )  # fmt: skip
            is_final = note.get("oct") is None or note.get("oct.ges") is not None or staff.is_drum
            found.append((written, frozenset({_id(note), _id(element), AS_SOUNDING if is_final else ""}) - {""}))
        if is_grace:
            voice.graces.append(found)
            return
        self._place_graces(voice, notes)
        notes += found
        voice.now += length

    def _length(self, element: Element, voice: _Voice) -> Fraction:
        inner = next(element.iter("note"), element)
        duration = element.get("dur") or inner.get("dur") or self._staves[voice.staff].default
        dots = element.get("dots") or inner.get("dots") or str(len(element.findall("dot")))
        length = _LONG.get(duration) or Fraction(4, _count(duration))
        return length * (2 - Fraction(1, 2 ** min(_count(dots, least=0), 8))) * voice.factor

    @staticmethod
    def _place_graces(voice: _Voice, notes: list[Named]) -> None:
        count = len(voice.graces)
        for place, group in enumerate(voice.graces):
            notes += [(note._replace(grace=count - place, graces=count), names) for note, names in group]
        voice.graces = []

    def _tied(self, note: Written, names: frozenset[str]) -> Written:
        return note._replace(
            tie_from=note.tie_from or not names.isdisjoint(self._tie_ends),
            tie_to=note.tie_to or not names.isdisjoint(self._tie_starts),
        )


def _is_own(definition: Element, sign: Element) -> bool:
    """Whether a meter signature belongs to the `<scoreDef>` itself and not to a staff in it."""
    return any(sign is child or sign in list(child) for child in definition if child.tag in ("meterSig", "meterSigGrp"))


def _first_of(element: Element) -> Element | None:
    return next((one for tag in _FIRST_OF[element.tag] for one in element.findall(tag)), None)


def _ratio(tuplet: Element) -> Fraction:
    return Fraction(_count(tuplet.get("numbase", "2")), _count(tuplet.get("num", "3")))


def _id(element: Element) -> str:
    return element.get("xml:id") or element.get("id") or ""


def _pitch(note: Element) -> int | None:
    step = STEPS.get(note.get("pname", "").upper())
    octave = note.get("oct.ges") or note.get("oct")
    number = note.get("pnum", "")
    if step is None or octave is None:
        return int(number) if number.isdecimal() else None
    accid = note.find("accid")
    signs = [note.get("accid.ges"), accid.get("accid.ges") if accid is not None else None, note.get("accid")]
    signs.append(accid.get("accid") if accid is not None else None)
    sign = next((sign for sign in signs if sign), "n")
    return 12 * int(octave) + 12 + step + _ALTERATIONS.get(sign, 0)


def _tempo(element: Element, at: Fraction) -> list[TempoMark]:
    """`@midi.bpm`, `@midi.mspb`, or `@mm` with its unit."""
    values = {name: _float(element.get(name)) for name in ("midi.bpm", "midi.mspb", "mm")}
    if values["midi.bpm"]:
        return [TempoMark(at, values["midi.bpm"])]
    if values["midi.mspb"]:
        return [TempoMark(at, 60e6 / values["midi.mspb"])]
    if not values["mm"]:
        return []
    unit = element.get("mm.unit", "4")
    quarters = _LONG.get(unit) or Fraction(4, _count(unit))
    quarters *= 2 - Fraction(1, 2 ** min(_count(element.get("mm.dots", "0"), least=0), 8))
    return [TempoMark(at, values["mm"] * float(quarters))]


def _count(text: str, least: int = 1) -> int:
    if not re.fullmatch(r"\s*\d{1,6}\s*", text) or int(text) < least:
        raise ValueError(f"{text[:40]!r}")
    return int(text)


def _float(text: str | None) -> float | None:
    match = re.match(r"\s*(\d{1,7}(?:\.\d{1,6})?)", text or "")
    return float(match[1]) if match else None
