"""The match of a whole recording with one note file: a warping path through the matches of its excerpts.

The path reaches as far as the onsets of both sides agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.chaining import Link, chains
from antiphon.alignment.dtw import AGREEMENT_HZ, Anchor, Warp, agreement, warp_through
from antiphon.alignment.onset_features import FRAME_HZ, note_frames
from antiphon.index.excerpts import EXCERPT_S, ExcerptMatches
from antiphon.index.match import Match
from antiphon.index.metadata import FileMetadata
from antiphon.index.query import open_query
from antiphon.io.note_files import read_notes
from antiphon.models.protocol import Embedder
from antiphon.signal.onsets import BANDS, Frames
from antiphon.signal.onsets import transpose as transpose_frames

_BAND_S = 1.5
_AGREEMENT = 0.4  # share of the usual agreement near the excerpts; unrelated music reaches half as much
_DISAGREEMENT_S = 8.0  # the match ends where there is no agreement for this long
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
    frames = _frames(
        lambda *edges: transpose_frames(query.frames(*edges), -semitones), query.duration_s, _SOUND_AT_ONCE_S
    )
    notes = read_notes(file)
    known = _frames(partial(note_frames, notes), notes.end_s + 1.0, _NOTES_AT_ONCE_S)
    path = warp_through(frames, known, 0.0, anchors, _BAND_S)
    agreed_s = _agreed_s(frames, known, path, anchors)
    # The query may have been retuned; from here on, seconds are those of the recording.
    path = Warp(path.query_s * query.speed, path.library_s)
    begin_s = max(0.0, float(path.inverse(0.0)), agreed_s[0] * query.speed)
    end_s = max(begin_s, min(found.duration_s, float(path.inverse(notes.end_s)), agreed_s[1] * query.speed))
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


def _frames(frames_between: Callable[[float, float], Frames], length_s: float, at_once_s: float) -> Frames:
    """Onset frames from second 0 to `length_s`, computed part by part: the spectrum of an hour would not fit into
    memory, while its frames take 70 MB.
    """
    frames = np.empty((round(length_s * FRAME_HZ), BANDS), np.float32)
    done = 0
    for begin_s in np.arange(0.0, length_s - 1 / FRAME_HZ, at_once_s).tolist():
        part = frames_between(begin_s, min(begin_s + at_once_s, length_s))
        frames[done : done + len(part)] = part[: len(frames) - done]
        done += len(part)
    return frames[:done]


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


def _agreed_s(frames: Frames, known: Frames, path: Warp, anchors: Sequence[Anchor]) -> tuple[float, float]:
    """Start and end of the agreement of both sides along a path, outwards from the anchors, in query seconds."""
    cosine = agreement(frames, known, 0.0, path)
    time_s = np.arange(len(cosine)) / AGREEMENT_HZ
    near = [np.abs(time_s - anchor.query_s) <= EXCERPT_S / 2 for anchor in anchors]
    usual = np.median(np.nan_to_num(cosine[np.logical_or.reduce(near)]))
    agrees = np.isnan(cosine) | (cosine >= _AGREEMENT * usual)
    first_s, last_s = anchors[0].query_s, anchors[-1].query_s
    before, after = agrees[time_s < first_s][::-1], agrees[time_s > last_s]
    return first_s - _agreement_length_s(before), last_s + _agreement_length_s(after)


def _agreement_length_s(agrees: NDArray[np.bool_]) -> float:
    """Length of the agreement from the first value on; interruptions shorter than 8 s do not end it."""
    most = round(_DISAGREEMENT_S * AGREEMENT_HZ)
    interruption = 0
    for number, value in enumerate(agrees):
        interruption = 0 if value else interruption + 1
        if interruption == most:
            return (number + 1 - most) / AGREEMENT_HZ
    return math.inf
