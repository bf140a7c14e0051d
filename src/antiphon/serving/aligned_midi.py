"""The notes of a hit on the clock of its other side: what was played, when it was played."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from antiphon.alignment.aligned_notes import aligned_notes
from antiphon.alignment.dtw import Warp, warp
from antiphon.alignment.onset_features import note_frames, sound_frames
from antiphon.index.query import audio_frames, kind_of
from antiphon.io.audio import read_samples
from antiphon.io.notes import read_notes, write_midi
from antiphon.serving import models
from antiphon.serving.decoder_pool import Decoders
from antiphon.serving.errors import ServingError
from antiphon.serving.search_requests import SearchRequest
from antiphon.signal.onsets import Frames
from antiphon.signal.onsets import transpose as transpose_frames

_BAND_S = 1.0
_AROUND_S = 3.0  # of the library on either side, where the path may lead
_AT_ONCE_S = 60.0


def aligned_midi(
    search_request: SearchRequest, hit: models.Hit, path: Path, decoders: Decoders, rate_hz: int, temporary: Path
) -> bytes:
    """A MIDI file: the hit's notes at the query's times, or the query's at the hit's where those are the notes.

    Both sides are followed within the match, so that notes keep together where the tempo changes; they are in the key
    of the side whose clock they have. Raises `ServingError` 409 where both are sound.
    """
    if hit.recording.kind == "notes":
        way = _way(search_request, hit, path, decoders, rate_hz, temporary)
        notes = aligned_notes(read_notes(path, sustain=True), hit.start_s, hit.end_s, way.inverse, hit.semitones)
    elif search_request.kind == "notes":
        way = _way(search_request, hit, path, decoders, rate_hz, temporary)
        played = read_notes(search_request.path, sustain=True)
        notes = aligned_notes(played, hit.query_start_s, hit.query_end_s, way.at, -hit.semitones)
    else:
        raise ServingError(409, "no_notes", "both sides of this hit are sound; there are no notes to align")
    if not len(notes):
        raise ServingError(409, "no_notes", "no note begins within this hit")
    with tempfile.TemporaryDirectory(dir=temporary) as folder:
        out = Path(folder) / "aligned.mid"
        write_midi(notes, out)
        return out.read_bytes()


def _way(
    search_request: SearchRequest, hit: models.Hit, path: Path, decoders: Decoders, rate_hz: int, temporary: Path
) -> Warp:
    """The path from seconds of the query's file to those of the hit's."""
    begin_s, end_s = hit.query_start_s, hit.query_end_s
    if search_request.kind == "notes":
        asked = note_frames(read_notes(search_request.path), begin_s, end_s)
    else:
        asked = _heard(search_request.path, begin_s, end_s, decoders, rate_hz, temporary)
    first_s = hit.start_s - _AROUND_S
    known = _library_frames(path, rate_hz, first_s, hit.end_s + _AROUND_S)
    asked = transpose_frames(asked, -hit.semitones)
    found = warp(asked, known, first_s, hit.start_s, hit.tempo, _BAND_S)
    return Warp(found.query_s + begin_s, found.library_s)


def _heard(path: Path, begin_s: float, end_s: float, decoders: Decoders, rate_hz: int, temporary: Path) -> Frames:
    """Onset frames of a client's sound, decoded by a process that may fail over it."""
    with tempfile.TemporaryDirectory(dir=temporary) as folder:
        out = Path(folder) / "query.wav"
        decoders.query(path, "audio", begin_s, max(end_s - begin_s, models.SHORTEST_QUERY_S), rate_hz, out)
        samples = read_samples(out, rate_hz)
    edges = _edges(0.0, end_s - begin_s)
    return np.concatenate([sound_frames(samples, rate_hz, *edge) for edge in edges])


def _library_frames(path: Path, rate_hz: int, begin_s: float, end_s: float) -> Frames:
    if kind_of(path) == "notes":
        return note_frames(read_notes(path), begin_s, end_s)
    return np.concatenate([audio_frames(path, rate_hz, *edge) for edge in _edges(begin_s, end_s)])


def _edges(begin_s: float, end_s: float) -> list[tuple[float, float]]:
    """A minute at a time: the spectrum of many would fill the memory."""
    begins = np.arange(begin_s, end_s - 0.02, _AT_ONCE_S).tolist()
    return list(zip(begins, [*begins[1:], end_s], strict=True))
