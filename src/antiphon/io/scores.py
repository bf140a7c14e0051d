"""Scores → `Notes`: MusicXML, compressed or not, MEI, kern and ABC, told apart by their content."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from antiphon.errors import UnreadableInput
from antiphon.io.musicxml import read_musicxml
from antiphon.io.notes import Notes
from antiphon.io.sheet import performed
from antiphon.io.xml_text import parse_xml

SCORE_SUFFIXES = frozenset({".musicxml", ".mxl", ".xml", ".mei", ".krn", ".kern", ".abc"})
_MOST_BYTES = 256 * 2**20


def read_score(path: Path, data: bytes) -> Notes:
    if data.startswith(b"PK"):
        data = _unpacked(path, data)
    root = parse_xml(path, data)
    return performed(read_musicxml(path, root), path)


def _unpacked(path: Path, data: bytes) -> bytes:
    """The score in a compressed MusicXML file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entry = archive.getinfo(_score_name(path, archive))
            if entry.file_size > _MOST_BYTES:
                raise UnreadableInput(path, f"it unpacks to more than {_MOST_BYTES // 2**20} MiB")
            with archive.open(entry) as file:
                return file.read(_MOST_BYTES)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
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
