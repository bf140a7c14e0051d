"""`read_notes`: any file of notes → `Notes`, by the reader of its kind."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path, PurePath
from typing import Literal

import numpy as np

from antiphon.errors import UnreadableInput, warn_input
from antiphon.io.midi import read_midi
from antiphon.io.note_tables import read_table
from antiphon.io.notes import Notes
from antiphon.io.scores import SCORE_SUFFIXES, read_score

MIDI_SUFFIXES = frozenset({".mid", ".midi", ".kar", ".smf", ".rmi"})
TABLE_SUFFIXES = frozenset({".tsv", ".csv", ".txt"})
NOTE_SUFFIXES = MIDI_SUFFIXES | SCORE_SUFFIXES | TABLE_SUFFIXES
"""Each may be followed by `.gz`."""

GZIP = ".gz"
GZIP_MAGIC = b"\x1f\x8b"
HEAD_BYTES = 16_384
"""The first bytes of a file, by which its kind is told."""

_SCORE_ROOT = re.compile(rb"<(?:\w+:)?(?:score-partwise|score-timewise|mei)\b")
_LONGEST_S = 24 * 3600.0
_FARTHEST_S = 31 * _LONGEST_S  # a stray note may be so far behind the others; later ones would only cost memory
_MOST_BYTES = 200 << 20


def read_notes(path: str | Path, *, sustain: bool = False) -> Notes:
    """Read a MIDI file, a score or a table of notes.

    Parameters
    ----------
    path
        MIDI (.mid, .midi, .kar, .smf, .rmi, or any name), a score in MusicXML (.musicxml, .mxl, .xml), MEI (.mei),
        kern (.krn, .kern) or ABC (.abc), or a table (.tsv, .csv, .txt) with columns for the onset, for the offset or
        the duration, for the pitch, and optionally for the velocity. MusicXML and MEI are also read under a name
        without a suffix. It may be compressed by gzip.
    sustain
        Whether a note lasts while the sustain pedal (controller 64 ≥ 64) is down, until the pedal rises or the same
        key is struck again. Scores and tables have no pedal.

    Returns
    -------
    Notes
        The notes of all tracks or parts, repeats unfolded; unpitched percussion is apart, in `drums`.

    Raises
    ------
    UnreadableInput
        The file is missing, empty, of another kind, damaged beyond reading, larger than 200 MB, or contains no notes.

    Warns
    -----
    InputWarning
        The file is read in part, or something in it was guessed.

    Examples
    --------
    >>> import antiphon
    >>> notes = antiphon.read_notes(antiphon.open_corpus("demo").recordings[0].notes_path)
    >>> len(notes) > 100, notes.onset_s.dtype
    (True, dtype('float64'))
    """
    path = Path(path)
    data = read_bytes(path)
    kind = kind_of_notes(path, data)
    if kind == "midi":
        notes = read_midi(path, data, sustain)
    elif kind == "table":
        notes = read_table(path, data)
    elif kind == "score":
        notes = read_score(path, data)
    else:
        raise UnreadableInput(path, f"not a note file; expected one of {', '.join(sorted(NOTE_SUFFIXES))}")
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


def kind_of_notes(path: PurePath, data: bytes) -> Literal["midi", "table", "score"] | None:
    """The kind of a note file by its content and its suffix; None for other files."""
    suffix = _suffix(path)
    if is_midi(data) or suffix in MIDI_SUFFIXES:
        return "midi"
    if suffix in TABLE_SUFFIXES:
        return "table"
    return "score" if suffix in SCORE_SUFFIXES or is_score_xml(data[:HEAD_BYTES]) else None


def is_midi(data: bytes) -> bool:
    """Whether data begins as a MIDI file, plain or in RIFF."""
    return data.startswith(b"MThd") or (data.startswith(b"RIFF") and data[8:12] == b"RMID")


def is_score_xml(head: bytes) -> bool:
    """Whether an XML file, of which these are the first bytes, is MusicXML or MEI; it may be in UTF-16."""
    return _SCORE_ROOT.search(head.replace(b"\0", b"")) is not None


def _suffix(path: PurePath) -> str:
    suffix = path.suffix.lower()
    return PurePath(path.stem).suffix.lower() if suffix == GZIP else suffix


def read_bytes(path: Path) -> bytes:
    """The content of a note file, uncompressed. Raises `UnreadableInput`."""
    try:
        if path.is_dir():
            raise UnreadableInput(path, "this is a folder, a note file was expected")
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise UnreadableInput(path, f"it has {size} bytes; note files have at most {_MOST_BYTES}")
        data = path.read_bytes()
        if data.startswith(GZIP_MAGIC):
            with gzip.open(path) as file:
                data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise UnreadableInput(path, "no such file") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableInput(path, f"compressed and damaged, it cannot be expanded ({error})") from None
    except OSError as error:
        raise UnreadableInput(path, f"it cannot be opened ({error.strerror})") from None
    if len(data) > _MOST_BYTES:
        raise UnreadableInput(path, f"compressed, and expands to more than {_MOST_BYTES} bytes")
    if not data:
        raise UnreadableInput(path, "the file is empty (0 bytes)")
    return data
