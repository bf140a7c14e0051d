"""Chains: local alignments of consecutive stretches that follow each other in one recording.

Each stretch has alignments of its own, at its own tempo, so a chain may slow down and speed up as players do. Stretches
without a suitable alignment may be skipped. Dynamic programming finds the best chain, then the next best of the links
that remain: a piece with repeats gives several chains, and so does a query that contains several pieces. Time and
memory grow linearly with the number of stretches.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_MOST_SKIPPED = 3  # consecutive stretches that a chain may skip
_SLACK_S = 0.75
_SLACK_SHARE = 0.1  # of the time between two stretches: how far the tempi of both may miss it
_TEMPO_CHANGE = 1.3


@dataclass(frozen=True, slots=True)
class Link:
    """A local alignment of a stretch that begins at `query_s` of the query and lasts `length_s`.

    `score` is its cosine; `evidence` its contribution to a chain: its score above chance, at least 0; `pairs` the
    number of ordered pairs of different onsets that agree, infinite where they were not counted.
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
    pairs: float = math.inf

    @property
    def end_s(self) -> float:
        """The second of the recording at which the stretch ends."""
        return self.start_s + self.tempo * self.length_s


Chain = tuple[Link, ...]
"""Links of one recording, in order of their stretches."""


class ChainLinks:
    """The links of a query, added stretch by stretch in order; `chains` are its best chains, at most `limit` per
    recording and transposition.

    Links without evidence make chains of one link, the earliest first; those that are too late for one are not kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._links: list[Link] = []
        self._without_evidence: Counter[tuple[int, int]] = Counter()

    def add(self, links: Iterable[Link]) -> None:
        """Add the links of the next stretch."""
        kept = [
            link
            for link in links
            if link.evidence > 0 or self._without_evidence[link.recording, link.semitones] < self._limit
        ]
        self._without_evidence.update((link.recording, link.semitones) for link in kept if not link.evidence > 0)
        self._links += kept

    def chains(self) -> list[Chain]:
        """As `antiphon.alignment.chaining.chains` of all links."""
        return chains(self._links, self._limit)


def chains(links: Iterable[Link], limit: int) -> list[Chain]:
    """The best chains by total evidence, at most `limit` per recording and transposition; no link is in two."""
    by_recording: dict[tuple[int, int], list[Link]] = defaultdict(list)
    for link in links:
        by_recording[link.recording, link.semitones].append(link)
    found: list[Chain] = []
    for own in by_recording.values():
        found += _best_chains(sorted(own, key=lambda link: (link.stretch, link.start_s)), limit)
    return sorted(found, key=total_evidence, reverse=True)


def total_evidence(chain: Chain) -> float:
    """The sum of the links' evidence."""
    return sum(link.evidence for link in chain)


def _best_chains(links: Sequence[Link], limit: int) -> list[Chain]:
    """The chains with the most evidence, best first; `links` are sorted by stretch.

    A link without evidence is a chain of its own, as it extends no other. Links that no chain can connect are in
    different parts: when the best chain is taken, only the links of its part have another best chain than before.
    """
    before = _predecessors(links)
    queue = [(*_best_chain(links, before, part), part) for part in _connected(before)]
    heapq.heapify(queue)
    found: list[Chain] = []
    while queue and len(found) < limit:
        _, _, chain, part = heapq.heappop(queue)
        found.append(tuple(links[position] for position in chain))
        taken = set(chain)
        if left := [position for position in part if position not in taken]:
            heapq.heappush(queue, (*_best_chain(links, before, left), left))
    return found


def _predecessors(links: Sequence[Link]) -> list[list[int]]:
    """The positions of the links that each link follows, in order; none for links without evidence."""
    before: list[list[int]] = [[] for _ in links]
    near: list[int] = []
    for later, link in enumerate(links):
        if link.evidence > 0:
            near = [one for one in near if links[one].stretch >= link.stretch - _MOST_SKIPPED - 1]
            before[later] = [earlier for earlier in near if follows(links[earlier], link)]
            near.append(later)
    return before


def _connected(before: Sequence[Sequence[int]]) -> list[list[int]]:
    """The positions of the links in parts without any connection, each in order."""
    first = list(range(len(before)))  # the position of an earlier link of the same part, or the link's own

    def root(position: int) -> int:
        while first[position] != position:
            first[position] = first[first[position]]
            position = first[position]
        return position

    for later, predecessors in enumerate(before):
        for earlier in predecessors:
            one, other = sorted((root(earlier), root(later)))
            first[other] = one
    parts: dict[int, list[int]] = defaultdict(list)
    for position in range(len(before)):
        parts[root(position)].append(position)
    return list(parts.values())


def _best_chain(
    links: Sequence[Link], before: Sequence[Sequence[int]], part: Sequence[int]
) -> tuple[float, int, list[int]]:
    """The chain with the most evidence in a part: its negative evidence, the position of its last link, and all."""
    total: dict[int, float] = {}
    previous: dict[int, int] = {}
    for later in part:
        total[later] = evidence = links[later].evidence
        for earlier in before[later]:
            if earlier in total and total[earlier] + evidence > total[later]:
                total[later], previous[later] = total[earlier] + evidence, earlier
    last = max(part, key=total.__getitem__)
    chain = [last]
    while chain[-1] in previous:
        chain.append(previous[chain[-1]])
    return -total[last], last, chain[::-1]


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
