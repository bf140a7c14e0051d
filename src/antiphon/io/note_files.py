"""`read_notes`: any file of notes → `Notes`, by the reader of its kind."""

from __future__ import annotations

from pathlib import Path

from antiphon.errors import UnreadableInput
from antiphon.io.midi import read_midi
from antiphon.io.note_tables import read_table
from antiphon.io.notes import Notes
from antiphon.io.scores import SCORE_SUFFIXES, read_score

NOTE_SUFFIXES = frozenset({".mid", ".midi", ".tsv"}) | SCORE_SUFFIXES
_LONGEST_S = 24 * 3600.0


def read_notes(path: str | Path, *, sustain: bool = False) -> Notes:
    """Read a MIDI file (.mid, .midi), a score (`SCORE_SUFFIXES`) or a MAPS-style table (.tsv).

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
        The notes of all tracks except drums (channel 10).

    Raises
    ------
    UnreadableInput
        The file is missing, empty, not MIDI, truncated, longer than a day, has an impossible tempo or resolution, or
        contains no notes.

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
    if path.suffix.lower() in SCORE_SUFFIXES:
        return read_score(path, path.read_bytes())
    if path.suffix.lower() not in NOTE_SUFFIXES:
        raise UnreadableInput(path, f"not a note file; expected one of {', '.join(sorted(NOTE_SUFFIXES))}")
    notes = read_table(path) if path.suffix.lower() == ".tsv" else read_midi(path, sustain)
    if len(notes) == 0:
        raise UnreadableInput(path, "it holds no notes")
    if notes.end_s > _LONGEST_S:
        raise UnreadableInput(
            path, f"its last note ends after {notes.end_s:.0f} s, over a day (damaged, or not seconds?)"
        )
    return notes
