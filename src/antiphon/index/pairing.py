"""Which recording is which note file: every recording asks an index of notes, and the likeliest table of all is taken.

A recording up to 40 s long asks as a whole, a longer one by three to six excerpts of 20 s, evenly spread. The
confidence of a pair is the mean over the excerpts of that of the file's best hit, 0 where it has none. One-to-one pairs
are those whose odds have the greatest product. Where two files are equally sure, as performances of one work may be,
the one whose onsets agree better is taken.

Each pair is followed through the whole recording, by the excerpts' hits (`matching.warping`), and reaches as far as
both sides agree.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from antiphon.alignment.aligned_notes import aligned_notes
from antiphon.alignment.chaining import Link, chains
from antiphon.alignment.confidence import LIKELY
from antiphon.alignment.dtw import AGREEMENT_HZ, Anchor, Warp, agreement, warp_through
from antiphon.alignment.onset_features import FRAME_HZ, note_frames
from antiphon.errors import UnreadableInput
from antiphon.index.match import Match
from antiphon.index.metadata import FileMetadata
from antiphon.index.query import Query, open_query
from antiphon.index.search import SearchOptions, search_library
from antiphon.index.store import Store
from antiphon.index.view import ALL, Filters, IndexView
from antiphon.io.audio import audio_info
from antiphon.io.notes import Notes, read_notes
from antiphon.models.protocol import Embedder
from antiphon.progress import track
from antiphon.signal.onsets import Frames
from antiphon.signal.onsets import transpose as transpose_frames

_WHOLE_S, _EXCERPT_S = 40.0, 20.0
_EXCERPT_EVERY_S, _FEWEST, _MOST = 60.0, 3, 6
_TOP = 30
_ODDS_LIMIT = 1e-3
_PER_SCORE = 10.0  # what a score of 1 adds to the logarithm of a pair's odds
_BAND_S = 1.5
_AGREE = 0.4  # of the agreement that is usual around the excerpts; other music reaches half as much
_APART_S = 8.0  # without agreement, from which on a pair has ended
_AT_ONCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Pair(Match):
    """The match of a recording, which is the query, with a note file.

    `score` and `confidence` are means over the excerpts. `path` maps seconds of the recording to seconds of the file.
    """

    recording: str
    path: Warp

    def as_dict(self) -> dict[str, Any]:
        """The pair as JSON: the recording and the match, without the path."""
        return {"recording": self.recording} | super().as_dict()


@dataclass(frozen=True)
class Unpaired:
    """A recording without a partner, the file that comes nearest, empty where none does, and its confidence."""

    recording: str
    nearest: str
    confidence: float


@dataclass(frozen=True)
class Pairing:
    """The pairs in the order of the recordings, what has no partner on either side, and what could not be used."""

    pairs: tuple[Pair, ...]
    recordings: tuple[Unpaired, ...]
    files: tuple[str, ...]
    skipped: tuple[UnreadableInput, ...]

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return {
            "pairs": [pair.as_dict() for pair in self.pairs],
            "recordings_without_notes": [vars(one) for one in self.recordings],
            "notes_without_recording": list(self.files),
            "failed": [str(error) for error in self.skipped],
        }


@dataclass(frozen=True)
class _Asked:
    """What the excerpts of a recording have found: of each excerpt that sounds, its hits."""

    recording: Path
    duration_s: float
    excerpts: tuple[list[Match], ...]

    def mean(self, of: str) -> dict[str, float]:
        """File → mean over the excerpts of its best hit's `confidence` or `score`, 0 where it has none."""
        total: dict[str, float] = defaultdict(float)
        for hits in self.excerpts:
            best: dict[str, float] = defaultdict(float)
            for hit in hits:
                best[hit.file] = max(best[hit.file], getattr(hit, of))
            for file, value in best.items():
                total[file] += value / len(self.excerpts)
        return total


