"""`Alignment`: a table of notes with their times in a recording, the path between both sides, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.dtw import Warp

Seconds = NDArray[np.float64]
State = Literal["played", "missing", "extra", "unsure"]
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
        MIDI numbers as written; of an extra note as heard.
    onset_s, offset_s : float64 [N]
        Seconds in the notes; NaN for extra notes. Notes end when the pedal releases them.
    bar : int32 [N] or None
    beat : float64 [N] or None
        As in `Notes`; None where the notes are no score.
    recording_s, recording_offset_s : float64 [N]
        Seconds in the recording; NaN for missing notes.
    state : array of text [N]
        "played"; "missing": not heard where the path says, or not reached; "extra": heard, but not in the notes;
        "unsure": the time is what the path says, and no onset was heard there for sure.
    note_confidence : float64 [N]
        Probability from 0 to 1 that this note sounds within 50 ms of `recording_s`; of a missing note, that it is
        missing.
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
            "confidence": round(self.confidence, 4),
            "path_confidence": round(self.path_confidence, 4),
            "semitones": self.semitones,
            "lost": [[round(begin_s, 4), round(end_s, 4)] for begin_s, end_s in self.lost],
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
            "confidence": self.note_confidence.round(4).tolist(),
        }
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _times(values: Seconds) -> list[float | None]:
    return [None if value != value else value for value in values.round(4).tolist()]
