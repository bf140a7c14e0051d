"""Find a query in a library: chains of fits through its recordings, and what speaks for each.

A query is cut into stretches. The windows of a stretch ask for their neighbours in the library, heard at several tempi,
and vote for places (`matching.places`). Around each place both sides' onsets are compared along lines of constant
tempo (`matching.fits`): that settles place and tempo to a few hundredths of a second, and tells music from coincidence
(`matching.weights`). Stretches that follow each other make a chain (`matching.chains`). Where a first look finds
nothing likely, a second and slower one decides (`matching.looks`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.candidates import Candidate, vote
from antiphon.alignment.chaining import Chain, chains
from antiphon.alignment.confidence import LIKELY, confidence, evidence_for
from antiphon.alignment.local_alignment import LocalAlignment, TempoSearch, region_s
from antiphon.alignment.onset_features import note_frames
from antiphon.alignment.passes import FIRST, SECOND, SearchPass
from antiphon.alignment.score_normalisation import chance_score, normalised_links
from antiphon.errors import UnreadableInput
from antiphon.index.query import Query, audio_frames, kind_of
from antiphon.index.view import IndexView
from antiphon.models.protocol import Embedder
from antiphon.signal.onsets import Frames
from antiphon.signal.onsets import transpose as transpose_frames
from antiphon.types import AS_RECORDED, Playback

TRANSPOSITIONS = range(-6, 7)
_TRANSPOSED_SHARE = 0.4
"""Of the places that are looked at in the query's own key, how many in each other one."""
_NEAREST = 100
_REPEATS = 40
"""Chains through one recording, at most."""
_FEW_WINDOWS_S = 2.0
"""A stretch that is less than this longer than a window is heard twice as often, by windows that reach out of it."""
_BEYOND_S = 0.5
"""How far they do: one window alone may be half a second off all of the library's."""

_Rows = NDArray[np.bool_] | None
"""True for the rows of a library to compare [n], None for all."""


@dataclass(frozen=True)
class RankedChain:
    """A chain through a recording, for a query of so many stretches."""

    chain: Chain
    stretches: int

    @cached_property
    def evidence(self) -> float:
        """Log odds that it is the query's music."""
        return evidence_for(self.chain, self.stretches)


def rank_chains(
    query: Query,
    library: IndexView,
    embedder: Embedder,
    among: NDArray[np.bool_] | None = None,
    transpose: bool = False,
) -> list[RankedChain]:
    """The likeliest first, through the recordings that `among` [recordings] is True for (all).

    A pass compares a limited number of places, most of them in the recordings nearest to the query, so the rest of the
    library may have no candidate; see `find_in_every`.
    """
    return _best_look(query, library, embedder, among, transpose)[0]


def find_in_every(
    query: Query,
    library: IndexView,
    embedder: Embedder,
    group_of: Callable[[int], Hashable],
    groups: int,
    among: NDArray[np.bool_] | None = None,
    transpose: bool = False,
) -> list[RankedChain]:
    """Like `rank_chains`, until there are candidates in so many groups of recordings, or in all that there are.

    `group_of` names the group of a recording. While there are too few groups, the recordings without a candidate are
    searched alone; what is chance was measured before, over the whole library. So no candidate's confidence depends on
    `groups`.
    """
    found, looking = _best_look(query, library, embedder, among, transpose)
    left = np.ones(len(library.paths), bool) if among is None else among.copy()
    more = found
    while more:
        left[[candidate.chain[0].recording for candidate in more]] = False
        if not left.any() or len({group_of(candidate.chain[0].recording) for candidate in found}) >= groups:
            break
        more = looking.candidates(left)
        found = sorted([*found, *more], key=lambda one: -one.evidence)
    return found


def _best_look(
    query: Query, library: IndexView, embedder: Embedder, among: NDArray[np.bool_] | None, transpose: bool
) -> tuple[list[RankedChain], _SearchPassRun]:
    """The candidates of the look that finds the likeliest, and that look."""
    first = _SearchPassRun(FIRST, query, library, embedder, transpose)
    found, best = first.candidates(among), first
    if not found or confidence(found[0].evidence) < LIKELY:
        second = _SearchPassRun(SECOND, query, library, embedder, transpose)
        candidates = second.candidates(among)
        if candidates and (not found or candidates[0].evidence > found[0].evidence):
            found, best = candidates, second
    return found, best


