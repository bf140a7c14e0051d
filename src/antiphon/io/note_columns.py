"""Which column of a table of notes is what: by the names in its header, or by the values where it has none."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from antiphon.io.table_text import Line, Row, rows_of

# Of several columns for one role the one whose name comes first here is taken.
_NAMES = {
    role: names.split()
    for role, names in {
        "onset": "onset onsettime noteonset start starttime noteon begin begintime on from timestart time times "
        "timestamp t",
        "offset": "offset offsettime noteoffset end endtime noteoff stop stoptime finish off to timeend",
        "duration": "duration dur noteduration length notelength len",
        "pitch": "midipitch pitchmidi midinote midinumber midinotenumber notenumber notenum pitch pitches pitchnumber "
        "notepitch pitchname notename midi note notes keynumber key value label",
        "frequency": "frequency freq f0 pitchfrequency notefrequency hz",
        "velocity": "velocity vel velocities midivelocity notevelocity onvelocity onsetvelocity loudness level dynamic "
        "dynamics intensity volume amplitude",
    }.items()
}
_SECONDS = {"s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0} | dict.fromkeys(
    ("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"), 1e-3
)
_OTHER_UNITS = frozenset(
    "beat beats quarter quarters tick ticks div divs frame frames sample samples bar bars measure measures".split()
)
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_]+")
_NOTE_NAME = re.compile(r"([A-Ga-g])([#♯s]{1,2}|x|[b♭]{1,2})?(-?\d{1,2})", re.ASCII)
_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)
_FEWEST = 3  # columns
_HEADER_WITHIN = 10  # rows: titles may precede it
_GUESSED_FROM = 200  # rows
_LOWEST_MEDIAN = 21  # pitch: lower ones are rather numbers of bars or voices
_LONGEST_MEDIAN_S = 20.0
_HIGHEST = 127
_ROLES = ("onset", "offset", "duration", "pitch", "frequency", "velocity")


@dataclass(frozen=True)
class Columns:
    """Position of each column that is used, the header's names, and the first row of values.

    `scale` multiplies times to give seconds. `guessed` says that there is no header.
    """

    at: dict[str, int]
    names: list[str]
    first: int
    scale: dict[str, float]
    guessed: bool = False

    def name(self, role: str) -> str:
        """The column's name, or its number where the table has no header."""
        return f"column {self.at[role] + 1 if self.guessed else self.names[self.at[role]]}"


@dataclass(frozen=True)
class NoColumns:
    """Why the columns cannot be told, and how many of them are known."""

    reason: str
    known: int = 0


def find_columns(lines: Sequence[Line], separator: str | None) -> Columns | NoColumns:
    """Tell the columns of a table that is split by this separator. The header may be a comment."""
    rows = list(rows_of([line for line in lines if not line.is_comment][:_GUESSED_FROM], separator))
    width = next((len(row.fields) for row in rows if is_values(row)), 0)
    closest = NoColumns("it has no table with onset, offset and pitch")
    for at, row in enumerate(rows[:_HEADER_WITHIN]):
        if is_values(row):
            break
        if len(row.fields) < 2:
            continue  # a title
        found = _by_names(row.fields, at + 1)
        if isinstance(found, Columns):
            return found
        if len(row.fields) == width and not found.known:
            found = replace(found, known=1)  # a header of unknown names
        closest = max(closest, found, key=lambda one: one.known)
    values = [row for row in rows if is_values(row)]
    if not values:
        return closest
    first = rows.index(values[0])
    above = [line for line in lines if line.is_comment and line.number < values[0].number]
    for row in rows_of(above[::-1][:_HEADER_WITHIN], separator):
        found = _by_names(row.fields, first)
        if isinstance(found, Columns):
            return found
    return closest if closest.known else _by_values(values, first)


def is_values(row: Row) -> bool:
    """Whether a row begins with a number, so it is no header."""
    return bool(row.fields) and to_number(row.fields[0]) is not None


def _by_names(fields: list[str], first: int) -> Columns | NoColumns:
    at: dict[str, int] = {}
    rank: dict[str, tuple[bool, int]] = {}
    scale: dict[str, float] = {}
    unusable: list[str] = []
    for place, field in enumerate(fields):
        role, order, unit = _role(field) or ("", 0, None)
        if unit in _OTHER_UNITS:
            unusable.append(f"column {field} is in {unit}")
        elif role and (role not in at or (unit is None, order) < rank[role]):
            at[role], rank[role], scale[role] = place, (unit is None, order), _SECONDS.get(unit or "s", 1.0)
    if "pitch" in at:
        at.pop("frequency", None)
    known = len({*at, *(["pitch"] if "frequency" in at else [])} & {"onset", "offset", "duration", "pitch"})
    for role, others in (("onset", ()), ("offset", ("duration",)), ("pitch", ("frequency",))):
        if not any(one in at for one in (role, *others)):
            wanted = " or ".join((role, *others))
            why = f"; {unusable[0]}, not in seconds" if unusable and role in ("onset", "offset") else ""
            shown = ", ".join(fields[:12]) + (", …" if len(fields) > 12 else "")
            return NoColumns(f"no column {wanted}; its columns are {shown}{why}", known)
    return Columns({role: at[role] for role in _ROLES if role in at}, fields, first, scale)


