"""Humdrum **kern → `Sheet`.

Rows are read in order: a token lasts as long as its duration says, and the next row begins where the first of the
sounding tokens ends. Pitches are as they sound, whatever `*ITr` says. The unnamed expansion list (`*>[A,A,B]`) gives
the order of the sections; without one, the repeat signs of the bar lines do. A **dynam spine gives the velocity of the
**kern spines on its left, as far as the next **dynam spine. Other spines are passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from antiphon.errors import UnreadableInput, warn_input
from antiphon.io.repeats import MOST_BARS
from antiphon.io.score_values import DYNAMICS, SNARE_DRUM, STEPS
from antiphon.io.sheet import DEFAULT_VELOCITY, Bar, Sheet, TempoMark, Written, count_upbeat

_MOST_SPINES = 500
_DURATION = re.compile(r"(\d{1,4})(?:%(\d{1,4}))?(\.*)")
_PITCH = re.compile(r"([a-gA-G])\1{0,5}")
_NUMBER = re.compile(r"=+(\d{1,6})")


@dataclass(slots=True)
class _Spine:
    """A column. `until` is where its last token ends; `part` names the staff, which its parts share after a split."""

    kind: str
    part: int
    until: Fraction = Fraction(0)
    is_drum: bool = False
    velocity: int = DEFAULT_VELOCITY
    graces: list[list[Written]] = field(default_factory=list)


def read_kern(path: Path, text: str) -> Sheet:
    """Read a kern file. Raises `UnreadableInput` where it has no **kern spine or a row does not fit the spines."""
    reader = _Reader(path)
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("!"):
            reader.row(line.rstrip("\r\n").split("\t"), number)
    if not reader.bars:
        raise UnreadableInput(path, "not kern: no **kern column in it")
    return reader.sheet()


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._spines: list[_Spine] = []
        self._now = self._end = Fraction(0)
        self._nominal: Fraction | None = None
        self._beat = Fraction(1)
        self._labels: dict[str, int] = {}
        self._expansion: list[str] | None = None
        self._left_out = 0
        self._parts = 0
        self.bars: list[Bar] = []
        self._tempi: list[TempoMark] = []

    def row(self, tokens: list[str], number: int) -> None:
        if all(token.startswith("**") for token in tokens) and len(tokens) != len(self._spines):
            self._spines = [self._opened(token) for token in tokens]
            return
        if not self._spines:
            raise UnreadableInput(self._path, f"not kern: line {number} comes before any **kern column")
        if len(tokens) != len(self._spines):
            counts = f"{len(tokens)} columns where {len(self._spines)} are open"
            raise UnreadableInput(self._path, f"line {number} has {counts} (damaged?)")
        kern = [(spine, token) for spine, token in zip(self._spines, tokens, strict=True) if spine.kind == "**kern"]
        if tokens[0].startswith("*"):
            for _, token in kern:
                self._interpretation(token)
            self._manipulate(tokens)
        elif tokens[0].startswith("="):
            self._bar_line(kern[0][1] if kern else tokens[0])
        elif kern:
            self._dynamics(tokens)
            self._data(kern)

    def _opened(self, kind: str) -> _Spine:
        self._parts += 1
        if kind == "**kern" and not self.bars:
            self.bars.append(Bar(Fraction(0), Fraction(0), 0))
        return _Spine(kind, self._parts, self._now)

    def _interpretation(self, token: str) -> None:
        if match := re.fullmatch(r"\*MM(\d{1,4}(?:\.\d{1,6})?).*", token):
            self._tempi.append(TempoMark(self._now_at_row(), float(match[1])))
        elif match := re.fullmatch(r"\*M(\d{1,3}(?:\+\d{1,3})*)/(\d{1,3})(?:%(\d{1,3}))?", token):
            unit = Fraction(int(match[2]), int(match[3] or 1) or 1)
            if unit > 0:
                self._beat = 4 / unit
                self._nominal = sum(map(int, match[1].split("+"))) * self._beat
                if self.bars[-1].at == self._now:
                    self.bars[-1].beat = self._beat
        elif match := re.fullmatch(r"\*>(\w*)\[([^\]]*)\]", token):
            labels = [label.strip() for label in match[2].split(",") if label.strip()]
            self._expansion = self._expansion if match[1] else labels
        elif (match := re.fullmatch(r"\*>(\w+)", token)) and match[1] not in self._labels:
            self._divide()
            self._labels[match[1]] = len(self.bars) - 1

    def _dynamics(self, tokens: list[str]) -> None:
        stated: int | None = None
        for spine, token in zip(reversed(self._spines), reversed(tokens), strict=True):
            if spine.kind == "**dynam":
                stated = next((DYNAMICS[word] for word in token.split() if word in DYNAMICS), None)
            elif spine.kind == "**kern" and stated is not None:
                spine.velocity = stated

    def _now_at_row(self) -> Fraction:
        ends = [spine.until for spine in self._spines if spine.kind == "**kern"]
        later = [end for end in ends if end > self._now]
        return min(later) if later else self._now

    def _manipulate(self, tokens: list[str]) -> None:
        """Split (`*^`), join (`*v`), exchange (`*x`), add (`*+`), end (`*-`) and rename (`**`) columns."""
        before, after = self._spines, list[_Spine]()
        exchanged: int | None = None
        for place, (spine, token) in enumerate(zip(before, tokens, strict=True)):
            if token == "*-":
                continue
            if token == "*v" and place and tokens[place - 1] == "*v" and after:
                after[-1].until = max(after[-1].until, spine.until)
                after[-1].graces += spine.graces
                continue
            if token.startswith("**"):
                spine = self._opened(token) if token != spine.kind else spine
            if token == "*clefX":
                spine.is_drum = True
            after.append(spine)
            if token == "*^":
                after.append(replace(spine, graces=[]))
            elif token == "*+":
                after.append(_Spine("", 0, self._now))
            elif token == "*x":
                if exchanged is None:
                    exchanged = len(after) - 1
                else:
                    after[exchanged], after[-1] = after[-1], after[exchanged]
                    exchanged = None
        if len(after) > _MOST_SPINES:
            raise UnreadableInput(self._path, f"it has more than {_MOST_SPINES} columns")
        self._spines = after

    def _bar_line(self, token: str) -> None:
        self._now = self._end
        for spine in self._spines:
            spine.until = self._now
            self._place_graces(spine)
        signs = re.sub(r"[\d=;a-zA-Z-]", "", token)
        if re.search(r":[|!]", signs):
            self.bars[-1].marks.repeats_to = 2
        self.bars[-1].marks.is_final |= token.startswith("==") and ":" not in token
        number = _NUMBER.match(token)
        if self._now > self.bars[-1].at:
            self._close()
            self.bars.append(Bar(self._now, Fraction(0), self.bars[-1].number, self._beat))
        if number:
            self.bars[-1].number = int(number[1])
            if len(self.bars) == 2 and self.bars[0].number == 0:
                self.bars[0].number = int(number[1]) - 1
        if re.search(r"[|!]:", signs):
            self.bars[-1].marks.repeat_begins = True

    def _divide(self) -> None:
        """Begin a bar at the present place, inside a bar too."""
        self._now = self._now_at_row()
        if self._now > self.bars[-1].at:
            self._close()
            self.bars.append(Bar(self._now, Fraction(0), self.bars[-1].number, self._beat))

    def _close(self) -> None:
        bar = self.bars[-1]
        bar.length = self._now - bar.at
        count_upbeat(bar, self.bars[-2] if len(self.bars) > 1 else None, self._nominal, may_continue=True)

    def _data(self, kern: list[tuple[_Spine, str]]) -> None:
        starting = [(spine, token) for spine, token in kern if token.strip() not in (".", "")]
        if any(not _is_grace(token) for _, token in starting):
            self._now = self._now_at_row()
        for spine, token in starting:
            notes, length = self._notes(spine, token)
            if length is None:
                spine.graces.append(notes)
                continue
            self._place_graces(spine)
            self.bars[-1].notes += notes
            spine.until = self._now + length
            self._end = max(self._end, spine.until)

    def _notes(self, spine: _Spine, token: str) -> tuple[list[Written], Fraction | None]:
        length = None if _is_grace(token) else Fraction(0)
        at = self._now_at_row() if length is None else self._now
        notes: list[Written] = []
        for part in token.split():
            if length is not None and (match := _DURATION.search(part)):
                length = _duration(match)
            pitch = _PITCH.search(part)
            if pitch is None or "r" in part:
                continue
            letter = pitch[1]
            octaves = len(pitch[0]) - 1
            octave = 4 + octaves if letter.islower() else 3 - octaves
            key = 12 * octave + 12 + STEPS[letter.upper()] + part.count("#") - part.count("-")
            if not 0 <= key <= 127:
                self._left_out += 1
                continue
            key = SNARE_DRUM if spine.is_drum else key
            tie_from, tie_to = "_" in part or "]" in part, "_" in part or "[" in part
            notes.append(
                Written(
                    at,
                    length or Fraction(0),
                    key,
                    spine.velocity,
                    part=spine.part,
                    tie_from=tie_from,
                    tie_to=tie_to,
                    is_drum=spine.is_drum,
                )
            )
        return notes, length

    def _place_graces(self, spine: _Spine) -> None:
        count = len(spine.graces)
        for place, notes in enumerate(spine.graces):
            self.bars[-1].notes += [note._replace(grace=count - place, graces=count) for note in notes]
        spine.graces = []

    def sheet(self) -> Sheet:
        self._bar_line("=")
        if self.bars[-1].at == self._now and len(self.bars) > 1 and not self.bars[-1].notes:
            self.bars.pop()
        if self._left_out:
            warn_input(self._path, f"{self._left_out} notes outside the MIDI range 0–127 are left out")
        return Sheet(self.bars, self._tempi, self._expanded())

    def _expanded(self) -> list[int] | None:
        if not self._expansion or not all(label in self._labels for label in self._expansion):
            return None
        starts = sorted({0, *self._labels.values(), len(self.bars)})
        order: list[int] = list(range(starts[1])) if 0 not in self._labels.values() else []
        for label in self._expansion:
            begin = self._labels[label]
            order += range(begin, next((start for start in starts if start > begin), begin))
            if len(order) > MOST_BARS:
                raise UnreadableInput(self._path, f"its repeats unfold to more than {MOST_BARS:,} bars")
        return order


def _is_grace(token: str) -> bool:
    return "q" in token or "Q" in token


def _duration(match: re.Match[str]) -> Fraction:
    """Quarters of a reciprocal duration such as `4.`, `12`, `0` (a breve) or `3%2`."""
    number, dots = match[1], min(len(match[3]), 8)
    long = int(number) == 0
    length = Fraction(4 * 2 ** len(number)) if long else Fraction(4 * int(match[2] or 1), int(number))
    return length * (2 - Fraction(1, 2**dots))
