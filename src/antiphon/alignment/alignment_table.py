"""`Alignment`: a table of notes with their times in a recording, the path between both sides, and how sure they are.

`FORMATS` has the file formats it is written in. A module of `antiphon.alignment.formats` that defines `FORMAT` is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.dtw import Warp
from antiphon.checks import check_path
from antiphon.errors import AntiphonError
from antiphon.io.csv_tables import csv_text, plain_cell
from antiphon.io.files import atomic_file
from antiphon.io.notes import Notes
from antiphon.registry import Registry

Seconds = NDArray[np.float64]
State = Literal["played", "missing", "extra", "unsure"]
_COLUMNS = (
    "note", "pitch", "velocity", "onset_s", "offset_s", "bar", "beat", "recording_s", "recording_offset_s", "state",
    "confidence",
)  # fmt: skip
SHORTEST_NOTE_S = 0.01


@dataclass(frozen=True, eq=False, repr=False)
class Alignment:
    """Notes with their times in a recording, N rows in the order in which the recording plays them.

    A note that the player repeats has one row each time. A note that is skipped or that the recording does not reach
    has one row, at its place in the order of the notes.

    Attributes
    ----------
    recording, notes : str
        The paths of the two sides. The recording may be a note file too, and the notes a recording.
    confidence : float
        Probability from 0 to 1 that both sides are the same music. Below 0.5 the times are not to be relied on.
    path_confidence : float
        Share from 0 to 1 of the common time where the path is expected to be right.
    lost : tuple of (float, float)
        From when to when, in seconds of the recording, the path is lost: what sounds there is not what the notes say.
    semitones : int
        How much higher the recording is than the notes.
    path : tuple of Warp
        The common stretches in order of the recording; each maps seconds of the notes (`query_s`) to seconds of the
        recording (`library_s`). Between two of them the player has paused, skipped or gone back.
    note : array of text [N]
        The note's id in its file, or its number from 0 by onset and pitch; "" for an extra note.
    pitch, velocity : uint8 [N]
        MIDI numbers as written; of an extra note as found.
    onset_s, offset_s : float64 [N]
        Seconds in the notes; NaN for extra notes. Notes end when the pedal releases them.
    bar : int32 [N] or None
    beat : float64 [N] or None
        As in `Notes`; None where the notes are no score.
    recording_s, recording_offset_s : float64 [N]
        Seconds in the recording; NaN for missing notes.
    state : array of text [N]
        "played"; "missing": not found where the path says, or not reached; "extra": in the recording only;
        "unsure": the time is what the path says, and no onset is there for sure.
    note_confidence : float64 [N]
        Probability from 0 to 1 that this note sounds within 50 ms of `recording_s`; of a missing note, that it is
        missing.

    Examples
    --------
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import antiphon
    >>> from antiphon.alignment.dtw import Warp
    >>> times = np.array([0.0, 0.5])
    >>> alignment = antiphon.Alignment(
    ...     recording="take.flac", notes="piece.mid", confidence=0.99, path_confidence=0.97, lost=(), semitones=0,
    ...     path=(Warp(times, times + 2.0),), note=np.array(["0", "1"]), pitch=np.array([60, 64], np.uint8),
    ...     velocity=np.array([80, 80], np.uint8), onset_s=times, offset_s=times + 0.5, bar=None, beat=None,
    ...     recording_s=times + 2.0, recording_offset_s=times + 2.5, state=np.array(["played", "unsure"]),
    ...     note_confidence=np.array([0.98, 0.6]),
    ... )
    >>> alignment.to_csv().splitlines()[1]
    '0,60,80,0.0,0.5,,,2.0,2.5,played,0.98'
    >>> alignment.to_midi().onset_s.tolist()
    [2.0, 2.5]
    >>> alignment.save("take.mid")
    >>> alignment.save("labels.txt", format="audacity")
    >>> Path("labels.txt").read_text(encoding="utf-8").splitlines()
    ['2.000000\\t2.500000\\t0', '2.500000\\t3.000000\\t1 ?']
    """

    recording: str
    notes: str
    confidence: float
    path_confidence: float
    lost: tuple[tuple[float, float], ...]
    semitones: int
    path: tuple[Warp, ...]
    note: NDArray[np.str_]
    pitch: NDArray[np.uint8]
    velocity: NDArray[np.uint8]
    onset_s: Seconds
    offset_s: Seconds
    bar: NDArray[np.int32] | None
    beat: NDArray[np.float64] | None
    recording_s: Seconds
    recording_offset_s: Seconds
    state: NDArray[np.str_]
    note_confidence: Seconds

    def __len__(self) -> int:
        return len(self.pitch)

    def __repr__(self) -> str:
        return f"<Alignment of {self.notes} with {self.recording}: {len(self)} notes, confidence {self.confidence:.2f}>"

    def as_dict(self) -> dict[str, Any]:
        """The alignment as JSON; null where a time is not known."""
        return {
            "recording": self.recording,
            "file": self.notes,
            "confidence": _number(self.confidence),
            "path_confidence": _number(self.path_confidence),
            "semitones": int(self.semitones),
            "lost": [[_number(begin_s), _number(end_s)] for begin_s, end_s in self.lost],
            "notes": self.rows(),
        }

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary for each row: note, pitch, velocity, onset_s, offset_s, bar, beat, recording_s,
        recording_offset_s, state, confidence; None for what is not known."""
        count = len(self)
        columns: dict[str, list[Any]] = {
            "note": self.note.tolist(),
            "pitch": self.pitch.tolist(),
            "velocity": self.velocity.tolist(),
            "onset_s": _times(self.onset_s),
            "offset_s": _times(self.offset_s),
            "bar": [None] * count if self.bar is None else self.bar.tolist(),
            "beat": [None] * count if self.beat is None else _times(self.beat),
            "recording_s": _times(self.recording_s),
            "recording_offset_s": _times(self.recording_offset_s),
            "state": self.state.tolist(),
            "confidence": _times(self.note_confidence),
        }
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    @property
    def is_sounding(self) -> NDArray[np.bool_]:
        """The rows [N] with a time in the recording whose notes are played or unsure."""
        return np.isfinite(self.recording_s) & np.isfinite(self.onset_s) & np.isin(self.state, ("played", "unsure"))

    def to_csv(self) -> str:
        """CSV text with a row for each note; a value that is not known is empty.

        The id of a note that a spreadsheet would take for a formula gets an apostrophe in front, and controls in an id
        become spaces.
        """
        return csv_text(_COLUMNS, [row | {"note": plain_cell(row["note"])} for row in self.rows()])

    def to_midi(self) -> Notes:
        """The played and unsure notes at the recording's times and in its key, ready for `Notes.save`.

        Notes before second 0 begin at second 0. Those that the key moves out of MIDI's range 0–127 are left out.
        Raises `AntiphonError` where no note remains.
        """
        pitch = self.pitch.astype(np.int64) + int(self.semitones)
        kept = self.is_sounding & (pitch >= 0) & (pitch <= 127)
        if not kept.any():
            raise AntiphonError(f"{self.recording}: no note of {self.notes} was found in it")
        onset_s = self.recording_s[kept].clip(0.0)
        duration_s = np.nan_to_num(self.recording_offset_s[kept] - onset_s, nan=0.0).clip(SHORTEST_NOTE_S)
        return Notes.of(onset_s, duration_s, pitch[kept], self.velocity[kept])

    def save(self, path: str | Path, format: str | None = None) -> None:
        """Write the alignment in one of the formats `FORMATS`, atomically; a missing folder is made.

        Parameters
        ----------
        path
            Its suffix chooses the format, where `format` is None: .csv, .json, .mid, .match, .sv.csv (Sonic
            Visualiser), .txt (Audacity labels), .TextGrid (Praat) or .png.
        format
            The name of a format, whatever the suffix is.

        Raises
        ------
        AntiphonError
            For an unknown suffix or name, for an alignment without anything to write in this format, and where the
            format has bars and the note file cannot be read.
        OSError
            Where the file cannot be written.
        """
        check_path("path", "the path of a file", path)
        path = Path(path)
        data = format_of(path, format).write(self)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as temporary:
            temporary.write_bytes(data)

    @staticmethod
    def check_output(path: str | Path, format: str | None = None) -> None:
        """Check before any work that `save` knows the format. Raises `AntiphonError`."""
        format_of(Path(path), format)


