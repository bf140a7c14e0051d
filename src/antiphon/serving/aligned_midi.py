"""MIDI export of a match: the notes of one side at the times of the other side."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from antiphon.alignment.aligned_notes import aligned_notes
from antiphon.alignment.dtw import Warp, warp
from antiphon.alignment.onset_features import note_frames, sound_frames
from antiphon.index.query import audio_frames, kind_of
from antiphon.io.audio import read_samples
from antiphon.io.note_files import read_notes
from antiphon.io.notes import write_midi
from antiphon.serving import models
from antiphon.serving.decoder_pool import Decoders
from antiphon.serving.errors import ServingError
from antiphon.serving.search_requests import SearchRequest
from antiphon.signal.onsets import Frames
from antiphon.signal.onsets import transpose as transpose_frames

_BAND_S = 1.0
_MARGIN_S = 3.0  # of the library file before and after the match, available to the warping path
_CHUNK_S = 60.0


def aligned_midi(
    search_request: SearchRequest, hit: models.Hit, path: Path, decoders: Decoders, rate_hz: int, temporary: Path
) -> bytes:
    """A MIDI file with the match's notes at the query's times, or the query's notes at the match's times.

    The times follow a warping path within the match, so that they stay exact where the tempo changes. The notes are in
    the key of the side whose times they have. Raises `ServingError` 409 where both sides are audio or no note begins
    within the match.
    """
    if hit.recording.kind == "notes":
        warping = _warping_path(search_request, hit, path, decoders, rate_hz, temporary)
        notes = aligned_notes(read_notes(path, sustain=True), hit.start_s, hit.end_s, warping.inverse, hit.semitones)
    elif search_request.kind == "notes":
        warping = _warping_path(search_request, hit, path, decoders, rate_hz, temporary)
        played = read_notes(search_request.path, sustain=True)
        notes = aligned_notes(played, hit.query_start_s, hit.query_end_s, warping.at, -hit.semitones)
    else:
        raise ServingError(409, "no_notes", "both sides of this match are audio; there are no notes to align")
    if not len(notes):
        raise ServingError(409, "no_notes", "no note begins within this match")
    with tempfile.TemporaryDirectory(dir=temporary) as folder:
        out = Path(folder) / "aligned.mid"
        write_midi(notes, out)
        return out.read_bytes()


def _warping_path(
    search_request: SearchRequest, hit: models.Hit, path: Path, decoders: Decoders, rate_hz: int, temporary: Path
) -> Warp:
    """The warping path from seconds of the query's file to seconds of the match's file."""
    begin_s, end_s = hit.query_start_s, hit.query_end_s
    if search_request.kind == "notes":
        query = note_frames(read_notes(search_request.path), begin_s, end_s)
    else:
        query = _query_audio_frames(search_request.path, begin_s, end_s, decoders, rate_hz, temporary)
    first_s = hit.start_s - _MARGIN_S
    known = _library_frames(path, rate_hz, first_s, hit.end_s + _MARGIN_S)
    query = transpose_frames(query, -hit.semitones)
    found = warp(query, known, first_s, hit.start_s, hit.tempo, _BAND_S)
    return Warp(found.query_s + begin_s, found.library_s)


def _query_audio_frames(
    path: Path, begin_s: float, end_s: float, decoders: Decoders, rate_hz: int, temporary: Path
) -> Frames:
    """Onset frames of an uploaded audio file, decoded in a decoder process."""
    with tempfile.TemporaryDirectory(dir=temporary) as folder:
        out = Path(folder) / "query.wav"
        decoders.query(path, "audio", begin_s, max(end_s - begin_s, models.SHORTEST_QUERY_S), rate_hz, out)
        samples = read_samples(out, rate_hz)
    chunks = _chunks(0.0, end_s - begin_s)
    return np.concatenate([sound_frames(samples, rate_hz, *chunk) for chunk in chunks])


def _library_frames(path: Path, rate_hz: int, begin_s: float, end_s: float) -> Frames:
    if kind_of(path) == "notes":
        return note_frames(read_notes(path), begin_s, end_s)
    return np.concatenate([audio_frames(path, rate_hz, *chunk) for chunk in _chunks(begin_s, end_s)])


def _chunks(begin_s: float, end_s: float) -> list[tuple[float, float]]:
    """Split a range into chunks of one minute, to bound the memory for spectra."""
    begins = np.arange(begin_s, end_s - 0.02, _CHUNK_S).tolist()
    return list(zip(begins, [*begins[1:], end_s], strict=True))
