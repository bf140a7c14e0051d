"""Ask an index: where in the library does this query come from?

Every second window of the query asks for the windows of the library that are nearest to it. In the recordings that
answer best, all windows of the query look for the best line `library time = offset + tempo · query time`; the mean
cosine along it is the hit's score.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.descriptors import Side
from antiphon.embedding import Embedder
from antiphon.index.build import embed_file, kind_of
from antiphon.index.library import ALL, Filters, Library
from antiphon.index.neighbours import cosines
from antiphon.index.store import Store

TEMPI = tuple(round(2 ** (step / 16), 4) for step in range(-8, 9))
"""Library seconds per query second that are tried: 0.71 to 1.41 in steps of 4.4 %."""
_QUERY_HOP_S = 0.1
_MAX_QUERY_WINDOWS = 400
_CANDIDATES = 50
_NEAREST = 100
_TIE = 1e-6  # cosines closer than this are equal: products of different shape round differently


@dataclass(frozen=True)
class Hit:
    """A stretch of a library file that the query matches.

    `tempo` is library seconds per query second. `score` is the mean cosine along the match. `confidence` is the share
    of the match's windows that no window of another recording matches better; it is not calibrated. `work`, `composer`
    and `title` are empty where they are not known.
    """

    file: str
    start_s: float
    end_s: float
    query_start_s: float
    query_end_s: float
    tempo: float
    score: float
    confidence: float
    work: str = ""
    composer: str = ""
    title: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Its fields by name, without those that are not known."""
        return {name: value for name, value in asdict(self).items() if value != ""}


def search(
    query: Path,
    store: Store,
    embedder: Embedder,
    start_s: float = 0.0,
    length_s: float | None = None,
    top: int = 10,
    against: Side | None = None,
    filters: Filters = ALL,
    by_work: bool = False,
) -> list[Hit]:
    """Best hits first, at most one per recording, or per work, for a file or a stretch of it.

    `against` names what to search; by default the other kind than the query's, or the query's own where the index
    holds nothing else. `filters` leave recordings out, as if they were not in the index. Raises `UnreadableInput` for a
    query that cannot be used, `AntiphonError` for filters that leave nothing.
    """
    kind = kind_of(query)
    if against is None:
        other: Side = "notes" if kind == "audio" else "audio"
        against = other if other in store.counts() else kind
    store.claim(embedder, store.meta("model"), float(store.meta("hop_s")))
    library = store.library(against)
    among = None if filters == ALL else library.among(filters)
    duration_s, starts, vectors = embed_file(query, kind, embedder, _QUERY_HOP_S, start_s, length_s)
    hop_s = float(store.meta("hop_s"))
    kept = thin_out(np.flatnonzero(np.any(vectors, axis=1)), hop_s)
    found = match_lines(vectors[kept], starts[kept], library, hop_s, among)
    if by_work:
        found = _best_of_each_work(found, library)
    return [
        Hit(
            file=library.paths[line.recording],
            start_s=round(line.offset_s, 3),
            end_s=round(line.offset_s + line.tempo * duration_s, 3),
            query_start_s=start_s,
            query_end_s=round(start_s + duration_s, 3),
            tempo=line.tempo,
            score=round(line.score, 4),
            confidence=round(line.confidence, 4),
            work=about.work,
            composer=about.composer,
            title=about.title,
        )
        for line in found[:top]
        for about in [library.about_recording(line.recording)]
    ]


