"""Alignment of one recording with the notes that it plays: each note at its time in the recording.

The recording searches an index of the one note file by excerpts, and a warping path leads through their matches, as for
a pair (`antiphon.index.pairing`).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.aligned_notes import aligned_times
from antiphon.checks import check_path
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.index.excerpts import search_excerpts
from antiphon.index.library import Index
from antiphon.index.match import Match
from antiphon.index.metadata import FileMetadata
from antiphon.index.query import kind_of
from antiphon.index.view import ALL
from antiphon.index.whole_match import match_whole
from antiphon.io.csv_tables import csv_text
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.models.loading import load_model
from antiphon.models.protocol import Embedder

Seconds = NDArray[np.float64]
_COLUMNS = ("pitch", "velocity", "onset_s", "offset_s", "recording_s", "recording_offset_s")


@dataclass(frozen=True, eq=False, repr=False)
class Alignment:
    """The N notes of a file with their times in a recording, in the order of `read_notes`: by onset, then pitch.

    Attributes
    ----------
    recording, notes : str
        The paths of the two files.
    confidence : float
        Probability from 0 to 1 that the recording plays these notes, the mean over its excerpts. Below 0.5 the times
        are not to be relied on.
    match : Match or None
        The matched parts of both files, of which the recording is the query; None where nothing was found.
    pitch, velocity : uint8 [N]
        MIDI numbers as written in the note file.
    onset_s, offset_s : float64 [N]
        Seconds in the note file. Notes end when the pedal releases them.
    recording_s, recording_offset_s : float64 [N]
        The same moments in seconds of the recording; NaN for notes outside the match.

    Examples
    --------
    >>> import antiphon
    >>> one = antiphon.open_corpus("demo").recordings[0]
    >>> alignment = antiphon.align(one.audio_path, one.notes_path, model="template")
    >>> len(alignment), alignment.pitch.dtype, alignment.recording_s.shape
    (191, dtype('uint8'), (191,))
    >>> alignment.to_csv().splitlines()[0]
    'note,pitch,velocity,onset_s,offset_s,recording_s,recording_offset_s'
    >>> alignment.to_midi().save("aligned.mid")
    >>> len(antiphon.read_notes("aligned.mid"))
    191
    """

    recording: str
    notes: str
    confidence: float
    match: Match | None
    pitch: NDArray[np.uint8]
    velocity: NDArray[np.uint8]
    onset_s: Seconds
    offset_s: Seconds
    recording_s: Seconds
    recording_offset_s: Seconds

    def __repr__(self) -> str:
        return f"<Alignment of {self.notes} with {self.recording}: {len(self)} notes, confidence {self.confidence:.2f}>"

    def __len__(self) -> int:
        return len(self.pitch)

    def to_midi(self) -> Notes:
        """The notes inside the match at the recording's times and in its key, ready for `Notes.save`.

        Raises `AntiphonError` where no note is inside the match.
        """
        semitones = 0 if self.match is None else self.match.semitones
        pitch = self.pitch.astype(np.int64) + semitones
        kept = np.isfinite(self.recording_s) & (pitch >= 0) & (pitch <= 127)
        if not kept.any():
            raise AntiphonError(f"{self.recording}: no note of {self.notes} was found in it")
        duration_s = (self.recording_offset_s - self.recording_s)[kept]
        return Notes.of(self.recording_s[kept], duration_s, pitch[kept], self.velocity[kept])

    def as_dict(self) -> dict[str, Any]:
        """The alignment as JSON: files, confidence, match, and a list of notes; null where a time is not known."""
        return {
            "recording": self.recording,
            "file": self.notes,
            "confidence": self.confidence,
            "match": None if self.match is None else self.match.as_dict(),
            "notes": self._rows(),
        }

    def to_csv(self) -> str:
        """CSV text with a row for each note; a time that is not known is empty."""
        return csv_text(("note", *_COLUMNS), self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        columns = [getattr(self, name) for name in _COLUMNS]
        rows = zip(*(column.round(4).tolist() for column in columns), strict=True)
        return [
            {"note": number}
            | {name: None if value != value else value for name, value in zip(_COLUMNS, row, strict=True)}
            for number, row in enumerate(rows)
        ]


def align(
    recording: str | Path,
    notes: str | Path,
    *,
    model: str | Path | Embedder = "default",
    transpose: bool = False,
) -> Alignment:
    """Find the time of each note of a file in a recording of the same music.

    The recording may contain more than the notes, or only a part of them. Between the first and the last common moment
    each note gets a time, whether it is played or not. A recording of other music is no error: the result then has a
    `confidence` below 0.5, and perhaps no match.

    Parameters
    ----------
    recording
        A sound file of 3 s or more.
    notes
        A MIDI file or a note table.
    model
        A name, a model folder, a run folder or an embedder.
    transpose
        The recording may be up to 6 semitones higher or lower than the notes, and out of tune.

    Returns
    -------
    Alignment
        The notes with their times in the recording.

    Raises
    ------
    UnreadableInput
        For a file that cannot be read, is too short, or is not of the expected kind.
    AntiphonError
        For an unknown model.

    Examples
    --------
    >>> import numpy as np
    >>> import antiphon
    >>> one = antiphon.open_corpus("demo").recordings[0]
    >>> alignment = antiphon.align(one.audio_path, one.notes_path, model="template")
    >>> error_s = alignment.recording_s - alignment.onset_s
    >>> bool(alignment.confidence > 0.9), bool(np.nanmedian(np.abs(error_s)) < 0.05)
    (True, True)
    """
    check_path("recording", "the path of a sound file", recording)
    check_path("notes", "the path of a note file", notes)
    recording, notes = Path(recording), Path(notes)
    for path, kind, name in ((recording, "audio", "a sound file"), (notes, "notes", "a note file")):
        if kind_of(path) != kind:
            raise UnreadableInput(path, f"{name} is expected here")
    embedder = load_model(model)
    table = read_notes(notes, sustain=True)
    with (
        tempfile.TemporaryDirectory(prefix="antiphon-") as folder,
        Index.build(notes, embedder, out=folder, only="notes") as index,
    ):
        if index.report is not None and index.report.failed:
            raise index.report.failed[0]
        found = search_excerpts(recording, index.view("notes"), embedder, ALL, transpose)
    confidence = found.mean("confidence")
    if not confidence:
        unknown = np.full(len(table), np.nan)
        return _alignment(recording, notes, 0.0, None, table, (unknown, unknown))
    ((file, value),) = confidence.items()
    whole = match_whole(found, file, FileMetadata(), value, embedder, transpose)
    times = aligned_times(table, whole.match.start_s, whole.match.end_s, whole.path.inverse)
    return _alignment(recording, notes, whole.match.confidence, whole.match, table, times)


def _alignment(
    recording: Path, notes: Path, confidence: float, match: Match | None, table: Notes, times: tuple[Seconds, Seconds]
) -> Alignment:
    columns = (table.pitch, table.velocity, table.onset_s, table.offset_s, *times)
    return Alignment(str(recording), str(notes), confidence, match, *columns)
