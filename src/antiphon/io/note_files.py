"""`read_notes`: any file of notes → `Notes`, by the reader of its kind."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path, PurePath

from antiphon.errors import UnreadableInput
from antiphon.io.midi import read_midi
from antiphon.io.note_tables import read_table
from antiphon.io.notes import Notes

MIDI_SUFFIXES = frozenset({".mid", ".midi", ".kar", ".smf", ".rmi"})
TABLE_SUFFIXES = frozenset({".tsv", ".csv", ".txt"})
NOTE_SUFFIXES = MIDI_SUFFIXES | TABLE_SUFFIXES
"""Each may be followed by `.gz`."""

GZIP = ".gz"
GZIP_MAGIC = b"\x1f\x8b"
_LONGEST_S = 24 * 3600.0
_MOST_BYTES = 200 << 20


def read_notes(path: str | Path, *, sustain: bool = False) -> Notes:
    """Read a MIDI file (.mid, .midi, .kar, .smf, .rmi) or a table of notes (.tsv, .csv, .txt), compressed or not.

    Parameters
    ----------
    path
        The file. It may be compressed by gzip; MIDI may have any suffix or none. A table has columns for the onset, for
        the offset or the duration, for the pitch, and optionally for the velocity.
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
        The file is missing, empty, neither MIDI nor a table of notes, truncated, longer than a day, larger than 200 MB,
        has an impossible tempo or resolution, or contains no notes.

    Examples
    --------
    >>> import antiphon
    >>> notes = antiphon.read_notes(antiphon.open_corpus("demo").recordings[0].notes_path)
    >>> len(notes) > 100, notes.onset_s.dtype
    (True, dtype('float64'))
    """
    path = Path(path)
    data = _read_bytes(path)
    suffix = _suffix(path)
    if is_midi(data) or suffix in MIDI_SUFFIXES:
        notes = read_midi(path, data, sustain)
    elif suffix in TABLE_SUFFIXES:
        notes = read_table(path, data)
    else:
        raise UnreadableInput(path, f"not a note file; expected one of {', '.join(sorted(NOTE_SUFFIXES))}")
    if len(notes) == 0:
        raise UnreadableInput(path, "it holds no notes")
    if notes.end_s > _LONGEST_S:
        raise UnreadableInput(
            path, f"its last note ends after {notes.end_s:.0f} s, over a day (damaged, or not seconds?)"
        )
    return notes


def is_midi(data: bytes) -> bool:
    """Whether data begins as a MIDI file, plain or in RIFF."""
    return data.startswith(b"MThd") or (data.startswith(b"RIFF") and data[8:12] == b"RMID")


def _suffix(path: PurePath) -> str:
    suffix = path.suffix.lower()
    return PurePath(path.stem).suffix.lower() if suffix == GZIP else suffix


def _read_bytes(path: Path) -> bytes:
    """The content of a file, uncompressed. Raises `UnreadableInput`."""
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