def thin_out(windows: NDArray[np.int64], hop_s: float) -> NDArray[np.int64]:
    """At most 400 of a query's windows, evenly spread.

    The stride has no factor in common with the library's hop: with one, a line would meet all of its library windows
    or none, by the place where the query happens to begin.
    """
    stride = -(-len(windows) // _MAX_QUERY_WINDOWS)
    while math.gcd(stride, round(hop_s / _QUERY_HOP_S)) > 1:
        stride += 1
    return windows[::stride]


@dataclass(frozen=True)
class Line:
    """library time = offset_s + tempo · query time, in one recording."""

    recording: int
    offset_s: float
    tempo: float
    score: float
    confidence: float


def _best_of_each_work(lines: list[Line], library: Library) -> list[Line]:
    first: dict[str, Line] = {}
    for line in lines:
        first.setdefault(library.work_of(line.recording), line)
    return list(first.values())


def match_lines(
    query: NDArray[np.float32],
    query_start_s: NDArray[np.float64],
    library: Library,
    hop_s: float,
    among: NDArray[np.bool_] | None = None,
) -> list[Line]:
    """The best line of each of the 50 most promising recordings, by descending score.

    `query` [q, D] unit vectors of windows that start at `query_start_s` [q]; the library's windows lie `hop_s` apart.
    `among` [recordings] is True for those to look at (all).
    """
    best = _best_per_recording(query[::2], library, among)  # [q / 2, recordings]
    allowed = np.arange(len(library.paths)) if among is None else np.flatnonzero(among)
    promising = allowed[np.argsort(-best[:, allowed].mean(axis=0), kind="stable")[:_CANDIDATES]]
    found = []
    highest = np.empty((len(query), len(promising)), np.float32)
    for place, recording in enumerate(promising):
        rows = slice(library.offset[recording], library.offset[recording + 1])
        similarity = cosines(query, library.vectors[rows])
        highest[:, place] = similarity.max(axis=1)
        offset_s, tempo, score, on_line = _best_line(similarity, query_start_s, library.start_s[rows], hop_s)
        found.append((int(recording), offset_s, tempo, score, on_line[0], similarity[on_line]))
    # Of recordings that did not look promising only every second window is known; its neighbour has to do.
    others = best[:, np.setdiff1d(allowed, promising)].max(axis=1, initial=-1.0)[np.arange(len(query)) // 2]
    lines = []
    for place, (recording, offset_s, tempo, score, window, cosine) in enumerate(found):
        rivals = np.maximum(np.delete(highest, place, axis=1).max(axis=1, initial=-1.0), others)
        lines.append(Line(recording, offset_s, tempo, score, float((cosine > rivals[window] + _TIE).mean())))
    return sorted(lines, key=lambda line: (-line.score, library.paths[line.recording]))


def _best_per_recording(
    query: NDArray[np.float32], library: Library, among: NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    """Highest cosine of each query window in each recording [q, recordings], as far as the nearest 100 windows tell.

    A recording that is not among them has at most the cosine of the last, which it is given.
    """
    rows = None if among is None else library.rows_of(among)
    cosine, row = library.neighbours.nearest(query, _NEAREST, rows)
    fewer = row[:, -1] < 0
    best = np.repeat(np.where(fewer, np.float32(-1.0), cosine[:, -1])[:, None], len(library.paths), axis=1)
    window, place = np.nonzero(row >= 0)
    recording = np.searchsorted(library.offset, row[window, place], side="right") - 1
    np.maximum.at(best, (window, recording), cosine[window, place])
    return best


def _best_line(
    similarity: NDArray[np.float32], query_s: NDArray[np.float64], library_s: NDArray[np.float64], hop_s: float
) -> tuple[float, float, float, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Offset, tempo, score of the best line in one recording, and the (query, library) windows it passes through.

    The library's windows are sparser than the query's, so a line is its library windows, each with the query window
    nearest in time: for offsets on a grid as fine as the query's hop, the pairs of one line are those with one value
    of `round(library / (tempo · hop)) − query / hop`. A line that leaves the recording meets nothing out there; windows
    that the query lacks (nothing sounds, or it was thinned out) are not held against it.
    """
    step = np.rint(query_s / _QUERY_HOP_S).astype(np.int64)
    span_s = float(query_s[-1] - query_s[0])
    share = len(step) / (int(step[-1] - step[0]) + 1)
    best = (-np.inf, 0, 1.0)
    for tempo in TEMPI if span_s > 0 else (1.0,):
        line = _line_numbers(library_s, step, tempo)
        lowest = int(line.min())
        total = np.bincount((line - lowest).ravel(), weights=similarity.ravel())
        met = np.bincount((line - lowest).ravel())
        score = total / np.maximum(max(1.0, share * np.floor(tempo * span_s / hop_s)), met)
        winner = int(np.argmax(score))
        if score[winner] > best[0] + 1e-6:
            best = (float(score[winner]), lowest + winner, tempo)
    found, number, tempo = best
    pairs = np.nonzero(_line_numbers(library_s, step, tempo) == number)
    return number * tempo * _QUERY_HOP_S, tempo, found, (pairs[0], pairs[1])


def _line_numbers(library_s: NDArray[np.float64], step: NDArray[np.int64], tempo: float) -> NDArray[np.int64]:
    """For each (query, library) pair the line it lies on, numbered by offset in units of tempo · query hop."""
    return np.rint(library_s / (tempo * _QUERY_HOP_S)).astype(np.int64)[None] - step[:, None]
