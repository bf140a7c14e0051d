"""The ends of a search's match: a warping path near the ends of its chain, and the agreement along it.

A chain consists of whole stretches of the query. Its first and last stretch may lie partly outside of the common music,
and a stretch outside of the chain partly within.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from antiphon.alignment.chaining import Chain, Link
from antiphon.alignment.dtw import Anchor, warp_through
from antiphon.alignment.ends import Side, ends_of_match
from antiphon.alignment.onset_features import note_frames, sound_frames
from antiphon.alignment.sound_levels import note_levels, sound_levels
from antiphon.index.query import Query, audio_part, kind_of
from antiphon.index.view import IndexView
from antiphon.models.protocol import Embedder
from antiphon.signal.onsets import transpose as transpose_frames

_REACH = 1.5
"""Stretches beyond the ends of a chain in which the match may begin or end."""
_AT_ONCE_S = 60.0
_BAND_S = 1.0
_MARGIN_S = 3.0

Ends = tuple[tuple[float, float], tuple[float, float]]
"""A moment of the query and the same moment of the library file, for the start and for the end, in seconds."""


def ends_of_chain(chain: Chain, query: Query, library: IndexView, embedder: Embedder) -> Ends:
    """The ends of the match that a chain is part of.

    Raises `UnreadableInput` when the library file cannot be read any more.
    """
    first, last = chain[0], chain[-1]
    if last.query_s + last.length_s - first.query_s <= _AT_ONCE_S:
        return _ends_near(chain, query, library, embedder)
    begin, end = (_ends_near(part, query, library, embedder) for part in (chain[:1], chain[-1:]))
    return begin[0], end[1]


def _ends_near(links: Sequence[Link], query: Query, library: IndexView, embedder: Embedder) -> Ends:
    """The ends of the match as far as they lie near these consecutive links."""
    first, last = links[0], links[-1]
    inner_s = first.query_s, last.query_s + last.length_s
    reach_s = _REACH * first.length_s
    begin_s, end_s = max(0.0, inner_s[0] - reach_s), min(query.duration_s, inner_s[1] + reach_s)
    anchors = [
        Anchor(link.query_s + link.length_s / 2 - begin_s, (link.start_s + link.end_s) / 2, link.tempo)
        for link in links
    ]
    there_s = (
        first.start_s - first.tempo * (inner_s[0] - begin_s) - _MARGIN_S,
        last.end_s + last.tempo * (end_s - inner_s[1]) + _MARGIN_S,
    )
    known = _library_side(library, first.recording, embedder.sample_rate_hz, *there_s)
    frames = transpose_frames(query.frames(begin_s, end_s), -first.semitones)
    path = warp_through(frames, known.frames, known.begin_s, anchors, _BAND_S)
    own = Side(frames, query.levels(begin_s, end_s))
    found_s = ends_of_match(own, known, path, (inner_s[0] - begin_s, inner_s[1] - begin_s))
    start, end = ((begin_s + at_s, float(path.at(at_s))) for at_s in found_s)
    return start, end


def _library_side(library: IndexView, recording: int, sample_rate_hz: int, begin_s: float, end_s: float) -> Side:
    path = Path(library.paths[recording])
    if kind_of(path) == "audio":
        samples, first_s = audio_part(path, sample_rate_hz, begin_s, end_s)
        part = samples, sample_rate_hz, begin_s - first_s, end_s - first_s
        return Side(sound_frames(*part), sound_levels(*part), begin_s)
    notes = library.onsets_in(recording)
    levels = note_levels(notes.onset_s, float(library.duration_s[recording]), begin_s, end_s)
    return Side(note_frames(notes, begin_s, end_s), levels, begin_s)
