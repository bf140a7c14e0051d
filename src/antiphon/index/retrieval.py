"""Find a query in a library: chains of local alignments through its recordings, with the evidence of each.

A query is cut into stretches. The windows of a stretch, embedded at several tempi, vote by their nearest neighbours in
the library for candidates (`alignment.candidates`). At each candidate the onsets of query and library are compared
along lines of constant tempo (`alignment.local_alignment`), which gives position and tempo to a few hundredths of a
second, and their score is compared with that of chance (`alignment.score_normalisation`). Alignments of consecutive
stretches make a chain (`alignment.chaining`). A stretch with too little to compare is skipped (`alignment.content`).
Where the first search pass finds nothing likely, a second, slower one runs (`alignment.passes`).
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
from antiphon.alignment.chaining import Chain, ChainLinks
from antiphon.alignment.confidence import LIKELY, confidence, evidence_for
from antiphon.alignment.content import content_of
from antiphon.alignment.local_alignment import LocalAlignment, TempoSearch, region_s
from antiphon.alignment.onset_features import note_frames
from antiphon.alignment.passes import FIRST, SECOND, SearchPass
from antiphon.alignment.score_normalisation import chance_score, normalised_links
from antiphon.errors import UnreadableInput
from antiphon.index.query import NoteQuery, Query, audio_frames, kind_of
from antiphon.index.view import IndexView
from antiphon.models.protocol import Embedder
from antiphon.signal.onsets import Frames
from antiphon.signal.onsets import transpose as transpose_frames
from antiphon.types import AS_RECORDED, Playback

TRANSPOSITIONS = range(-6, 7)
_TRANSPOSED_SHARE = 0.4
"""Number of candidates in each other key, relative to the query's own key."""
_NEAREST = 100
_HEAVIEST = 40
"""Chains that are ranked by evidence; the lighter ones follow only where groups are missing."""
_FEW_WINDOWS_S = 2.0
"""A stretch less than this longer than a window gets half the hop, and windows that reach beyond it."""
_BEYOND_S = 0.5
"""Reach of these windows: a single window may differ from all windows of the library by half a second."""

_Rows = NDArray[np.bool_] | None
"""True for the rows of a library to compare [n], None for all."""


@dataclass(frozen=True)
class RankedChain:
    """A chain through a recording, for a query of a number of stretches, of notes or of sound."""

    chain: Chain
    stretches: int
    of_notes: bool

    @cached_property
    def evidence(self) -> float:
        """Log odds that it is the music of the query."""
        return evidence_for(self.chain, self.stretches, self.of_notes)


def rank_chains(
    query: Query,
    library: IndexView,
    embedder: Embedder,
    among: NDArray[np.bool_] | None = None,
    transpose: bool = False,
) -> list[RankedChain]:
    """At most 40 chains in descending order of evidence, through the recordings for which `among` [recordings] is True
    (all).

    Most of them may lie in a few recordings, and other recordings may have none; see `find_in_every`.
    """
    return _best_pass(query, library, embedder, among, transpose)[0]


def find_in_every(
    query: Query,
    library: IndexView,
    embedder: Embedder,
    group_of: Callable[[int], Hashable],
    groups: int,
    among: NDArray[np.bool_] | None = None,
    transpose: bool = False,
) -> list[RankedChain]:
    """Like `rank_chains`, until there are chains in `groups` groups of recordings, or in all groups.

    `group_of` names the group of a recording. While there are too few groups, the recordings without a chain are
    searched alone, with the chance level that was measured over the whole library. So no confidence depends on
    `groups`.
    """
    found, others, used = _best_pass(query, library, embedder, among, transpose)
    left = np.ones(len(library.paths), bool) if among is None else among.copy()
    more = others
    while len({group_of(one.chain[0].recording) for one in found}) < groups:
        found = sorted([*found, *more], key=lambda one: -one.evidence)
        left[[one.chain[0].recording for one in found]] = False
        if not left.any():
            break
        more = [one for part in used.ranked(left) for one in part]
        if not more:
            break
    return found


def _best_pass(
    query: Query, library: IndexView, embedder: Embedder, among: NDArray[np.bool_] | None, transpose: bool
) -> tuple[list[RankedChain], list[RankedChain], _SearchPassRun]:
    """Both parts of the chains of the search pass with the greatest evidence, and that pass."""
    best = _SearchPassRun(FIRST, query, library, embedder, transpose)
    found, others = best.ranked(among)
    if not found or confidence(found[0].evidence) < LIKELY:
        second = _SearchPassRun(SECOND, query, library, embedder, transpose)
        ranked, rest = second.ranked(among)
        if ranked and (not found or ranked[0].evidence > found[0].evidence):
            found, others, best = ranked, rest, second
    return found, others, best


