"""Scores → `Notes`: MusicXML, compressed or not, MEI, kern and ABC, told apart by their content."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

from antiphon.errors import UnreadableInput
from antiphon.io.abc_tunes import looks_like_abc, read_abc
from antiphon.io.kern import read_kern
from antiphon.io.mei import read_mei
from antiphon.io.musicxml import read_musicxml
from antiphon.io.notes import Notes
from antiphon.io.sheet import Sheet, performed
from antiphon.io.xml_text import parse_xml

SCORE_SUFFIXES = frozenset({".musicxml", ".mxl", ".xml", ".mei", ".krn", ".kern", ".abc"})
_MOST_BYTES = 256 * 2**20
_ZIP_FAULTS = (
    zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, RuntimeError, EOFError, OSError, ValueError
)  # fmt: skip


def read_score(path: Path, data: bytes) -> Notes:
    """Read the bytes of a score file; `path` names it in errors and says the kind of a plain text.

    Raises
    ------
    UnreadableInput
        It is not a score of a known kind, damaged, or has no notes.
    """
    return performed(read_sheet(path, data), path)


def read_sheet(path: Path, data: bytes) -> Sheet:
    """Read the bytes of a score file as written, before repeats are unfolded. Raises `UnreadableInput`."""
    if len(data) > _MOST_BYTES:
        raise UnreadableInput(path, f"larger than {_MOST_BYTES // 2**20} MiB")
    if data.startswith(b"PK"):
        data = _unpacked(path, data)
    if not _looks_like_xml(data):
        text = decoded(data)
        if "**kern" in text:
            return read_kern(path, text)
        if looks_like_abc(text):
            return read_abc(path, text)
        raise UnreadableInput(path, "not a score: neither MusicXML, MEI, kern nor ABC")
    root = parse_xml(path, data)
    if root.tag in ("score-partwise", "score-timewise"):
        return read_musicxml(path, root)
    if root.tag.rpartition(":")[2] == "mei":
        return read_mei(path, root)
    raise UnreadableInput(path, f"not a score: its XML is <{root.tag[:40]}>, neither MusicXML nor MEI")


def _looks_like_xml(data: bytes) -> bool:
    return data[:400].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"<")


def decoded(data: bytes) -> str:
    """Text in UTF-8, in UTF-16 with a byte order mark, or else in Latin 1."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _unpacked(path: Path, data: bytes) -> bytes:
    """The score in a compressed MusicXML file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entry = archive.getinfo(_score_name(path, archive))
            if entry.file_size > _MOST_BYTES:
                raise UnreadableInput(path, f"it unpacks to more than {_MOST_BYTES // 2**20} MiB")
            with archive.open(entry) as file:
                return file.read(_MOST_BYTES)
    except _ZIP_FAULTS as error:
        raise UnreadableInput(path, f"not a readable compressed score ({str(error)[:100]})") from None


def _score_name(path: Path, archive: zipfile.ZipFile) -> str:
    names = archive.namelist()
    if "META-INF/container.xml" in names:
        for file in parse_xml(path, archive.read("META-INF/container.xml")).iter("rootfile"):
            if file.get("full-path") in names:
                return str(file.get("full-path"))
    for name in names:
        if name.lower().endswith((".musicxml", ".xml")) and not name.startswith("META-INF/"):
            return name
    raise UnreadableInput(path, "not a compressed score: it contains no .musicxml or .xml file")
