"""The outermost boxes of an MP4 (M4A, MOV, 3GP): whether the index of its samples is there."""

from __future__ import annotations

from pathlib import Path

_MOST_BOXES = 1000
_FIRST_BOXES = {b"ftyp", b"mdat", b"moov", b"wide", b"free", b"skip"}


def missing_index(path: Path) -> str | None:
    """The fault of an MP4 that lacks its index (`moov`); None for other files.

    Most recorders write the index last, so a file that is cut off lacks it, and nothing in it can be decoded.
    """
    size, at = path.stat().st_size, 0
    with path.open("rb") as file:
        for number in range(_MOST_BOXES):
            file.seek(at)
            head = file.read(16)
            length, name = int.from_bytes(head[:4], "big"), head[4:8]
            if number == 0 and name not in _FIRST_BOXES:
                return None
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            length = length or size - at
            if len(head) < 8 or length < 8:
                return "the index of its samples (moov) is missing, so the file is cut off or damaged"
            if name == b"moov":
                return "the index of its samples (moov) is cut off" if at + length > size else None
            at += length
    return None