def pair(
    recordings: Sequence[str | Path],
    store: Store,
    embedder: Embedder,
    filters: Filters = ALL,
    many: bool = False,
    min_confidence: float = LIKELY,
    transpose: bool = False,
) -> Pairing:
    """Find each recording's note file in an index. Recordings that cannot be used are named in `skipped`.

    With `many` several recordings may be of one file. `filters` leave note files out, `transpose` looks for them up to
    6 semitones off as well. Raises `AntiphonError` when the index holds no notes, and as `search` does.
    """
    store.check_model(embedder)
    library = store.library("notes")  # one for all, whatever is added meanwhile
    among = np.ones(len(library.paths), bool) if filters == ALL else library.among(filters)
    files = [path for path, fits in zip(library.paths, among, strict=True) if fits]
    filters = ALL if among.all() else filters
    asked: list[_Asked] = []
    skipped: list[UnreadableInput] = []
    for recording in track([Path(one) for one in recordings], "listening"):
        try:
            asked.append(_ask(recording, library, embedder, filters, transpose))
        except UnreadableInput as error:
            skipped.append(error)
    confidence = [one.mean("confidence") for one in asked]
    partner = _partners(confidence, [one.mean("score") for one in asked], files, many, min_confidence)
    pairs, alone = [], []
    for number, one in enumerate(track(asked, "following")):
        if number in partner:
            file = partner[number]
            try:
                about = library.about.get(file, FileMetadata())
                pairs.append(_follow(one, file, about, confidence[number][file], embedder, transpose))
            except UnreadableInput as error:  # changed meanwhile
                skipped.append(error)
        else:
            nearest = max(confidence[number], key=confidence[number].__getitem__, default="")
            alone.append(Unpaired(str(one.recording), nearest, round(confidence[number].get(nearest, 0.0), 4)))
    taken = {one.file for one in pairs}
    return Pairing(tuple(pairs), tuple(alone), tuple(file for file in files if file not in taken), tuple(skipped))


def _ask(recording: Path, library: IndexView, embedder: Embedder, filters: Filters, transpose: bool) -> _Asked:
    """Search with every excerpt that can be used. Raises `UnreadableInput` where none can, or the file cannot."""
    duration_s = audio_info(recording).duration_s
    options = SearchOptions(_TOP, repeats=True, filters=filters, transpose=transpose)
    found, faults = [], []
    for start_s, length_s in excerpts(duration_s):
        try:
            hits = search_library(recording, library, embedder, start_s, length_s, options)
        except UnreadableInput as error:
            faults.append(error)
        else:
            found.append(hits)
    if not found:
        raise faults[0]
    return _Asked(recording, duration_s, tuple(found))


def excerpts(duration_s: float) -> list[tuple[float, float | None]]:
    """Where a recording is listened to: start and length in seconds, no length where it is heard to its end.

    >>> excerpts(30.0), excerpts(100.0)
    ([(0.0, None)], [(0.0, 20.0), (40.0, 20.0), (80.0, 20.0)])
    """
    if duration_s <= _WHOLE_S:
        return [(0.0, None)]
    count = min(_MOST, max(_FEWEST, round(duration_s / _EXCERPT_EVERY_S)))
    return [(round(float(at), 3), _EXCERPT_S) for at in np.linspace(0.0, duration_s - _EXCERPT_S, count)]


def _partners(
    confidence: Sequence[dict[str, float]],
    score: Sequence[dict[str, float]],
    files: Sequence[str],
    many: bool,
    min_confidence: float,
) -> dict[int, str]:
    """Number of each recording that has a partner → its file."""
    weight = np.zeros((len(confidence), len(files)))
    column = {file: number for number, file in enumerate(files)}
    for row, known in enumerate(confidence):
        for file, value in known.items():
            if value >= min_confidence and value > 0:
                surer = _log_odds(value) - _log_odds(min_confidence)
                weight[row, column[file]] = 1.0 + surer + _PER_SCORE * score[row][file]
    if many:
        rows, columns = np.arange(len(weight)), weight.argmax(axis=1)
    else:
        rows, columns = linear_sum_assignment(weight, maximize=True)
    return {int(row): files[at] for row, at in zip(rows, columns, strict=True) if weight[row, at] > 0}


def _log_odds(probability: float) -> float:
    kept = min(max(probability, _ODDS_LIMIT), 1 - _ODDS_LIMIT)
    return math.log(kept / (1 - kept))