class _SearchPassRun:
    """One look for a query. It keeps what it has measured of chance when it is used again for other recordings."""

    def __init__(
        self, search_pass: SearchPass, query: Query, library: IndexView, embedder: Embedder, transpose: bool
    ) -> None:
        self._query = query
        self._library = library
        self._embedder = embedder
        self._heard = _ways_to_hear(search_pass, embedder, transpose)
        self._stretches = search_pass.stretches(query.duration_s)
        self._chance: dict[int, float] = {}

    def candidates(self, among: NDArray[np.bool_] | None) -> list[RankedChain]:
        """The best chains of each recording that `among` [recordings] is True for (all), the likeliest first."""
        rows = None if among is None else self._library.rows_of(among)
        length_s = self._query.duration_s / self._stretches
        links = []
        for stretch in range(self._stretches):
            begin_s = stretch * length_s
            found = list(self._fits(begin_s, length_s, rows))
            chance = self._chance.setdefault(stretch, chance_score(found))
            links += normalised_links(stretch, begin_s, length_s, found, chance)
        candidates = [RankedChain(chain, self._stretches) for chain in chains(links, _REPEATS)]
        return sorted(candidates, key=lambda one: -one.evidence)

    def _fits(self, begin_s: float, length_s: float, rows: _Rows) -> Iterator[tuple[Candidate, LocalAlignment]]:
        """Where one stretch may be, with the best line there."""
        frames = self._query.frames(begin_s, begin_s + length_s)
        by_way: dict[tuple[float, int], list[Candidate]] = defaultdict(list)
        for place in self._places(begin_s, length_s, rows):
            by_way[place.tempo, place.semitones].append(place)
        for (tempo, semitones), places in by_way.items():
            kept, regions, begins_s = [], [], []
            for place in places:
                region = region_s(place.start_s, length_s, tempo)
                try:
                    regions.append(self._known(place.recording, *region))
                except UnreadableInput:  # moved or removed since the index was built
                    continue
                kept.append(place)
                begins_s.append(region[0])
            fits = TempoSearch(transpose_frames(frames, -semitones), tempo).align(regions, begins_s)
            yield from zip(kept, fits, strict=True)

    def _known(self, recording: int, begin_s: float, end_s: float) -> Frames:
        """Onset frames of a library's file. Raises `UnreadableInput` where it is not there any more."""
        path = Path(self._library.paths[recording])
        if kind_of(path) == "audio":
            return audio_frames(path, self._embedder.sample_rate_hz, begin_s, end_s)
        if not path.exists():
            raise UnreadableInput(path, "no such file")
        return note_frames(self._library.onsets_in(recording), begin_s, end_s)

    def _places(self, begin_s: float, length_s: float, rows: _Rows) -> list[Candidate]:
        """Where the windows of a stretch lead to, heard in every way."""
        windows_s, vectors = [], []
        for playback, _ in self._heard:
            last_s = max(0.0, length_s - self._embedder.window_s * playback.tempo)
            hop_s = self._embedder.query_hop_s * (1 if playback == AS_RECORDED else 2 * playback.tempo)
            beyond_s = 0.0
            if last_s < _FEW_WINDOWS_S:
                hop_s, beyond_s = hop_s / 2, _BEYOND_S
            window_s = np.arange(-beyond_s, last_s + beyond_s + 1e-9, hop_s)
            embedded = self._query.embed(begin_s + window_s, playback)
            sounding = np.any(embedded, axis=1)
            windows_s.append(window_s[sounding])
            vectors.append(embedded[sounding])
        cosine, row = self._library.neighbours.nearest(np.concatenate(vectors), _NEAREST, rows)
        recording = np.where(row < 0, -1, np.searchsorted(self._library.offset, row, side="right") - 1)
        ends = np.cumsum([len(window_s) for window_s in windows_s])
        places: list[Candidate] = []
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


def _ways_to_hear(search_pass: SearchPass, embedder: Embedder, transpose: bool) -> list[tuple[Playback, int]]:
    """The playbacks to try, and the most places to look at for each."""
    if not embedder.elastic:
        return [(AS_RECORDED, search_pass.candidates[1.0])]
    heard = [(Playback(tempo), most) for tempo, most in search_pass.candidates.items()]
    if transpose:
        others = [semitones for semitones in TRANSPOSITIONS if semitones]
        heard += [
            (Playback(tempo, other), round(_TRANSPOSED_SHARE * most))
            for tempo, most in search_pass.candidates.items()
            for other in others
        ]
    return heard
