"""Chains: a query longer than one stretch goes through a recording stretch by stretch, forward in time.

Each stretch has its own fits, at its own tempo, so a chain may slow down and hurry as players do; stretches that fit
nowhere may be skipped. The best chain is found by dynamic programming, then the next best of what is left: a piece that
repeats gives several, and so does a query that holds several pieces.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SKIPPED = 3  # stretches that may be missing in a row
_SLACK_S = 0.75
_SLACK_SHARE = 0.1  # of the time between two stretches, what the tempi of both may miss it by
_TEMPO_CHANGE = 1.3


@dataclass(frozen=True)
class Link:
    """A stretch's fit: the stretch begins at `query_s` and lasts `length_s`; `weight` is what it speaks for it."""

    stretch: int
    query_s: float
    length_s: float
    recording: int
    semitones: int
    start_s: float
    tempo: float
    score: float
    weight: float

    @property
    def end_s(self) -> float:
        """Where in the recording the stretch ends."""
        return self.start_s + self.tempo * self.length_s


Chain = tuple[Link, ...]
"""Links of one recording, by stretch."""


def chains(links: Iterable[Link], each: int) -> list[Chain]:
    """The best chains by the sum of their weights, at most `each` of one recording; each link is in one of them."""
    by_recording: dict[tuple[int, int], list[Link]] = defaultdict(list)
    for link in links:
        by_recording[link.recording, link.semitones].append(link)
    found: list[Chain] = []
    for own in by_recording.values():
        left = sorted(own, key=lambda link: (link.stretch, link.start_s))
        for _ in range(each):
            if not left:
                break
            best = _best_chain(left)
            found.append(best)
            left = [link for link in left if link not in best]
    return sorted(found, key=weight_of, reverse=True)


def weight_of(chain: Chain) -> float:
    """What all of its links speak for it."""
    return sum(link.weight for link in chain)


def _best_chain(links: Sequence[Link]) -> Chain:
    """The heaviest chain of links that are sorted by stretch; one that speaks for nothing makes none longer."""
    total = [link.weight for link in links]
    before: list[int | None] = [None] * len(links)
    first = 0
    for later, link in enumerate(links):
        while links[first].stretch < link.stretch - _SKIPPED - 1:
            first += 1
        for earlier in range(first, later):
            longer = link.weight > 0 and total[earlier] + link.weight > total[later]
            if longer and follows(links[earlier], link):
                total[later], before[later] = total[earlier] + link.weight, earlier
    place: int | None = max(range(len(links)), key=total.__getitem__)
    chain: list[Link] = []
    while place is not None:
        chain.append(links[place])
        place = before[place]
    return tuple(reversed(chain))


def follows(earlier: Link, later: Link) -> bool:
    """Whether a later stretch goes on where an earlier one leads to."""
    if later.stretch <= earlier.stretch:
        return False
    ratio = later.tempo / earlier.tempo
    if not 1 / _TEMPO_CHANGE <= ratio <= _TEMPO_CHANGE:
        return False
    passed_s = later.query_s - earlier.query_s
    expected_s = earlier.start_s + passed_s * (earlier.tempo + later.tempo) / 2
    return abs(later.start_s - expected_s) <= _SLACK_S + _SLACK_SHARE * passed_s
