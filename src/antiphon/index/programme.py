"""Which piece of a library plays when in a long recording: the runs that a set list is made of.

The recording is searched in segments of at most 24 s. A chain through a library file says that its stretches may play
that file. The best sequence of files, and of times when none plays, is found by dynamic programming (Viterbi): a change
costs as much as an isolated and not very likely chain is worth, so a passage that another piece has too does not
interrupt the piece that plays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.confidence import LIKELY, confidence
from antiphon.alignment.passes import FIRST, SECOND
from antiphon.index.query import NoteQuery, Query, SoundQuery
from antiphon.index.retrieval import RankedChain, rank_chains
from antiphon.index.view import IndexView
from antiphon.models.protocol import Embedder
from antiphon.progress import track

_SEGMENT_S = 2 * FIRST.stretch_s
_MOST_EVIDENCE = 8.0  # log odds; more only decides between files
_BEYOND_MOST = 0.04
_MISSING = 0.5  # cost of a cell in which the piece that plays is not found
_CHANGE = 3.0  # cost of beginning or ending a piece, and of going from one to another

_Transposed = tuple[int, int]
"""A recording of the library, and by how many semitones it is transposed."""
_Cell = dict[_Transposed, RankedChain]
"""The best chain of each in some seconds of the query."""


@dataclass(frozen=True)
class Run:
    """One library file in a part of the recording: it is found in the first and in the last seconds of the part.

    `evidence` is the greatest log odds of its chains, `score` the mean score of the links of that chain.
    """

    recording: int
    semitones: int
    begin_s: float
    end_s: float
    evidence: float
    score: float


def find_runs(
    query: Query,
    library: IndexView,
    embedder: Embedder,
    among: NDArray[np.bool_] | None = None,
    transpose: bool = False,
) -> list[Run]:
    """The runs of a whole query in order of time; two of them do not overlap. Seconds are those of the query.

    `among` and `transpose` are as in `antiphon.index.retrieval.rank_chains`. Where a segment has its evidence for
    several files, as it may for copies, the file with the most evidence is taken.
    """
    count = max(1, math.ceil(query.duration_s / _SEGMENT_S - 1e-9))
    segment_s = query.duration_s / count
    cells = SECOND.stretches(segment_s)
    cell_s = segment_s / cells
    chains: list[_Cell] = [{} for _ in range(count * cells)]
    for number in track(range(count), "searching"):
        part = _part(query, number * segment_s, segment_s)
        if part is None:
            continue
        for ranked in rank_chains(part, library, embedder, among, transpose):
            if confidence(ranked.evidence) >= LIKELY:
                _add(chains, ranked, number * cells, cell_s)
    return _runs(chains, _best_sequence(chains), cell_s)


def _part(query: Query, begin_s: float, length_s: float) -> Query | None:
    """A part of a query as a query of its own; None where it has no notes."""
    if isinstance(query, NoteQuery):
        notes = query.notes.window(begin_s, length_s)
        return NoteQuery(notes, length_s, query.embedder) if len(notes) else None
    assert isinstance(query, SoundQuery)
    rate_hz = query.embedder.sample_rate_hz
    samples = query.samples[round(begin_s * rate_hz) : round((begin_s + length_s) * rate_hz)]
    return SoundQuery(samples, query.embedder, query.speed)


def _add(chains: Sequence[_Cell], ranked: RankedChain, first: int, cell_s: float) -> None:
    """Add the evidence of a chain to the cells that it covers; `first` is the cell where its query begins."""
    for link in ranked.chain:
        begin, end = (round(at_s / cell_s) for at_s in (link.query_s, link.query_s + link.length_s))
        for cell in range(first + begin, min(first + max(end, begin + 1), len(chains))):
            known = chains[cell].get((link.recording, link.semitones))
            if known is None or ranked.evidence > known.evidence:
                chains[cell][link.recording, link.semitones] = ranked


def _best_sequence(chains: Sequence[_Cell]) -> list[_Transposed | None]:
    """The file that plays in each cell, None where none does."""
    states: list[_Transposed | None] = [None, *sorted({one for cell in chains for one in cell})]
    column = {state: number for number, state in enumerate(states)}
    edge = np.where(np.arange(len(states)) > 0, _CHANGE, 0.0)  # to begin or to end with a piece, not with none
    total = -edge
    before = np.zeros((len(chains), len(states)), np.int64)
    for number, cell in enumerate(chains):
        if number:
            best = int(total.argmax())
            entering = total[best] - _CHANGE
            before[number] = np.where(total >= entering, np.arange(len(states)), best)
            total = np.maximum(total, entering)
        gain = np.full(len(states), -_MISSING)
        gain[0] = 0.0
        for one, ranked in cell.items():
            gain[column[one]] = min(ranked.evidence, _MOST_EVIDENCE) / 2 + _BEYOND_MOST * ranked.evidence
        total = total + gain
    at = int((total - edge).argmax())
    path = [at]
    for number in range(len(chains) - 1, 0, -1):
        at = int(before[number, at])
        path.append(at)
    return [states[at] for at in reversed(path)]


def _runs(chains: Sequence[_Cell], sequence: Sequence[_Transposed | None], cell_s: float) -> list[Run]:
    found = []
    for one, group in groupby(range(len(sequence)), key=lambda cell: sequence[cell]):
        cells = [cell for cell in group if one is not None and one in chains[cell]]
        if one is not None and cells:
            best = max((chains[cell][one] for cell in cells), key=lambda ranked: ranked.evidence)
            score = sum(link.score for link in best.chain) / len(best.chain)
            recording, semitones = one
            found.append(Run(recording, semitones, cells[0] * cell_s, (cells[-1] + 1) * cell_s, best.evidence, score))
    return found
