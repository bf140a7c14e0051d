"""Chains: local alignments of consecutive stretches that follow each other in one recording.

Each stretch has alignments of its own, at its own tempo, so a chain may slow down and speed up as players do. Stretches
without a suitable alignment may be skipped. Dynamic programming finds the best chain, then the next best of the links
that remain: a piece with repeats gives several chains, and so does a query that contains several pieces.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_MOST_SKIPPED = 3  # consecutive stretches that a chain may skip
_SLACK_S = 0.75
_SLACK_SHARE = 0.1  # of the time between two stretches: how far the tempi of both may miss it
_TEMPO_CHANGE = 1.3


@dataclass(frozen=True)
class Link:
    """A local alignment of a stretch that begins at `query_s` of the query and lasts `length_s`.

    `score` is its cosine; `evidence` its contribution to a chain: its score above chance, at least 0.
    """

    stretch: int
    query_s: float
    length_s: float
    recording: int
    semitones: int
    start_s: float
    tempo: float
    score: float
    evidence: float

    @property
    def end_s(self) -> float:
        """The second of the recording at which the stretch ends."""
        return self.start_s + self.tempo * self.length_s


Chain = tuple[Link, ...]
"""Links of one recording, in order of their stretches."""


def chains(links: Iterable[Link], limit: int) -> list[Chain]:
    """The best chains by total evidence, at most `limit` per recording and transposition; no link is in two."""
    by_recording: dict[tuple[int, int], list[Link]] = defaultdict(list)
    for link in links:
        by_recording[link.recording, link.semitones].append(link)
    found: list[Chain] = []
    for own in by_recording.values():
        left = sorted(own, key=lambda link: (link.stretch, link.start_s))
        for _ in range(limit):
            if not left:
                break
            best = _best_chain(left)
            found.append(best)
            left = [link for link in left if link not in best]
    return sorted(found, key=total_evidence, reverse=True)


def total_evidence(chain: Chain) -> float:
    """The sum of the links' evidence."""
    return sum(link.evidence for link in chain)


def _best_chain(links: Sequence[Link]) -> Chain:
    """The chain with the most evidence; `links` are sorted by stretch. A link without evidence extends no chain."""
    total = [link.evidence for link in links]
    before: list[int | None] = [None] * len(links)
    first = 0
    for later, link in enumerate(links):
        while links[first].stretch < link.stretch - _MOST_SKIPPED - 1:
            first += 1
        for earlier in range(first, later):
            longer = link.evidence > 0 and total[earlier] + link.evidence > total[later]
            if longer and follows(links[earlier], link):
                total[later], before[later] = total[earlier] + link.evidence, earlier
    position: int | None = max(range(len(links)), key=total.__getitem__)
    chain: list[Link] = []
    while position is not None:
        chain.append(links[position])
        position = before[position]
    return tuple(reversed(chain))


def follows(earlier: Link, later: Link) -> bool:
    """Whether a later stretch continues an earlier one: tempi within a factor of 1.3, start near the expected one."""
    if later.stretch <= earlier.stretch:
        return False
    ratio = later.tempo / earlier.tempo
    if not 1 / _TEMPO_CHANGE <= ratio <= _TEMPO_CHANGE:
        return False
    passed_s = later.query_s - earlier.query_s
    expected_s = earlier.start_s + passed_s * (earlier.tempo + later.tempo) / 2
    return abs(later.start_s - expected_s) <= _SLACK_S + _SLACK_SHARE * passed_s