def _follow(
    asked: _Asked, file: str, about: FileMetadata, confidence: float, embedder: Embedder, transpose: bool
) -> Pair:
    """Follow a recording through its file, as far as both agree."""
    query = open_query(asked.recording, embedder, retune=transpose)
    anchors, semitones = _anchors(asked, file, query.speed)
    frames = transpose_frames(_frames(query), -semitones)
    notes = read_notes(file)
    known = note_frames(notes, 0.0, notes.end_s + 1.0)
    path = warp_through(frames, known, 0.0, anchors, _BAND_S)
    agreed_s = _agreed_s(frames, known, path, anchors)
    # In seconds of the recording, which the query may not be: it has been brought in tune.
    path = Warp(path.query_s * query.speed, path.library_s)
    begin_s = max(0.0, float(path.inverse(0.0)), agreed_s[0] * query.speed)
    end_s = max(begin_s, min(asked.duration_s, float(path.inverse(notes.end_s)), agreed_s[1] * query.speed))
    start_s, stop_s = (float(path.at(moment)) for moment in (begin_s, end_s))
    return Pair(
        recording=str(asked.recording),
        file=file,
        query_start_s=round(begin_s, 3),
        query_end_s=round(end_s, 3),
        start_s=round(start_s, 3),
        end_s=round(stop_s, 3),
        tempo=round((stop_s - start_s) / max(end_s - begin_s, 1 / FRAME_HZ), 4),
        semitones=semitones,
        score=round(asked.mean("score")[file], 4),
        confidence=round(confidence, 4),
        work=about.work,
        composer=about.composer,
        title=about.title,
        path=path,
    )


def _frames(query: Query) -> Frames:
    """Onset frames of a whole query; a minute at a time, for the spectrum of an hour would fill the memory."""
    begins_s = np.arange(0.0, query.duration_s - 1 / FRAME_HZ, _AT_ONCE_S)
    ends_s = np.minimum(begins_s + _AT_ONCE_S, query.duration_s)
    return np.concatenate([query.frames(*edges) for edges in zip(begins_s.tolist(), ends_s.tolist(), strict=True)])


def _anchors(asked: _Asked, file: str, speed: float) -> tuple[list[Anchor], int]:
    """The middles of the hits that follow each other best, at most one an excerpt; and their transposition."""
    links = []
    for number, hits in enumerate(asked.excerpts):
        for hit in hits:
            length_s = max(hit.query_end_s - hit.query_start_s, 1 / FRAME_HZ)
            if hit.file == file:
                place = (0, hit.semitones, hit.start_s, hit.tempo)
                links.append(Link(number, hit.query_start_s, length_s, *place, hit.score, hit.confidence))
    best = chains(links, 1)[0]
    middles = [(link.query_s + link.length_s / 2, (link.start_s + link.end_s) / 2, link.tempo) for link in best]
    return [Anchor(at_s / speed, there_s, tempo * speed) for at_s, there_s, tempo in middles], best[0].semitones


def _agreed_s(frames: Frames, known: Frames, path: Warp, anchors: Sequence[Anchor]) -> tuple[float, float]:
    """From where to where both sides agree along a path, seconds of the query: outwards from the anchors."""
    alike = agreement(frames, known, 0.0, path)
    time_s = np.arange(len(alike)) / AGREEMENT_HZ
    beside = [np.abs(time_s - anchor.query_s) <= _EXCERPT_S / 2 for anchor in anchors]
    usual = np.median(np.nan_to_num(alike[np.logical_or.reduce(beside)]))
    agrees = np.isnan(alike) | (alike >= _AGREE * usual)
    first_s, last_s = anchors[0].query_s, anchors[-1].query_s
    before, after = agrees[time_s < first_s][::-1], agrees[time_s > last_s]
    return first_s - _reach_s(before), last_s + _reach_s(after)


def _reach_s(agrees: NDArray[np.bool_]) -> float:
    """How long there is agreement from the first value on, shorter interruptions aside."""
    most = round(_APART_S * AGREEMENT_HZ)
    apart = 0
    for number, here in enumerate(agrees):
        apart = 0 if here else apart + 1
        if apart == most:
            return (number + 1 - most) / AGREEMENT_HZ
    return math.inf


def notes_of_pair(paired: Pair) -> Notes:
    """The notes of a pair at the recording's times and in its key, those of the stretch that it covers.

    Notes sound as long as the pedal holds them. Raises `UnreadableInput` when the file cannot be read any more.
    """
    notes = read_notes(paired.file, sustain=True)
    return aligned_notes(notes, paired.start_s, paired.end_s, paired.path.inverse, paired.semitones)
