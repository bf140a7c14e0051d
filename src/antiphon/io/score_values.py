"""Values in score files: names of pitches, note values and dynamics, and the attributes of MusicXML elements."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from xml.etree.ElementTree import Element

from antiphon.io.repeats import MOST_TIMES, ending_numbers
from antiphon.io.sheet import TempoMark, Written

SNARE_DRUM = 38
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
TYPES = {
    "maxima": Fraction(32), "long": Fraction(16), "breve": Fraction(8), "whole": Fraction(4), "half": Fraction(2),
    "quarter": Fraction(1), "eighth": Fraction(1, 2), "16th": Fraction(1, 4), "32nd": Fraction(1, 8),
    "64th": Fraction(1, 16), "128th": Fraction(1, 32), "256th": Fraction(1, 64), "512th": Fraction(1, 128),
    "1024th": Fraction(1, 256),
}  # fmt: skip
DYNAMICS = {
    "pppp": 10, "ppp": 16, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112, "fff": 126, "ffff": 127,
}  # fmt: skip
_PERCENT = 0.9  # `dynamics="100"` is velocity 90
_STARTS, _ENDS = frozenset({"start", "continue"}), frozenset({"stop", "continue"})
_ALL_TIMES = frozenset(range(1, MOST_TIMES + 1))


def passes_of(element: Element) -> frozenset[int]:
    """The times through a repeated section that an element holds for; empty is always."""
    text = element.get("time-only", "")
    return ending_numbers(text) if re.search(r"\d", text) else frozenset()


def with_ties(note: Written, ties: list[tuple[str, frozenset[int]]]) -> list[Written]:
    """A note with its ties; one that is tied at some times only becomes several, each for its times."""
    named: frozenset[int] = frozenset().union(*(passes for _, passes in ties))
    found = []
    for times in (*(frozenset({time}) for time in sorted(named)), _ALL_TIMES - named):
        held = {kind for kind, passes in ties if not passes or times <= passes}
        own = (note.times & times if note.times else times) if named else note.times
        if own or not named:
            tie_from, tie_to = not held.isdisjoint(_ENDS), not held.isdisjoint(_STARTS)
            found.append(note._replace(tie_from=tie_from, tie_to=tie_to, times=own))
    return found


def metronome(element: Element, at: Fraction) -> Iterator[TempoMark]:
    """A mark such as "dotted quarter = 60", or "quarter = dotted quarter", which is a ratio of tempi."""
    units: list[Fraction] = []
    dots: list[int] = []
    for child in element:
        if child.tag == "beat-unit":
            units.append(TYPES.get((child.text or "").strip(), Fraction(0)))
            dots.append(0)
        elif child.tag == "beat-unit-dot" and units:
            dots[-1] += 1
    units = [unit * (2 - Fraction(1, 2 ** min(count, 8))) for unit, count in zip(units, dots, strict=True)]
    per_minute = re.search(r"\d{1,4}(?:[.,]\d{1,6})?", element.findtext("per-minute") or "")
    if not units or not all(units):
        return
    if per_minute is not None:
        yield TempoMark(at, float(per_minute.group().replace(",", ".")) * float(units[0]))
    elif len(units) == 2:
        yield TempoMark(at, float(units[1] / units[0]), is_ratio=True)


def times_of(repeat: Element) -> int:
    """How often a section is played that a `<repeat>` ends; twice where it does not say."""
    times = float_of(repeat.get("times"))
    return 2 if times is None else max(1, min(int(times), MOST_TIMES))


def velocity_of(percent: float) -> int:
    """MIDI velocity of a `dynamics` attribute, which counts per cent of velocity 90."""
    return max(1, min(127, round(percent * _PERCENT)))


@lru_cache(4096)
def number_of(text: str) -> Fraction:
    """An exact decimal number. Raises `ValueError` for any other text."""
    text = text.strip()
    if not re.fullmatch(r"[+-]?\d{0,9}(\.\d{0,9})?", text) or not any(one.isdigit() for one in text):
        raise ValueError(f"{text[:40]!r}")
    return Fraction(text if text[-1] != "." else text[:-1])


def float_of(text: str | None) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) else None
