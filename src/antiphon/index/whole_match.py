"""The match of a whole recording with one note file: an alignment, and the span of both sides that it covers.

The excerpts of the recording say which file it is and in which key; the alignment says from where to where.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from antiphon.alignment.aligning import align_sides, read_side
from antiphon.alignment.alignment_table import Alignment
from antiphon.alignment.dtw import Warp
from antiphon.index.excerpts import ExcerptMatches
from antiphon.index.match import Match
from antiphon.index.metadata import FileMetadata
from antiphon.io.note_files import read_notes

_TOGETHER_S = 0.05
"""Notes of a chord begin within this time."""
_SHORTEST_S = 1e-3
_CUT, _MOST_CUT = 0.5, 3
"""A step of a path at its end that takes less than this share of its time is cut off; and how many steps may be."""


@dataclass(frozen=True, eq=False)
class WholeMatch:
    """A match of a whole recording, which is the query, and the alignment that its times are from."""

    match: Match
    alignment: Alignment


@dataclass(frozen=True)
class Span:
    """From where to where both sides are the same music, in seconds of each, and the tempo as in `Match`."""

    query_start_s: float
    query_end_s: float
    start_s: float
    end_s: float
    tempo: float


def match_whole(found: ExcerptMatches, file: str, about: FileMetadata, confidence: float) -> WholeMatch:
    """Align a recording with a file that at least one of its excerpts matches.

    Where no path is found, the match is that of the excerpt with the highest score. Raises `UnreadableInput` when
    either file cannot be read any more.
    """
    matches = [match for excerpt in found.excerpts for match in excerpt if match.file == file]
    played, notes = read_side(found.recording), read_notes(file, sustain=True)
    alignment = align_sides(played, notes, str(found.recording), file, (_semitones(matches),))
    if alignment.path:
        span, semitones = span_of(alignment, played.duration_s), alignment.semitones
    else:
        best = max(matches, key=lambda match: match.score)
        span = Span(best.query_start_s, best.query_end_s, best.start_s, best.end_s, best.tempo)
        semitones = best.semitones
    match = Match(
        file=file,
        query_start_s=round(span.query_start_s, 3),
        query_end_s=round(span.query_end_s, 3),
        start_s=round(span.start_s, 3),
        end_s=round(span.end_s, 3),
        tempo=round(span.tempo, 4),
        semitones=semitones,
        score=round(found.mean("score")[file], 4),
        confidence=round(confidence, 4),
        work=about.work,
        composer=about.composer,
        title=about.title,
    )
    return WholeMatch(match, alignment)


def _semitones(matches: list[Match]) -> int:
    """The transposition that the excerpts are surest of."""
    total: dict[int, float] = defaultdict(float)
    for match in matches:
        total[match.semitones] += match.confidence
    return max(total, key=lambda semitones: (total[semitones], -abs(semitones)))


def span_of(alignment: Alignment, duration_s: float) -> Span:
    """The span of an alignment with a path, in a recording of that duration.

    It begins with the first note, or with the recording where that is cut off while notes sound. It ends where the last
    notes end, where the next note should begin, or with the recording.
    """
    begins = [_begin(alignment, warp) if number == 0 else _edge(warp, 0) for number, warp in enumerate(alignment.path)]
    ends = [_end(alignment, warp, duration_s) for warp in alignment.path]
    here_s = sum(float(np.ptp(warp.query_s)) for warp in alignment.path)
    there_s = sum(float(np.ptp(warp.library_s)) for warp in alignment.path)
    return Span(
        query_start_s=min(there for _, there in begins),
        query_end_s=max(there for _, there in ends),
        start_s=min(here for here, _ in begins),
        end_s=max(here for here, _ in ends),
        tempo=here_s / max(there_s, _SHORTEST_S),
    )


def _edge(warp: Warp, end: int) -> tuple[float, float]:
    """An end of a stretch, 0 or −1, in seconds of the notes and of the recording.

    Where a recording is cut off, the notes that sound there seem to begin or end with it. Its first and last moment
    then follow from the tempo.
    """
    step = 1 if end == 0 else -1
    here, there = warp.query_s[::step], warp.library_s[::step]
    tempo = abs(float((there[-1] - there[0]) / (here[-1] - here[0])))
    at = 0
    while at < min(_MOST_CUT, len(here) - 2) and abs(there[at + 1] - there[at]) < _CUT * tempo * abs(
        here[at + 1] - here[at]
    ):
        at += 1
    return float(here[at] - (there[at] - there[0]) / tempo), float(there[0])


def _begin(alignment: Alignment, warp: Warp) -> tuple[float, float]:
    """The begin of the first stretch, in seconds of the notes and of the recording."""
    first_s, there_s = _edge(warp, 0)
    cut_s = float(warp.inverse(0.0))
    onset_s, offset_s = alignment.onset_s, alignment.offset_s
    waiting = (onset_s >= cut_s) & (onset_s < first_s - _TOGETHER_S)
    sounding = (onset_s < cut_s) & (offset_s > first_s - _TOGETHER_S)
    return (cut_s, 0.0) if sounding.any() and not waiting.any() else (first_s, there_s)


def _end(alignment: Alignment, warp: Warp, duration_s: float) -> tuple[float, float]:
    """The end of a stretch, in seconds of the notes and of the recording."""
    last_s, there_s = _edge(warp, -1)
    onset_s, offset_s = alignment.onset_s, alignment.offset_s
    played = (onset_s >= warp.query_s[0]) & (onset_s <= last_s + _TOGETHER_S)
    later = onset_s[onset_s > last_s + _TOGETHER_S]
    tempo = float(np.ptp(warp.library_s) / np.ptp(warp.query_s))
    rest_s = max(0.0, min(float(offset_s[played].max(initial=last_s)), float(later.min(initial=np.inf))) - last_s)
    rest_s = min(rest_s, max(0.0, duration_s - there_s) / tempo)
    return last_s + rest_s, min(there_s + rest_s * tempo, duration_s)
