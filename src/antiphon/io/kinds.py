"""Which modality a file is: by its suffix, or by its first bytes where it has none or the suffix has other uses."""

from __future__ import annotations

import gzip
import re
import zlib
from contextlib import suppress
from pathlib import Path, PurePath

from antiphon.errors import UnreadableInput
from antiphon.io.audio import AUDIO_SUFFIXES
from antiphon.io.note_files import GZIP, GZIP_MAGIC, HEAD_BYTES, NOTE_SUFFIXES, TABLE_SUFFIXES, is_midi, is_score_xml
from antiphon.io.note_tables import likeness
from antiphon.types import Modality

SUFFIXES: dict[Modality, frozenset[str]] = {"audio": AUDIO_SUFFIXES, "notes": NOTE_SUFFIXES}
_SUFFIX = re.compile(r"\.(?=\d*[a-z])[a-z0-9]{1,10}")  # not that of "Suite no. 2" or "take.1"
_MAGIC = (
    b"fLaC",
    b"OggS",
    b"ID3",
    b"caff",
    b".snd",
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"0&\xb2u\x8ef\xcf\x11",  # Windows Media
    b"\xff\xf1",  # AAC
    b"\xff\xf9",
    b"wvpk",
    b"MAC ",  # Monkey's Audio
    b"TTA1",
)
_FORMS = {
    (b"RIFF", b"WAVE"),
    (b"RIFX", b"WAVE"),
    (b"RF64", b"WAVE"),
    (b"FORM", b"AIFF"),
    (b"FORM", b"AIFC"),
}


def suffix_of(path: str | PurePath) -> str:
    """The suffix of a file in lower case, with that of a compressed note file before `.gz`; empty where it has none.

    >>> suffix_of("take 1.WAV"), suffix_of("take.mid.gz"), suffix_of("Suite no. 2"), suffix_of("notes.gz")
    ('.wav', '.mid.gz', '', '.gz')
    """
    path = PurePath(path)
    suffix = path.suffix.lower()
    if suffix == GZIP and (inner := suffix_of(path.stem)) in NOTE_SUFFIXES:
        return inner + suffix
    return suffix if _SUFFIX.fullmatch(suffix) else ""


def without_suffix(path: Path) -> Path:
    """A path without what `suffix_of` gives."""
    return path.with_name(path.name[: len(path.name) - len(suffix_of(path))])


def modality_of_name(name: str | PurePath) -> Modality | None:
    """The modality that a suffix has; None for others."""
    suffix = suffix_of(name).removesuffix(GZIP)
    return next((kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes), None)


def modality_of(path: Path) -> Modality | None:
    """The modality of a file in a folder; None for other files.

    Tables are recognised by their columns, scores in `.xml` by their root, and files without a suffix by their first
    bytes. A `.tsv` counts as notes unless it is another table, so that a faulty one is reported. Raises `OSError` where
    it has to be opened and cannot be.
    """
    suffix = suffix_of(path)
    plain = suffix.removesuffix(GZIP)
    if plain in TABLE_SUFFIXES:
        head, whole = _head(path)
        found = "notes" if is_midi(head) else likeness(head, whole)
        return "notes" if found == "notes" or (plain == ".tsv" and found != "other table") else None
    if plain == ".xml":
        return "notes" if is_score_xml(_head(path)[0]) else None
    return modality_of_name(path) if suffix else _by_content(_head(path)[0])


def modality_of_input(path: Path) -> Modality:
    """The modality of a file that was given by name, whatever its suffix. Raises `UnreadableInput` for other files."""
    found = modality_of_name(path)
    if found is not None:
        return found
    try:
        if path.is_dir():
            raise UnreadableInput(path, "this is a folder; a sound file or a note file is expected")
        found = _by_content(_head(path)[0])
    except FileNotFoundError:
        raise UnreadableInput(path, "no such file") from None
    except OSError as error:
        raise UnreadableInput(path, f"it cannot be opened ({error.strerror})") from None
    if found is None:
        how = f"by its suffix {path.suffix!r}" if suffix_of(path) else "by its first bytes, and it has no suffix"
        raise UnreadableInput(path, f"neither a sound file nor a note file {how}")
    return found


def _head(path: Path) -> tuple[bytes, bool]:
    """The first bytes of a file, uncompressed, and whether they are all."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES + 1)
    if head.startswith(GZIP_MAGIC):
        with suppress(EOFError, OSError, zlib.error), gzip.open(path) as file:
            head = file.read(HEAD_BYTES + 1)
    return head[:HEAD_BYTES], len(head) <= HEAD_BYTES


def _by_content(head: bytes) -> Modality | None:
    if is_midi(head) or is_score_xml(head):
        return "notes"
    is_audio = head.startswith(_MAGIC) or (head[:4], head[8:12]) in _FORMS or head[4:8] == b"ftyp"
    return "audio" if is_audio or _is_mp3_frame(head) else None


def _is_mp3_frame(head: bytes) -> bool:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:  # a frame of Layer III
        return False
    return head[1] & 0x18 != 0x08 and head[2] >> 4 not in (0, 15) and head[2] & 0x0C != 0x0C
