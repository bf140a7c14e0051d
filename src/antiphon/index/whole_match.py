"""The match of a whole recording with one note file: a warping path through the matches of its excerpts.

The path reaches as far as the onsets of both sides agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from antiphon.alignment.chaining import Link, chains
from antiphon.alignment.dtw import Anchor, Warp, warp_through
from antiphon.alignment.ends import Side, ends_of_match
from antiphon.alignment.onset_features import FRAME_HZ
from antiphon.index.excerpts import EXCERPT_S, ExcerptMatches
from antiphon.index.match import Match
from antiphon.index.metadata import FileMetadata
from antiphon.index.query import NoteQuery, Query, end_before_a_pause, open_query
from antiphon.io.note_files import read_notes
from antiphon.models.protocol import Embedder
from antiphon.signal.onsets import BANDS
from antiphon.signal.onsets import transpose as transpose_frames

_BAND_S = 1.5
_SOUND_AT_ONCE_S, _NOTES_AT_ONCE_S = 60.0, 1800.0


@dataclass(frozen=True, eq=False)
class WholeMatch:
    """A match of a whole recording; `path` maps seconds of the recording to seconds of the note file."""

    match: Match
    path: Warp


def match_whole(
    found: ExcerptMatches, file: str, about: FileMetadata, confidence: float, embedder: Embedder, transpose: bool
) -> WholeMatch:
    """Align a recording with a file that at least one of its excerpts matches.

    Raises `UnreadableInput` when either file cannot be read any more.
    """
    query = open_query(found.recording, embedder, retune=transpose)
    anchors, semitones = _anchors(found, file, query.speed)
    own = _side(query, semitones, _SOUND_AT_ONCE_S)
    notes = read_notes(file)
    end_s, _ = end_before_a_pause(notes, anchors[-1].library_s)
    known = _side(NoteQuery(notes, end_s + 1.0, embedder), 0, _NOTES_AT_ONCE_S)
    path = warp_through(own.frames, known.frames, 0.0, anchors, _BAND_S)
    ends_s = ends_of_match(own, known, path, _around(anchors))
    # The query may have been retuned; from here on, seconds are those of the recording.
    path = Warp(path.query_s * query.speed, path.library_s)
    begin_s, end_s = (moment * query.speed for moment in ends_s)
    start_s, stop_s = (float(path.at(moment)) for moment in (begin_s, end_s))
    match = Match(
        file=file,
        query_start_s=round(begin_s, 3),
        query_end_s=round(end_s, 3),
        start_s=round(start_s, 3),
        end_s=round(stop_s, 3),
        tempo=round((stop_s - start_s) / max(end_s - begin_s, 1 / FRAME_HZ), 4),
        semitones=semitones,
        score=round(found.mean("score")[file], 4),
        confidence=round(confidence, 4),
        work=about.work,
        composer=about.composer,
        title=about.title,
    )
    return WholeMatch(match, path)


def _side(query: Query, semitones: int, at_once_s: float) -> Side:
    """A whole query in the key of the file, part by part: the spectrum of an hour would not fit into memory, while its
    frames take 70 MB.
    """
    count = round(query.duration_s * FRAME_HZ)
    frames, levels = np.empty((count, BANDS), np.float32), np.empty(count, np.float32)
    done = 0
    for begin_s in np.arange(0.0, query.duration_s - 1 / FRAME_HZ, at_once_s).tolist():
        edges = begin_s, min(begin_s + at_once_s, query.duration_s)
        part = transpose_frames(query.frames(*edges), -semitones)[: count - done]
        frames[done : done + len(part)] = part
        levels[done : done + len(part)] = query.levels(*edges)[: len(part)]
        done += len(part)
    return Side(frames[:done], levels[:done])


def _anchors(found: ExcerptMatches, file: str, speed: float) -> tuple[list[Anchor], int]:
    """The middles of the best chain of matches, at most one for each excerpt, and their transposition."""
    links = []
    for number, matches in enumerate(found.excerpts):
        for match in matches:
            length_s = max(match.query_end_s - match.query_start_s, 1 / FRAME_HZ)
            if match.file == file:
                candidate = (0, match.semitones, match.start_s, match.tempo)
                links.append(Link(number, match.query_start_s, length_s, *candidate, match.score, match.confidence))
    best = chains(links, 1)[0]
    middles = [(link.query_s + link.length_s / 2, (link.start_s + link.end_s) / 2, link.tempo) for link in best]
    return [Anchor(at_s / speed, there_s, tempo * speed) for at_s, there_s, tempo in middles], best[0].semitones


def _around(anchors: Sequence[Anchor]) -> tuple[float, float]:
    """The part of the query around the anchors, half an excerpt to both sides."""
    return max(0.0, anchors[0].query_s - EXCERPT_S / 2), anchors[-1].query_s + EXCERPT_S / 2
