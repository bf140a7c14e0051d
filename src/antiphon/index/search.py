"""Search an index: the music of the library that a query contains, with times, tempo and confidence."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from dataclasses import dataclass

from antiphon.alignment.chaining import Chain
from antiphon.alignment.confidence import LIKELY, confidence
from antiphon.checks import COUNT
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.index.match import Match
from antiphon.index.match_ends import Ends, ends_of_chain
from antiphon.index.presence import presence
from antiphon.index.query import Query, Source, kind_of, open_query
from antiphon.index.retrieval import RankedChain, find_in_every, rank_chains
from antiphon.index.store import Store
from antiphon.index.view import ALL, Filters, IndexView
from antiphon.models.protocol import Embedder
from antiphon.types import Modality

_SHORTEST_S = 0.02


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search.

    Attributes
    ----------
    top : int
        Largest number of matches. They are the best match of each file, and where there are fewer files than `top`,
        further matches in them.
    by_work : bool
        Give the best match of each work and no others.
    repeats : bool
        Give the best matches in any file, at most 40.
    against : {"audio", "notes"}, optional
        Modality to search; by default the other one than that of the query, or the same where the index contains no
        other.
    filters : Filters
        Leave recordings out, as if they were not in the index.
    transpose : bool
        Search up to 6 semitones above and below the library as well, and correct the tuning of the query.

    Raises
    ------
    AntiphonError
        `top` is below 1, or `by_work` is combined with `repeats`.

    Examples
    --------
    >>> import antiphon
    >>> antiphon.SearchOptions(top=3, by_work=True).repeats
    False
    """

    top: int = 10
    by_work: bool = False
    repeats: bool = False
    against: Modality | None = None
    filters: Filters = ALL
    transpose: bool = False

    def __post_init__(self) -> None:
        COUNT.check("top", self.top)
        if self.by_work and self.repeats:
            raise AntiphonError("by_work gives one match for each work, repeats gives several: choose one")


DEFAULT = SearchOptions()


def search(
    query: Source,
    store: Store,
    embedder: Embedder,
    start_s: float = 0.0,
    length_s: float | None = None,
    options: SearchOptions = DEFAULT,
) -> list[Match]:
    """Search for a query of 3 s or more, or a stretch of it; the matches are in descending order of confidence.

    Audio files that cannot be read any more are not found. A match with a confidence below `LIKELY` is more likely
    false than true. Raises `UnreadableInput` for a query that cannot be used, `AntiphonError` for filters that leave no
    recording.
    """
    against = options.against or default_modality(kind_of(query), store.counts())
    store.check_model(embedder)
    return search_library(query, store.library(against), embedder, start_s, length_s, options)


def default_modality(kind: Modality, held: Container[Modality]) -> Modality:
    """The other modality than that of the query, or the same where the index contains no other."""
    other: Modality = "notes" if kind == "audio" else "audio"
    return other if other in held else kind


def search_library(
    query: Source,
    library: IndexView,
    embedder: Embedder,
    start_s: float = 0.0,
    length_s: float | None = None,
    options: SearchOptions = DEFAULT,
) -> list[Match]:
    """Search one modality of an index; any number of threads may search it at the same time. See `search`."""
    opened = open_query(query, embedder, start_s, length_s, retune=options.transpose)
    among = None if options.filters == ALL else library.among(options.filters)
    how = among, options.transpose
    if options.repeats:
        best = rank_chains(opened, library, embedder, *how)[: options.top]
    else:
        group_of = library.work_of if options.by_work else library.paths.__getitem__
        found = find_in_every(opened, library, embedder, group_of, options.top, *how)
        best = _best_of_each(found, group_of, options)
    return [_match(ranked, opened, start_s, library, embedder) for ranked in best]


def _best_of_each(
    found: Sequence[RankedChain], group_of: Callable[[int], str], options: SearchOptions
) -> list[RankedChain]:
    """The best chain of each group, then others unless `by_work`; `top` of them, by descending evidence."""
    firsts: dict[str, RankedChain] = {}
    for ranked in found:
        firsts.setdefault(group_of(ranked.chain[0].recording), ranked)
    chosen = list(firsts.values())
    if not options.by_work:
        kept = set(map(id, chosen))
        chosen += [ranked for ranked in found if id(ranked) not in kept]
    return sorted(chosen[: options.top], key=lambda one: -one.evidence)


def _match(ranked: RankedChain, query: Query, start_s: float, library: IndexView, embedder: Embedder) -> Match:
    chain, sure = ranked.chain, confidence(ranked.evidence)
    recording = chain[0].recording
    about = library.describe_recording(recording)
    ends = _stretches(chain, float(library.duration_s[recording]))
    if sure >= LIKELY:
        with suppress(UnreadableInput):  # moved or removed meanwhile
            ends = ends_of_chain(chain, query, library, embedder)
    (query_start_s, begins_s), (query_end_s, stops_s) = ends
    return Match(
        file=library.paths[recording],
        start_s=round(begins_s, 3),
        end_s=round(stops_s, 3),
        query_start_s=round(start_s + query_start_s * query.speed, 3),
        query_end_s=round(start_s + query_end_s * query.speed, 3),
        tempo=round(_tempo(chain) / query.speed, 4),
        semitones=chain[0].semitones,
        score=round(sum(link.score for link in chain) / len(chain), 4),
        confidence=round(sure, 4),
        work=about.work,
        composer=about.composer,
        title=about.title,
        gone=presence(library.paths[recording]) == "gone",
    )


def _tempo(chain: Chain) -> float:
    """The mean tempo of a chain."""
    first, last = chain[0], chain[-1]
    return (last.end_s - first.start_s) / (last.query_s + last.length_s - first.query_s)


def _stretches(chain: Chain, duration_s: float) -> Ends:
    """The stretches of the query in the chain, without those beyond the beginning or the end of the recording."""
    first, last = chain[0], chain[-1]
    begin_s, end_s = first.query_s, last.query_s + last.length_s
    tempo = _tempo(chain)
    before_s, beyond_s = max(0.0, -first.start_s) / tempo, max(0.0, last.end_s - duration_s) / tempo
    begin_s, end_s = begin_s + before_s, max(end_s - beyond_s, begin_s + before_s + _SHORTEST_S)
    start_s = first.start_s + before_s * tempo
    return (begin_s, start_s), (end_s, start_s + (end_s - begin_s) * tempo)