@dataclass(frozen=True)
class AlignmentFormat:
    """A file format of alignments.

    `write` returns a file's content. Files whose name ends with one of `suffixes`, in any case, have this format; of
    several that fit, the longest counts.
    """

    name: str
    suffixes: tuple[str, ...]
    write: Callable[[Alignment], bytes]


FORMATS = Registry(
    "alignment format", AlignmentFormat, "antiphon.alignment.formats", "FORMAT", "antiphon.alignment_formats"
)


def format_of(path: PurePath, name: str | None = None) -> AlignmentFormat:
    """The format of that name, or by the suffix of a path. Raises `UnknownName` and `AntiphonError`.

    >>> format_of(PurePath("take.SV.csv")).name, format_of(PurePath("take.csv")).name
    ('sonic-visualiser', 'csv')
    """
    if name is not None:
        return FORMATS[name]
    text = path.name.lower()
    fitting = [(len(suffix), one) for one in FORMATS.values() for suffix in one.suffixes if text.endswith(suffix)]
    if not fitting:
        known = ", ".join(sorted(suffix for one in FORMATS.values() for suffix in one.suffixes))
        raise AntiphonError(f"{path}: no format has this suffix; known are {known}, or name one: {', '.join(FORMATS)}")
    return max(fitting, key=lambda one: one[0])[1]


def _times(values: Seconds) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.round(4).tolist()]


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
