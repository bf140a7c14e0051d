"""The links of a chained Ogg file: a radio recording starts a new logical stream for each title.

Decoders read one link only, or lose the time between links. Each link is therefore read as a file of its own.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_CAPTURE = b"OggS"
_HEAD_BYTES = 27
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_SEARCH_BYTES = 1 << 16


@dataclass(frozen=True)
class Link:
    """Bytes `begin` to `end` of the file. `closed` says whether its last page is marked as the last."""

    begin: int
    end: int
    closed: bool


def ogg_links(path: str | Path) -> list[Link]:
    """The links of an Ogg file, in order; empty where there is no page. Reads the heads of the pages only."""
    links: list[Link] = []
    size = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        in_heads, begin, closed = False, None, False
        for at, flags in _pages(file, size):
            if flags & _FIRST and not in_heads:
                if begin is not None:
                    links.append(Link(begin, at, closed))
                begin = at
            in_heads = bool(flags & _FIRST)
            closed = bool(flags & _LAST)
            begin = at if begin is None else begin
        if begin is not None:
            links.append(Link(begin, size, closed))
    return links


def _pages(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Position and flags of each page; damaged stretches are skipped."""
    at = 0
    while at + _HEAD_BYTES <= size:
        file.seek(at)
        head = file.read(_HEAD_BYTES + 255)
        if head[:4] != _CAPTURE or len(head) < _HEAD_BYTES:
            found = _next_capture(file, at + 1)
            if found is None:
                return
            at = found
            continue
        yield at, head[5]
        segments = head[26]
        at += _HEAD_BYTES + segments + sum(head[_HEAD_BYTES : _HEAD_BYTES + segments])


def _next_capture(file: BinaryIO, at: int) -> int | None:
    while True:
        file.seek(at)
        part = file.read(_SEARCH_BYTES)
        found = part.find(_CAPTURE)
        if found >= 0:
            return at + found
        if len(part) < _SEARCH_BYTES:
            return None
        at += len(part) - len(_CAPTURE) + 1


class FilePart(io.RawIOBase):
    """The bytes of one link as a file of its own."""

    def __init__(self, path: str | Path, begin: int, end: int) -> None:
        super().__init__()
        self._file = Path(path).open("rb")  # noqa: SIM115
        self._begin, self._size, self._at = begin, end - begin, 0

    def readable(self) -> bool:
        """Always True."""
        return True

    def seekable(self) -> bool:
        """Always True."""
        return True

    def tell(self) -> int:
        """Position within the part."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position within the part."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes, never beyond the part."""
        left = max(0, self._size - self._at)
        self._file.seek(self._begin + self._at)
        found = self._file.read(left if size < 0 else min(size, left))
        self._at += len(found)
        return found

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
