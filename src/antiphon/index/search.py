"""Ask an index: which music of the library is this, from where to where, at what tempo, how sure?"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from antiphon.descriptors import Side
from antiphon.embedding import Embedder
from antiphon.index.finding import Candidate, find_candidates
from antiphon.index.library import ALL, Filters, Library
from antiphon.index.match import Match
from antiphon.index.query import Query, kind_of, open_query
from antiphon.index.store import Store
from antiphon.matching.confidence import confidence


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
    transpose: bool = False,
) -> list[Match]:
    """Best hits first for a file of 3 s or more, or a stretch of it; several of one recording where it repeats.

    `against` names what to search; by default the other kind than the query's, or the query's own where the index
    holds nothing else. `filters` leave recordings out, as if they were not in the index; `by_work` gives at most one
    hit a work. With `transpose` the query may also lie up to 6 semitones above or below the library, and between the
    keys. Library files that cannot be read any more are not found.

    Hits whose confidence is under `LIKELY` are better than nothing, no more. Raises `UnreadableInput` for a query that
    cannot be used, `AntiphonError` for filters that leave nothing.
    """
    against = against or what_to_search(kind_of(query), store.counts())
    store.check_model(embedder)
    library = store.library(against)
    return search_library(query, library, embedder, start_s, length_s, top, filters, by_work, transpose)


def what_to_search(kind: Side, held: Container[Side]) -> Side:
    """The other kind than the query's, or its own where the index holds nothing else."""
    other: Side = "notes" if kind == "audio" else "audio"
    return other if other in held else kind


def search_library(
    query: Path,
    library: Library,
    embedder: Embedder,
    start_s: float = 0.0,
    length_s: float | None = None,
    top: int = 10,
    filters: Filters = ALL,
    by_work: bool = False,
    transpose: bool = False,
) -> list[Match]:
    """Like `search`, in a library that is open already; any number of threads may search one at the same time."""
    asked = open_query(query, embedder, start_s, length_s, retune=transpose)
    among = None if filters == ALL else library.among(filters)
    hits = []
    works: set[str] = set()
    for candidate in find_candidates(asked, library, embedder, among, transpose):
        work = library.work_of(candidate.chain[0].recording)
        if not (by_work and work in works):
            works.add(work)
            hits.append(_hit(candidate, asked, start_s, library))
    return hits[:top]


def _hit(candidate: Candidate, query: Query, start_s: float, library: Library) -> Match:
    chain = candidate.chain
    first, last = chain[0], chain[-1]
    recording = first.recording
    about = library.about_recording(recording)
    query_s = (first.query_s, last.query_s + last.length_s)
    tempo = (last.end_s - first.start_s) / (query_s[1] - query_s[0])
    # What reaches beyond the recording is no part of the match.
    before_s = max(0.0, -first.start_s) / tempo
    beyond_s = max(0.0, last.end_s - float(library.duration_s[recording])) / tempo
    query_s = (query_s[0] + before_s, max(query_s[1] - beyond_s, query_s[0] + before_s))
    begins_s = first.start_s + before_s * tempo
    return Match(
        file=library.paths[recording],
        start_s=round(begins_s, 3),
        end_s=round(begins_s + (query_s[1] - query_s[0]) * tempo, 3),
        query_start_s=round(start_s + query_s[0] * query.speed, 3),
        query_end_s=round(start_s + query_s[1] * query.speed, 3),
        tempo=round(tempo / query.speed, 4),
        semitones=first.semitones,
        score=round(sum(link.score for link in chain) / len(chain), 4),
        confidence=round(confidence(candidate.evidence), 4),
        work=about.work,
        composer=about.composer,
        title=about.title,
    )
