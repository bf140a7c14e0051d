"""The set list of a recording: which pieces of a library it plays, from when to when, and what sounds between them.

Searches say which piece plays when (`antiphon.index.programme`), alignments from where to where
(`antiphon.index.played`), and the onsets that are detected what the rest is (`antiphon.index.between`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.alignment.aligning import read_side
from antiphon.alignment.confidence import confidence
from antiphon.alignment.sound_levels import Levels
from antiphon.checks import check_path
from antiphon.errors import UnreadableInput, warn_input
from antiphon.index.between import Between, name_gaps
from antiphon.index.library import Index
from antiphon.index.match import MATCH_FIELDS, Match
from antiphon.index.played import Played, pieces_of
from antiphon.index.programme import Run, find_runs
from antiphon.index.query import Query, open_query
from antiphon.index.set_list_formats import chapters_text, cue_text
from antiphon.index.view import ALL, Filters, IndexView
from antiphon.io.csv_tables import csv_text
from antiphon.io.kinds import modality_of_input
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.types import Modality

_LEVELS_AT_ONCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class SetListPiece(Match):
    """A piece of a set list: the match of a part of the recording, which is the query, with a file of the library.

    The recording plays seconds `start_s` to `end_s` of the file from second `query_start_s` to second `query_end_s`.

    Attributes
    ----------
    confidence : float
        The greatest confidence of a part of the piece, 0 to 1.
    path_confidence : float
        The share of the piece's time, 0 to 1, where its alignment is expected to be right.

    The other attributes are those of `Match`; `tempo` above 1 is faster than the file.

    Examples
    --------
    >>> import antiphon
    >>> times = dict(start_s=0.0, end_s=61.0, query_start_s=5.0, query_end_s=66.0, tempo=1.0)
    >>> piece = antiphon.SetListPiece(
    ...     file="scores/bwv858.mid", **times, semitones=0, score=0.6, confidence=0.99, path_confidence=1.0
    ... )
    >>> piece.name, piece.as_dict()["query_end_s"]
    ('bwv858', 66.0)
    """

    path_confidence: float

    @property
    def name(self) -> str:
        """The composer and the title where they are known, otherwise the name of the file."""
        return ": ".join(filter(None, (self.composer, self.title))) if self.title else Path(self.file).stem

    def as_dict(self) -> dict[str, Any]:
        """The piece as JSON."""
        return super().as_dict() | {"path_confidence": self.path_confidence}


_LINE_FIELDS = ("kind", *MATCH_FIELDS, "path_confidence")


@dataclass(frozen=True, repr=False)
class SetList:
    """The pieces of a recording in order of time, which iterating yields, without overlaps.

    Attributes
    ----------
    recording : str
        Path of the recording.
    duration_s : float
        Its length in seconds.
    pieces : tuple of SetListPiece
        A piece that is played twice, with a pause or another piece between, is two of them. A passage that is repeated
        inside of a piece belongs to it.
    between : tuple of Between
        The silence, noise and other music before, between and after the pieces.

    Examples
    --------
    >>> import antiphon
    >>> gap = antiphon.Between("silence", 0.0, 60.0)
    >>> found = antiphon.SetList("tape.flac", 60.0, (), (gap,))
    >>> len(found), [line.kind for line in found.between]
    (0, ['silence'])
    >>> found.to_cue().splitlines()[0]
    'FILE "tape.flac" WAVE'
    """

    recording: str
    duration_s: float
    pieces: tuple[SetListPiece, ...]
    between: tuple[Between, ...]

    def __repr__(self) -> str:
        return f"<SetList of {self.recording}: {len(self.pieces)} pieces in {self.duration_s:.0f} s>"

    def __iter__(self) -> Iterator[SetListPiece]:
        return iter(self.pieces)

    def __len__(self) -> int:
        return len(self.pieces)

    def lines(self) -> list[SetListPiece | Between]:
        """The pieces and what is between them, in order of time."""
        found: list[SetListPiece | Between] = [*self.pieces, *self.between]
        return sorted(found, key=_begin_s)

    def as_dict(self) -> dict[str, Any]:
        """The set list as JSON."""
        return {
            "recording": self.recording,
            "duration_s": round(self.duration_s, 3),
            "pieces": [piece.as_dict() for piece in self.pieces],
            "between": [gap.as_dict() for gap in self.between],
        }

    def to_json(self) -> str:
        """`as_dict` as JSON text."""
        return json.dumps(self.as_dict(), indent=1, ensure_ascii=False) + "\n"

    def to_csv(self) -> str:
        """CSV text: a row for each piece and each part between, in order of time, with its seconds of the recording."""
        return csv_text(_LINE_FIELDS, [_row(line) for line in self.lines()])

    def to_cue(self) -> str:
        """A CUE sheet: a track for each piece, which begins where the piece does, to the nearest 75th of a second."""
        return cue_text(self.recording, self._marks())

    def to_chapters(self) -> str:
        """Chapter marks as FFmpeg metadata: one chapter for each piece.

        `ffmpeg -i tape.flac -i chapters.txt -map_metadata 1 tape.m4a` writes them into a file that players show.
        """
        return chapters_text(self._marks())

    def _marks(self) -> list[tuple[float, float, str, str]]:
        """Begin, end, title and composer of each piece."""
        return [(one.query_start_s, one.query_end_s, one.title or one.name, one.composer) for one in self.pieces]


def _begin_s(line: SetListPiece | Between) -> float:
    return line.start_s if isinstance(line, Between) else line.query_start_s


def _row(line: SetListPiece | Between) -> dict[str, Any]:
    if isinstance(line, Between):
        return {"kind": line.kind, "query_start_s": line.start_s, "query_end_s": line.end_s}
    return {"kind": "piece"} | line.as_dict()


def setlist(
    recording: str | Path,
    index: str | Path | Index,
    *,
    against: Modality | None = None,
    transpose: bool = False,
    composer: str = "",
    split: str = "",
    folder: str | Path | None = None,
) -> SetList:
    """List the pieces of a library that a recording plays, with the times of each.

    Parameters
    ----------
    recording
        A sound file, such as that of a concert. A note file, such as a medley, is possible.
    index
        The library: an index folder, or an open index.
    against
        The modality to search; by default the other one than that of the recording, or the same where the index
        contains no other.
    transpose
        Pieces may be up to 6 semitones higher or lower than the library, and out of tune.
    composer, split, folder
        Search only a part of the library, as `Index.search`.

    Returns
    -------
    SetList
        The pieces, and what sounds between them. Pieces that are not in the library are "other music".

    Raises
    ------
    UnreadableInput
        The recording cannot be read, is silent or shorter than 3 s.
    AntiphonError
        The index cannot be opened, or the filters leave no recording.

    Examples
    --------
    >>> import antiphon
    >>> one = antiphon.open_corpus("demo").recordings[0]
    >>> antiphon.Index.build(one.notes_path, "template", out="library").close()
    >>> (piece,) = antiphon.setlist(one.audio_path, "library")
    >>> piece.file == str(one.notes_path), abs(piece.query_end_s - one.duration_s) < 2, round(piece.tempo, 2)
    (True, True, 1.0)
    """
    check_path("recording", "the path of a sound file or a note file", recording)
    context: AbstractContextManager[Index] = nullcontext(index) if isinstance(index, Index) else Index.open(index)
    with context as opened:
        library = opened.view(against or opened.modality_to_search(recording))
        filters = Filters(composer, split, folder)
        among = None if filters == ALL else library.among(filters)
        query = open_query(recording, opened.model, retune=transpose)
        found = find_runs(query, library, opened.model, among, transpose)
    # A query that was brought in tune has another clock.
    own_clock = [replace(run, begin_s=run.begin_s * query.speed, end_s=run.end_s * query.speed) for run in found]
    runs, notes = _with_notes(own_clock, library)
    side = read_side(Path(recording))
    pieces = [_piece(one, library) for one in pieces_of(runs, notes, side)]
    duration_s = query.duration_s * query.speed
    gaps = _gaps([(one.query_start_s, one.query_end_s) for one in pieces], duration_s)
    levels = None if modality_of_input(Path(recording)) == "notes" else _levels(query)
    return SetList(str(recording), duration_s, tuple(pieces), tuple(name_gaps(gaps, side.onsets, levels)))


def _with_notes(runs: Sequence[Run], library: IndexView) -> tuple[list[Run], list[Notes]]:
    """The runs whose file can be read, and the notes of each."""
    known: dict[int, Notes | None] = {}
    for run in runs:
        if run.recording not in known:
            try:
                known[run.recording] = _notes_of(Path(library.paths[run.recording]))
            except UnreadableInput as error:  # changed since it was indexed, or gone
                warn_input(error.path, f"found, but it cannot be read, so what it plays is not listed: {error.reason}")
                known[run.recording] = None
    kept = [(run, notes) for run in runs if (notes := known[run.recording]) is not None]
    return [run for run, _ in kept], [notes for _, notes in kept]


def _notes_of(path: Path) -> Notes:
    """The notes of a file; of a sound file those that are detected."""
    return read_notes(path, sustain=True) if modality_of_input(path) == "notes" else read_side(path).notes


def _piece(one: Played, library: IndexView) -> SetListPiece:
    about, span = library.describe_recording(one.run.recording), one.span
    return SetListPiece(
        file=library.paths[one.run.recording],
        start_s=round(span.start_s, 3),
        end_s=round(span.end_s, 3),
        query_start_s=round(span.query_start_s, 3),
        query_end_s=round(span.query_end_s, 3),
        tempo=round(span.tempo, 4),
        semitones=one.run.semitones,
        score=round(one.run.score, 4),
        confidence=round(confidence(one.run.evidence), 4),
        work=about.work,
        composer=about.composer,
        title=about.title,
        path_confidence=round(one.path_confidence, 4),
    )


def _gaps(taken_s: Sequence[tuple[float, float]], duration_s: float) -> list[tuple[float, float]]:
    """The seconds before, between and after those that are taken.

    >>> _gaps([(1.0, 2.0), (2.0, 5.0)], 6.0)
    [(0.0, 1.0), (5.0, 6.0)]
    """
    edges = [(0.0, 0.0), *taken_s, (duration_s, duration_s)]
    return [(before, after) for (_, before), (after, _) in pairwise(edges) if after > before]


def _levels(query: Query) -> Levels:
    """The levels of a whole query at the clock of its file, read part by part."""
    parts = np.arange(0.0, query.duration_s, _LEVELS_AT_ONCE_S)
    levels = [query.levels(begin_s, min(begin_s + _LEVELS_AT_ONCE_S, query.duration_s)) for begin_s in parts.tolist()]
    joined = np.concatenate(levels)
    at = (np.arange(round(len(joined) * query.speed)) / query.speed).astype(np.int64)
    return joined[np.minimum(at, len(joined) - 1)]
