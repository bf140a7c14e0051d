"""`read_notes`: any file of notes → `Notes`, by the reader of its kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from antiphon.errors import UnreadableInput, warn_input
from antiphon.io.midi import read_midi
from antiphon.io.note_tables import read_table
from antiphon.io.notes import Notes

NOTE_SUFFIXES = frozenset({".mid", ".midi", ".tsv"})
_LONGEST_S = 24 * 3600.0
_FARTHEST_S = 31 * _LONGEST_S  # a stray note may be so far behind the others; later ones would only cost memory


def read_notes(path: str | Path, *, sustain: bool = False) -> Notes:
    """Read a MIDI file (.mid, .midi) or a MAPS-style table (.tsv).

    Parameters
    ----------
    path
        The file. A table has the columns `onset,offset,note,velocity`, in seconds.
    sustain
        Whether a note lasts while the sustain pedal (controller 64 ≥ 64) is down, until the pedal rises or the same
        key is struck again. A table has no pedal.

    Returns
    -------
    Notes
        The notes of all tracks; strokes of drums (channel 10 of MIDI) are apart, in `Notes.drums`.

    Raises
    ------
    UnreadableInput
        The file is missing, empty, not MIDI, longer than a day, has an impossible resolution, or contains no notes.

    Warns
    -----
    InputWarning
        The file is cut off, damaged or ambiguous, and read as far as it goes.

    Examples
    --------
    >>> import antiphon
    >>> notes = antiphon.read_notes(antiphon.open_corpus("demo").recordings[0].notes_path)
    >>> len(notes) > 100, notes.onset_s.dtype
    (True, dtype('float64'))
    """
    path = Path(path)
    if not path.exists():
        raise UnreadableInput(path, "no such file")
    if path.is_dir():
        raise UnreadableInput(path, "this is a folder, a note file was expected")
    if path.stat().st_size == 0:
        raise UnreadableInput(path, "the file is empty (0 bytes)")
    if path.suffix.lower() not in NOTE_SUFFIXES:
        raise UnreadableInput(path, f"not a note file; expected one of {', '.join(sorted(NOTE_SUFFIXES))}")
    notes = read_table(path) if path.suffix.lower() == ".tsv" else read_midi(path, path.read_bytes(), sustain)
    if len(notes) == 0:
        raise UnreadableInput(path, "it holds no notes")
    return _within_limits(path, notes)


def _within_limits(path: Path, notes: Notes) -> Notes:
    """The notes without those that are absurdly late; raises `UnreadableInput` where most are late."""
    end_s = max(notes.end_s, notes.drums.end_s if notes.drums is not None else 0.0)
    if end_s <= _LONGEST_S:
        return notes
    last = f"its last note ends after {end_s:.0f} s, over a day"
    if np.median(notes.offset_s) > _LONGEST_S:
        raise UnreadableInput(path, f"{last} (damaged, or not seconds?)")
    near = notes.within(-np.inf, _FARTHEST_S)
    dropped = len(notes) - len(near)
    warn_input(path, f"{last} (a stray note?)" + (f"; notes after 31 days, left out: {dropped}" if dropped else ""))
    return near
