"""The order in which the bars of a score are played: repeats, numbered endings, da capo, dal segno, coda and fine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, NamedTuple

MOST_TIMES = 64
MOST_BARS = 200_000
_DA_CAPO = re.compile(r"^(d\s*\.?\s*c\b|da\s+capo\b)")
_DAL_SEGNO = re.compile(r"^(d\s*\.?\s*s\b|dal\s+segno\b)")
_TO_CODA = re.compile(r"^(to\s+(the\s+)?coda|al\s+coda)\b")
_FINE = re.compile(r"^fine\b\W*$")


@dataclass(slots=True)
class BarMarks:
    """Marks of a bar. `repeats_to` counts how often the section that ends here is played; 1 is no repeat.

    `ending` holds the numbers of the ending (bracket) that the bar lies in, and `ending_begins` whether it begins here.
    `is_final` is a final bar line at its end, and `number` the printed number.
    """

    repeat_begins: bool = False
    repeats_to: int = 1
    ending: frozenset[int] = frozenset()
    ending_begins: bool = False
    jump: Literal["", "capo", "segno"] = ""
    al_fine: bool = True
    al_coda: bool = True
    is_segno: bool = False
    is_coda: bool = False
    to_coda: bool = False
    is_fine: bool = False
    is_final: bool = False
    number: int | None = None

    def add(self, other: BarMarks) -> None:
        """Take over the marks of another part in the same bar."""
        self.repeat_begins |= other.repeat_begins
        self.repeats_to = max(self.repeats_to, other.repeats_to)
        self.ending = self.ending or other.ending
        self.ending_begins |= other.ending_begins
        if other.jump and not self.jump:
            self.jump, self.al_fine, self.al_coda = other.jump, other.al_fine, other.al_coda
        self.is_segno |= other.is_segno
        self.is_coda |= other.is_coda
        self.to_coda |= other.to_coda
        self.is_fine |= other.is_fine
        self.is_final |= other.is_final

    def divide(self) -> BarMarks:
        """Keep the marks that count at the start of the bar; give those at its end, for the second part of the bar."""
        rest = replace(self, repeat_begins=False, ending_begins=False, is_segno=False, is_coda=False)
        self.repeats_to, self.jump, self.to_coda, self.is_fine, self.is_final = 1, "", False, False, False
        return rest

    def read_words(self, words: str) -> None:
        """Marks given as text, such as "D.C. al Fine" or "To Coda"."""
        text = " ".join(words.lower().split())
        if _DA_CAPO.match(text) or _DAL_SEGNO.match(text):
            self.jump = "capo" if _DA_CAPO.match(text) else "segno"
            if "coda" in text and "fine" not in text:
                self.al_fine = False
            if "fine" in text and "coda" not in text:
                self.al_coda = False
        elif _TO_CODA.match(text):
            self.to_coda = True
        elif _FINE.match(text):
            self.is_fine = True
        elif text == "segno":
            self.is_segno = True


def ending_numbers(text: str) -> frozenset[int]:
    """Numbers of an ending: "1", "1, 2", "1-3", "2."; without any it is the first.

    >>> sorted(ending_numbers("1, 2")), sorted(ending_numbers("1-3")), sorted(ending_numbers(""))
    ([1, 2], [1, 2, 3], [1])
    """
    found: set[int] = set()
    for low, high in re.findall(r"(\d{1,3})(?:\s*-\s*(\d{1,3}))?", text):
        found.update(range(int(low), min(int(high or low), MOST_TIMES) + 1))
    return frozenset(found) or frozenset({1})


def playing_order(bars: Sequence[BarMarks]) -> list[int]:
    """Places of the bars in the order of playing.

    * A section without a repeat sign at its start begins after the repeat before it, or at the start of the movement.
    * A movement ends where the bar numbers begin again; in a score where they never do, at a final bar line, unless
      that bar is the fine.
    * A jump (da capo, dal segno) is taken once; after it there are no repeats, and of endings the last is played.
    * Fine and "to coda" count after a jump only, at the end of their bar.

    >>> [bar + 1 for bar in playing_order([BarMarks(), BarMarks(repeats_to=2), BarMarks(jump="capo"), BarMarks()])]
    [1, 2, 1, 2, 3, 1, 2, 3, 4]
    """
    chains = _chains(bars)
    ends = _movement_ends(bars)
    order: list[int] = []
    repeated: set[int] = set()  # bars whose repeat was taken, and whose jump was
    left: set[int] = set()
    place, section, turn = 0, 0, 1
    movement = 0
    jumped: int | None = None  # the bar of the jump
    while place < len(bars) and len(order) < MOST_BARS:
        bar = bars[place]
        chain = chains.get(place)
        if (
            chain is not None
            and bar.ending_begins
            and not chain.is_last
            and (jumped is not None or turn not in bar.ending)
        ):
            place = chain.end + 1
            if chain.is_alone:
                section, turn = place, 1
            continue
        if bar.repeat_begins and place != section:
            section, turn = place, 1
        order.append(place)
        if jumped is not None:
            if bar.is_fine and bars[jumped].al_fine:
                place = section = movement = next((end for end in ends if end >= jumped), len(bars)) + 1
                turn, jumped = 1, None
                continue
            coda = _coda(bars, place) if bar.to_coda and bars[jumped].al_coda else None
            if coda is not None:
                place = coda
                continue
        elif bar.repeats_to > 1 and place not in repeated:
            if _goes_back(bar, chain, turn):
                turn += 1
                place = section
                continue
            repeated.add(place)
            section, turn = place + 1, 1
        elif chain is not None and place == chain.end and chain.is_last:
            section, turn = place + 1, 1
        target = _target(bars, place, movement)
        if target is not None and place not in left:
            left.add(place)
            jumped = place
            place = target
            continue
        if place in ends:
            section = movement = place + 1
            turn, jumped = 1, None
        place += 1
    return order


def _movement_ends(bars: Sequence[BarMarks]) -> list[int]:
    restarts = [
        place
        for place, (bar, following) in enumerate(pairwise(bars))
        if bar.number is not None and following.number is not None and following.number <= 1 < bar.number
    ]
    return restarts or [place for place, bar in enumerate(bars) if bar.is_final and not bar.is_fine]


class _Ending(NamedTuple):
    """An ending: its last bar, the last turn of its chain, whether it is the last, or the only one of a repeat."""

    end: int
    last_turn: int
    is_last: bool
    is_alone: bool


def _goes_back(bar: BarMarks, chain: _Ending | None, turn: int) -> bool:
    if chain is None:
        return turn < bar.repeats_to
    return turn < chain.last_turn if chain.is_last else turn in bar.ending


def _coda(bars: Sequence[BarMarks], place: int) -> int | None:
    return next((other for other in range(place + 1, len(bars)) if bars[other].is_coda), None)


def _target(bars: Sequence[BarMarks], place: int, movement: int) -> int | None:
    if bars[place].jump == "capo":
        return movement
    if bars[place].jump == "segno":
        return next((other for other in range(place, movement - 1, -1) if bars[other].is_segno), None)
    return None


def _chains(bars: Sequence[BarMarks]) -> dict[int, _Ending]:
    """The ending that each bar lies in. Endings that follow one another make a chain."""
    endings: list[tuple[int, int]] = []
    for place, bar in enumerate(bars):
        if not bar.ending:
            continue
        if not bar.ending_begins and endings and endings[-1][1] == place - 1:
            endings[-1] = (endings[-1][0], place)
        else:
            bar.ending_begins = True
            endings.append((place, place))
    for number, (begin, end) in enumerate(endings):  # a bracket may be drawn over its first bars only
        limit = endings[number + 1][0] if number + 1 < len(endings) else len(bars)
        sign = next((place for place in range(begin, limit) if bars[place].repeats_to > 1), None)
        goes_on = (
            sign is not None and sign > end and not any(bars[place].repeat_begins for place in range(end, sign + 1))
        )
        if sign is not None and goes_on and (sign + 1 == limit < len(bars)) and min(bars[limit].ending) > 1:
            for place in range(end + 1, sign + 1):
                bars[place].ending = bars[begin].ending
            endings[number] = (begin, sign)
    found: dict[int, _Ending] = {}
    chain: list[tuple[int, int]] = []
    for number, (begin, end) in enumerate(endings):
        chain.append((begin, end))
        is_last = number + 1 == len(endings) or endings[number + 1][0] != end + 1
        if is_last or min(bars[end + 1].ending) == 1:  # a bracket "1" right after a bracket opens a new chain
            last_turn = max(max(bars[first].ending) for first, _ in chain)
            is_alone = len(chain) == 1 and bars[end].repeats_to > 1  # what follows it is the other ending
            for first, last in chain:
                ending = _Ending(last, last_turn, last == end and not is_alone, is_alone)
                found.update(dict.fromkeys(range(first, last + 1), ending))
            chain = []
    return found
