"""Ask an index: which music of the library is this, from where to where, at what tempo, how sure?

A query is cut into stretches of about ten seconds. The windows of a stretch ask for their neighbours in the library,
heard as recorded and a third faster and slower, and vote for places (`matching.places`). Around each place both sides'
onsets are compared along lines of constant tempo (`matching.fits`): that settles place and tempo to a few hundredths of
a second, and tells music from coincidence. Stretches that follow each other make a chain (`matching.chains`), a hit.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.batch import AS_RECORDED, Playback
from antiphon.descriptors import Side
from antiphon.embedding import Embedder
from antiphon.errors import UnreadableInput
from antiphon.index.library import ALL, Filters, Library
from antiphon.index.query import Query, kind_of, library_frames, open_query
from antiphon.index.store import Store
from antiphon.matching.chains import Chain, Link, chains
from antiphon.matching.confidence import confidence, evidence_for
from antiphon.matching.fits import Fit, Lines, region_s
from antiphon.matching.places import Place, vote
from antiphon.onsets import transpose as transpose_frames

LIKELY = 0.5
"""From this confidence on a hit is called found."""
STRETCH_S = 12.0
"""A stretch is at most so long; a query of n · 12 s and less is cut into n equal ones."""
PLAYBACKS: dict[float, int] = {1.0: 40, 1.3: 15, 0.75: 15}
"""How a query is heard, as times its tempo, and how many places are then looked at; a window that was trained for
± 15 % of tempo hears from 0.65 to 1.5 times."""
TRANSPOSITIONS = range(-6, 7)
_PLACES_TRANSPOSED = 6
_NEAREST = 100
_SAME_S = 0.4
_TEMPO_PRIOR, _AS_RECORDED_PRIOR = 0.3, 0.1
_DEVIATIONS = 2.0
_CHAINS = 40


@dataclass(frozen=True)
class Hit:
    """A stretch of a library file that the query matches, and the stretch of the query that does.

    `tempo` is library seconds per query second. `semitones` is how far the query lies above the library. `score` is the
    mean cosine of both sides' onsets along the match. `confidence` is the probability that it is this music.
    `work`, `composer` and `title` are empty where they are not known.
    """

    file: str
    start_s: float
    end_s: float
    query_start_s: float
    query_end_s: float
    tempo: float
    semitones: int
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
    transpose: bool = False,
) -> list[Hit]:
    """Best hits first for a file of 3 s or more, or a stretch of it; several of one recording where it repeats.

    `against` names what to search; by default the other kind than the query's, or the query's own where the index
    holds nothing else. `filters` leave recordings out, as if they were not in the index; `by_work` gives at most one
    hit a work. With `transpose` the query may also lie up to 6 semitones above or below the library, and between the
    keys. Library files that cannot be read any more are not found.

    Hits whose confidence is under `LIKELY` are better than nothing, no more. Raises `UnreadableInput` for a query that
    cannot be used, `AntiphonError` for filters that leave nothing.
    """
    kind = kind_of(query)
    if against is None:
        other: Side = "notes" if kind == "audio" else "audio"
        against = other if other in store.counts() else kind
    store.claim(embedder, store.meta("model"), float(store.meta("hop_s")))
    library = store.library(against)
    asked = open_query(query, embedder, start_s, length_s, retune=transpose)
    among = None if filters == ALL else library.among(filters)
    stretches = stretches_of(asked)
    hits = []
    works: set[str] = set()
    for chain in find_chains(asked, library, embedder, among, transpose):
        work = library.work_of(chain[0].recording)
        if not (by_work and work in works):
            works.add(work)
            hits.append(_hit(chain, stretches, asked, start_s, library))
    return hits[:top]


def stretches_of(query: Query) -> int:
    """How many stretches a query is cut into."""
    return max(1, math.ceil(query.duration_s / STRETCH_S - 1e-9))


def find_chains(
    query: Query, library: Library, embedder: Embedder, among: NDArray[np.bool_] | None = None, transpose: bool = False
) -> list[Chain]:
    """Chains through the recordings that `among` [recordings] is True for (all), the most likely first."""
    engine, stretches = _Engine(library, embedder, among, transpose), stretches_of(query)
    links = [link for stretch in range(stretches) for link in engine.links(query, stretch, stretches)]
    return sorted(chains(links, _CHAINS), key=lambda chain: -evidence_for(chain, stretches))


class _Engine:
    """What all stretches of a query are looked for with."""

    def __init__(self, library: Library, embedder: Embedder, among: NDArray[np.bool_] | None, transpose: bool) -> None:
        self._library = library
        self._embedder = embedder
        self._rows = None if among is None else library.rows_of(among)
        self._heard = _ways_to_hear(embedder, transpose)

    def links(self, query: Query, stretch: int, stretches: int) -> Iterator[Link]:
        """Where one stretch fits, at most once at a place, with what each fit speaks for."""
        length_s = query.duration_s / stretches
        begin_s = stretch * length_s
        found = []
        for place, fit in self._fits(query, begin_s, length_s):
            off = abs(math.log(fit.tempo))
            unlikely = _TEMPO_PRIOR * off + _AS_RECORDED_PRIOR * (off > 0.01)
            found.append((place, fit, fit.score - unlikely))
        if not found:
            return
        # What fits of unrelated music reach, as most places are: a median, so that repeats and copies do not count.
        weights = np.array([weight for _, _, weight in found])
        chance = float(np.median(weights))
        chance += _DEVIATIONS * 1.4826 * float(np.median(np.abs(weights - chance)))
        taken: list[tuple[int, float]] = []
        for place, fit, weight in sorted(found, key=lambda one: -one[2]):
            beside = any(
                place.recording == recording and abs(fit.start_s - at_s) < _SAME_S for recording, at_s in taken
            )
            if not beside:
                taken.append((place.recording, fit.start_s))
                yield Link(
                    stretch,
                    begin_s,
                    length_s,
                    place.recording,
                    place.semitones,
                    fit.start_s,
                    fit.tempo,
                    fit.score,
                    max(0.0, weight - chance),
                )

    def _fits(self, query: Query, begin_s: float, length_s: float) -> Iterator[tuple[Place, Fit]]:
        """Where one stretch may be, with the best line there."""
        frames = query.frames(begin_s, begin_s + length_s)
        by_way: dict[tuple[float, int], list[Place]] = defaultdict(list)
        for place in self._places(query, begin_s, length_s):
            by_way[place.tempo, place.semitones].append(place)
        for (tempo, semitones), places in by_way.items():
            kept, regions, begins_s = [], [], []
            for place in places:
                region = region_s(place.start_s, length_s, tempo)
                path = Path(self._library.paths[place.recording])
                try:
                    regions.append(library_frames(path, self._embedder.sample_rate_hz, *region))
                except UnreadableInput:  # moved or removed since the index was built
                    continue
                kept.append(place)
                begins_s.append(region[0])
            fits = Lines(transpose_frames(frames, -semitones), tempo).fit(regions, begins_s)
            yield from zip(kept, fits, strict=True)

    def _places(self, query: Query, begin_s: float, length_s: float) -> list[Place]:
        """Where the windows of a stretch lead to, heard in every way."""
        windows_s, vectors = [], []
        for playback, _ in self._heard:
            last_s = max(0.0, length_s - self._embedder.window_s * playback.tempo)
            hop_s = self._embedder.query_hop_s * (1 if playback == AS_RECORDED else 2)
            window_s = np.arange(0.0, last_s + 1e-9, hop_s)
            embedded = query.embed(begin_s + window_s, playback)
            sounding = np.any(embedded, axis=1)
            windows_s.append(window_s[sounding])
            vectors.append(embedded[sounding])
        cosine, row = self._library.neighbours.nearest(np.concatenate(vectors), _NEAREST, self._rows)
        recording = np.where(row < 0, -1, np.searchsorted(self._library.offset, row, side="right") - 1)
        ends = np.cumsum([len(window_s) for window_s in windows_s])
        places: list[Place] = []
        for (playback, most), window_s, end in zip(self._heard, windows_s, ends, strict=True):
            own = slice(end - len(window_s), end)
            if len(window_s):
                places += vote(
                    window_s,
                    cosine[own],
                    recording[own],
                    self._library.start_s[row[own]],
                    1 / playback.tempo,
                    -playback.semitones,
                    most,
                )
        return places


def _ways_to_hear(embedder: Embedder, transpose: bool) -> list[tuple[Playback, int]]:
    """The playbacks to try, and the most places to look at for each."""
    if not embedder.elastic:
        return [(AS_RECORDED, PLAYBACKS[1.0])]
    heard = [(Playback(tempo), most) for tempo, most in PLAYBACKS.items()]
    if transpose:
        others = [semitones for semitones in TRANSPOSITIONS if semitones]
        heard += [(Playback(tempo, other), _PLACES_TRANSPOSED) for tempo in PLAYBACKS for other in others]
    return heard


def _hit(chain: Chain, stretches: int, query: Query, start_s: float, library: Library) -> Hit:
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
    return Hit(
        file=library.paths[recording],
        start_s=round(begins_s, 3),
        end_s=round(begins_s + (query_s[1] - query_s[0]) * tempo, 3),
        query_start_s=round(start_s + query_s[0] * query.speed, 3),
        query_end_s=round(start_s + query_s[1] * query.speed, 3),
        tempo=round(tempo / query.speed, 4),
        semitones=first.semitones,
        score=round(sum(link.score for link in chain) / len(chain), 4),
        confidence=round(confidence(evidence_for(chain, stretches)), 4),
        work=about.work,
        composer=about.composer,
        title=about.title,
    )
