"""MIDI export of a match: the notes of one side at the times of the other side."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.aligning import Side, align_sides, read_side, sound_side
from antiphon.errors import AntiphonError
from antiphon.io.audio import read_samples
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes, write_midi
from antiphon.models.note_onsets import SAMPLE_RATE_HZ, predicted_onsets_of
from antiphon.serving import models
from antiphon.serving.decoder_pool import Decoders
from antiphon.serving.errors import ServingError
from antiphon.serving.search_requests import SearchRequest

_EDGE_S = 0.05
"""Onset tolerance of transcription metrics (`mir_eval.transcription`): a note this near to a match belongs to it."""
_MARGIN_S = 1.0
"""Before and after the match, on the side whose times the notes get: a note at an edge may begin there."""
_BLOCK_S = 30.0
_TUNED_S = 120.0
_SHORTEST_BLOCK_S = 0.05


@dataclass(frozen=True)
class _Clock:
    """The side whose times the notes get: a stretch of a file from second `begin_s` on."""

    side: Side
    begin_s: float


def aligned_midi(
    search_request: SearchRequest, hit: models.Hit, path: Path, decoders: Decoders, temporary: Path
) -> bytes:
    """A MIDI file with the match's notes at the query's times, or the query's notes at the match's times.

    Only the parts of both files within the match are aligned. The notes are in the key of the side whose times they
    have. Raises `ServingError` 409 where both sides are audio, no note begins within the match, or none of its notes is
    found on the other side.
    """
    if hit.recording.kind == "notes":
        notes = _notes_between(path, hit.start_s, hit.end_s)
        clock, semitones = _query(search_request, hit, decoders, temporary), hit.semitones
    elif search_request.kind == "notes":
        notes = _notes_between(search_request.path, hit.query_start_s, hit.query_end_s)
        clock, semitones = _library(hit, path), -hit.semitones
    else:
        raise ServingError(409, "no_notes", "both sides of this match are audio; there are no notes to align")
    if not len(notes):
        raise ServingError(409, "no_notes", "no note begins within this match")
    alignment = align_sides(clock.side, notes, "the recording", "this match", (semitones,))
    try:
        found = alignment.to_midi()
    except AntiphonError:
        raise ServingError(409, "no_path", "the notes of this match are not found on the other side") from None
    with tempfile.TemporaryDirectory(dir=temporary) as folder:
        out = Path(folder) / "aligned.mid"
        write_midi(Notes.of(found.onset_s + clock.begin_s, found.duration_s, found.pitch, found.velocity), out)
        return out.read_bytes()


def _notes_between(path: Path, begin_s: float, end_s: float) -> Notes:
    """The notes that begin between two seconds of a file, as long as the pedal holds them; times do not change."""
    notes = read_notes(path, sustain=True)
    part = slice(*np.searchsorted(notes.onset_s, (begin_s - _EDGE_S, end_s + _EDGE_S)))
    return Notes.of(notes.onset_s[part], notes.duration_s[part], notes.pitch[part], notes.velocity[part])


def _query(search_request: SearchRequest, hit: models.Hit, decoders: Decoders, temporary: Path) -> _Clock:
    """The query within the match. An uploaded audio file is decoded in a decoder process."""
    first_s, last_s = search_request.start_s, search_request.start_s + search_request.length_s
    begin_s, end_s = max(first_s, hit.query_start_s - _MARGIN_S), min(last_s, hit.query_end_s + _MARGIN_S)
    if search_request.kind == "notes":
        return _note_clock(search_request.path, begin_s, end_s)
    # A decoder refuses less than this; a query is never shorter.
    begin_s = max(first_s, min(begin_s, last_s - models.SHORTEST_QUERY_S))
    end_s = min(last_s, max(end_s, begin_s + models.SHORTEST_QUERY_S))
    with tempfile.TemporaryDirectory(dir=temporary) as folder:
        out = Path(folder) / "query.wav"
        decoders.query(search_request.path, "audio", begin_s, end_s - begin_s, SAMPLE_RATE_HZ, out)
        return _Clock(read_side(out), begin_s)


def _library(hit: models.Hit, path: Path) -> _Clock:
    """The library's audio file within the match, decoded block by block."""
    begin_s, end_s = max(0.0, hit.start_s - _MARGIN_S), min(hit.recording.duration_s, hit.end_s + _MARGIN_S)
    beginning = read_samples(path, SAMPLE_RATE_HZ, begin_s, min(_TUNED_S, end_s - begin_s))
    return _Clock(sound_side(_blocks(path, begin_s, end_s), beginning), begin_s)


def _note_clock(path: Path, begin_s: float, end_s: float) -> _Clock:
    notes = _notes_between(path, begin_s, end_s)
    moved = Notes.of(notes.onset_s - begin_s, notes.duration_s, notes.pitch, notes.velocity)
    return _Clock(Side(moved, predicted_onsets_of(moved)), begin_s)


def _blocks(path: Path, begin_s: float, end_s: float) -> Iterator[NDArray[np.float32]]:
    """Samples from `begin_s` to `end_s`, half a minute at a time."""
    for at_s in np.arange(begin_s, end_s - _SHORTEST_BLOCK_S, _BLOCK_S).tolist():
        yield read_samples(path, SAMPLE_RATE_HZ, at_s, min(_BLOCK_S, end_s - at_s))