class _SearchPassRun:
    """One search pass for a query. It keeps the chance level that it measured, for use with other recordings."""

    def __init__(
        self, search_pass: SearchPass, query: Query, library: IndexView, embedder: Embedder, transpose: bool
    ) -> None:
        self._query = query
        self._library = library
        self._embedder = embedder
        self._playbacks = _playbacks_of(search_pass, embedder, transpose)
        self._stretches = search_pass.stretches(query.duration_s)
        self._chance: dict[int, float] = {}

    def ranked(self, among: NDArray[np.bool_] | None) -> tuple[list[RankedChain], list[RankedChain]]:
        """The 40 heaviest chains through the recordings for which `among` [recordings] is True (all), by descending
        evidence; and the others. Stretches with too little content are not in any chain.
        """
        rows = None if among is None else self._library.rows_of(among)
        length_s = self._query.duration_s / self._stretches
        links = ChainLinks(_HEAVIEST)
        for stretch in range(self._stretches):
            begin_s = stretch * length_s
            frames = self._query.frames(begin_s, begin_s + length_s)
            if content_of(frames).is_too_little:
                continue
            found = list(self._alignments(begin_s, length_s, frames, rows))
            chance = self._chance.setdefault(stretch, chance_score(found))
            links.add(normalised_links(stretch, begin_s, length_s, found, chance))
        of_notes = isinstance(self._query, NoteQuery)
        ranked = [RankedChain(chain, self._stretches, of_notes) for chain in links.chains()]
        return sorted(ranked[:_HEAVIEST], key=lambda one: -one.evidence), ranked[_HEAVIEST:]

    def _alignments(
        self, begin_s: float, length_s: float, frames: Frames, rows: _Rows
    ) -> Iterator[tuple[Candidate, LocalAlignment]]:
        """The candidates of one stretch with these onset frames, with the local alignment at each."""
        by_playback: dict[tuple[float, int], list[Candidate]] = defaultdict(list)
        for candidate in self._candidates(begin_s, length_s, rows):
            by_playback[candidate.tempo, candidate.semitones].append(candidate)
        for (tempo, semitones), candidates in by_playback.items():
            kept, regions, begins_s = [], [], []
            for candidate in candidates:
                region = region_s(candidate.start_s, length_s, tempo)
                try:
                    regions.append(self._known(candidate.recording, *region))
                except UnreadableInput:  # moved or removed since the index was built
                    continue
                kept.append(candidate)
                begins_s.append(region[0])
            alignments = TempoSearch(transpose_frames(frames, -semitones), tempo).align(regions, begins_s)
            yield from zip(kept, alignments, strict=True)

    def _known(self, recording: int, begin_s: float, end_s: float) -> Frames:
        """Onset frames of a library file. Raises `UnreadableInput` for audio that cannot be read any more."""
        path = Path(self._library.paths[recording])
        if kind_of(path) == "audio":
            return audio_frames(path, self._embedder.sample_rate_hz, begin_s, end_s)
        return note_frames(self._library.onsets_in(recording), begin_s, end_s)

    def _candidates(self, begin_s: float, length_s: float, rows: _Rows) -> list[Candidate]:
        """The candidates for which the windows of a stretch vote, embedded at every playback."""
        windows_s, vectors = [], []
        for playback, _ in self._playbacks:
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
        candidates: list[Candidate] = []
        for (playback, most), window_s, end in zip(self._playbacks, windows_s, ends, strict=True):
            own = slice(end - len(window_s), end)
            if len(window_s):
                candidates += vote(
                    window_s,
                    cosine[own],
                    recording[own],
                    self._library.start_s[row[own]],
                    1 / playback.tempo,
                    -playback.semitones,
                    most,
                )
        return candidates


def _playbacks_of(search_pass: SearchPass, embedder: Embedder, transpose: bool) -> list[tuple[Playback, int]]:
    """The playbacks to embed, and the largest number of candidates for each."""
    if not embedder.elastic:
        return [(AS_RECORDED, search_pass.candidates[1.0])]
    playbacks = [(Playback(tempo), most) for tempo, most in search_pass.candidates.items()]
    if transpose:
        others = [semitones for semitones in TRANSPOSITIONS if semitones]
        playbacks += [
            (Playback(tempo, other), round(_TRANSPOSED_SHARE * most))
            for tempo, most in search_pass.candidates.items()
            for other in others
        ]
    return playbacks