def _role(name: str) -> tuple[str, int, str | None] | None:
    """Role, place in the order of preference, and unit of a column."""
    words = [word.lower() for word in _WORD.findall(name)]
    unit = None
    if len(words) > 1 and (words[-1] in _SECONDS or words[-1] in _OTHER_UNITS):
        unit = words.pop()
    if len(words) > 1 and words[-1] == "hz":
        return "frequency", 0, None
    joined = "".join(words)
    for role, names in _NAMES.items():
        if joined in names:
            return role, names.index(joined), unit
    return None


def _by_values(rows: list[Row], first: int) -> Columns | NoColumns:
    """Guess: onset, offset or duration, pitch, velocity; or onset, pitch, duration, level, as Sonic Visualiser."""
    widths = [len(row.fields) for row in rows]
    width = min(widths)
    if width < _FEWEST or (width == _FEWEST and max(widths) > _FEWEST):
        return NoColumns(f"it has no header, and line {rows[widths.index(width)].number} has {width} columns")
    texts = [[row.fields[place] for row in rows] for place in range(width)]
    onset, second, third = (_numbers(column) for column in texts[:3])
    if onset is None or onset != sorted(onset):
        return NoColumns("it has no header, and its first column is not the onset, since it does not rise")
    guesses = []
    if second is not None and (third_is := "pitch" if _are_pitches(texts[2]) else _are_hertz(third)):
        is_end = all(end >= begin for begin, end in zip(onset, second, strict=True))
        lasts = [end - begin for begin, end in zip(onset, second, strict=True)] if is_end else second
        if _are_durations(lasts) and not _are_counts(onset, second):
            guesses.append({"onset": 0, "offset" if is_end else "duration": 1, third_is: 2})
            guesses[0] |= {"velocity": 3} if width > 3 and _are_velocities(texts[3], _HIGHEST) else {}
    if third is not None and _are_pitches(texts[1]) and _are_durations(third) and not _are_counts(onset, third):
        if width == 3:
            guesses.append({"onset": 0, "pitch": 1, "duration": 2})
        elif _are_velocities(texts[3], 1.0):
            guesses.append({"onset": 0, "pitch": 1, "duration": 2, "velocity": 3})
    if len(guesses) != 1:
        why = "columns 2 and 3 may both be the pitch" if guesses else "none of its columns can be told to be the pitch"
        return NoColumns(f"it has no header, and {why}; name its columns: onset, offset, pitch, velocity")
    return Columns(guesses[0], [], first, {}, guessed=True)


def _numbers(texts: list[str]) -> list[float] | None:
    values = [value for text in texts if (value := to_number(text)) is not None and math.isfinite(value)]
    return values if len(values) == len(texts) else None


def _are_durations(lasts: list[float]) -> bool:
    """Frequencies, which other tables have in such a column, are larger."""
    return min(lasts) >= 0 and median(lasts) < _LONGEST_MEDIAN_S


def _are_counts(onset: list[float], other: list[float]) -> bool:
    """Beats, for instance, are whole numbers where their times are not."""
    return all(one.is_integer() for one in other) and not all(one.is_integer() for one in onset)


def _are_pitches(texts: list[str]) -> bool:
    pitches = [to_pitch(text) for text in texts]
    return all(one is not None and one.is_integer() and 0 <= one <= _HIGHEST for one in pitches) and (
        median(one for one in pitches if one is not None) >= _LOWEST_MEDIAN
    )


def _are_hertz(values: list[float] | None) -> str:
    return "frequency" if values and min(values) > 0 and max(values) > _HIGHEST else ""


def _are_velocities(texts: list[str], highest: float) -> bool:
    values = _numbers(texts)
    return values is not None and all(0 <= value <= highest for value in values)


def to_number(text: str) -> float | None:
    """A number with a decimal point or a decimal comma; None for other text.

    >>> to_number("0,5"), to_number("1e2"), to_number("nan"), to_number("1,234.5")
    (0.5, 100.0, nan, None)
    """
    if _NUMBER.fullmatch(text) or text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return float(text)
    return float(text.replace(",", ".")) if _COMMA_NUMBER.fullmatch(text) else None


def to_pitch(text: str) -> float | None:
    """A MIDI number, or that of a note name, where C4 is 60; None for other text.

    >>> to_pitch("60"), to_pitch("C4"), to_pitch("F#3"), to_pitch("Bb-1"), to_pitch("C:maj")
    (60.0, 60.0, 54.0, 10.0, None)
    """
    number = to_number(text)
    if number is not None:
        return number
    found = _NOTE_NAME.fullmatch(text)
    if found is None:
        return None
    step, accidental, octave = found.groups()
    shift = {"x": 2}.get(accidental or "", 0)
    for sign in accidental or "":
        shift += {"#": 1, "♯": 1, "s": 1, "b": -1, "♭": -1}.get(sign, 0)
    return float(12 * (int(octave) + 1) + _STEPS[step.lower()] + shift)


def from_hertz(frequency_hz: float) -> float:
    """The nearest MIDI number of a frequency; NaN for 0 and less.

    >>> from_hertz(440.0), from_hertz(446.0), from_hertz(27.5)
    (69.0, 69.0, 21.0)
    """
    return float(round(69 + 12 * math.log2(frequency_hz / 440))) if 0 < frequency_hz < math.inf else math.nan
