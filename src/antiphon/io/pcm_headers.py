"""Headers of uncompressed sound: where the samples begin, and how many bytes of them the header states.

WAV, RF64, Wave64, AIFF, AU and CAF. A recorder that writes to a pipe, or is killed, leaves a placeholder as the size:
the samples then reach to the end of the file. A WAV of more than 4 GiB states its size modulo 4 GiB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_WAVE64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_MOST_CHUNKS = 10_000
_PLACEHOLDERS = ((0, 0), (0x7FFFF000 - 0x1000, 0x80001000), (0xFFFF0000, 0xFFFFFFFF))
_WRAP, _WRAP_SLACK = 1 << 32, 1 << 24
_OPEN_64_BIT = 1 << 62  # sizes of 64 bits from here on are placeholders
_HEAD_BYTES = 16


@dataclass(frozen=True)
class PcmHeader:
    """The part of a file that holds the samples.

    `stated_bytes` is None where the header leaves the size open; `here_bytes` is what the file has from the first
    sample to its end.
    """

    stated_bytes: int | None
    here_bytes: int

    @property
    def missing(self) -> float:
        """Fraction of the stated samples that the file lacks, from 0 to 1."""
        if not self.stated_bytes:
            return 0.0
        return max(0.0, 1.0 - self.here_bytes / self.stated_bytes)


def is_pcm_container(head: bytes) -> bool:
    """Whether the first 16 bytes of a file are those of one of these containers."""
    return head[:4] in {b"RIFF", b"RIFX", b"RF64", b"FORM", b".snd", b"dns.", b"caff"} or head == _WAVE64


def pcm_header(path: str | Path) -> PcmHeader | None:
    """Read the header; None where it names no samples."""
    size = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if head[:4] in {b".snd", b"dns."}:
            order = "big" if head[:4] == b".snd" else "little"
            begin, stated = int.from_bytes(head[4:8], order), int.from_bytes(head[8:12], order)  # type: ignore[arg-type]
            return PcmHeader(None if stated == 0xFFFFFFFF else stated, max(0, size - begin))
        long_size = None
        for name, begin, stated in _chunks(file, head):
            if name == b"ds64":
                file.seek(begin + 8)
                long_size = int.from_bytes(file.read(8), "little")
            elif name in {b"data", b"SSND"}:
                return _samples(file, head, begin, stated, long_size, size)
    return None


def _samples(
    file: BinaryIO, head: bytes, begin: int, stated: int, long_size: int | None, size: int
) -> PcmHeader | None:
    here = max(0, size - begin)
    if head[:4] in {b"RF64", b"RIFF"} and long_size and stated == 0xFFFFFFFF:
        return PcmHeader(None if long_size >= _OPEN_64_BIT else long_size, here)
    if head[:4] == b"caff":
        return PcmHeader(None if stated < 0 or stated >= _OPEN_64_BIT else stated, here)
    if head == _WAVE64:
        return PcmHeader(None if stated <= 0 or stated >= _OPEN_64_BIT else stated, here)
    if stated == 0 and here and _ends_with_chunks(file, head, begin, size):
        return PcmHeader(0, here)
    if stated < here and (here - stated) % _WRAP < _WRAP_SLACK and here - stated >= _WRAP:
        return PcmHeader(None, here)
    open_ended = stated > here or stated == 0
    if open_ended and any(low <= stated <= high for low, high in _PLACEHOLDERS):
        return PcmHeader(None, here)
    return PcmHeader(stated, here)


def _ends_with_chunks(file: BinaryIO, head: bytes, begin: int, size: int) -> bool:
    """Whether well-formed chunks reach from `begin` to the end of the file."""
    at = begin
    for name, inside, length in _chunks(file, head, begin):
        if not name.isascii() or not name.decode("ascii").isprintable():
            return False
        at = inside + length + length % 2
    return size <= at <= size + 1


def _chunks(file: BinaryIO, head: bytes, begin: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Name, position of the content and size of each chunk."""
    name_bytes, size_bytes, order, first = 4, 4, "little", 12
    if head[:4] in {b"FORM", b"RIFX"}:
        order = "big"
    elif head[:4] == b"caff":
        size_bytes, order, first = 8, "big", 8
    elif head == _WAVE64:
        name_bytes, size_bytes, first = 16, 8, 40
    at = first if begin is None else begin
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        found = file.read(name_bytes + size_bytes)
        if len(found) < name_bytes + size_bytes:
            return
        length = int.from_bytes(found[name_bytes:], order, signed=size_bytes == 8)  # type: ignore[arg-type]
        inside = at + len(found)
        if head == _WAVE64:  # its sizes include the head of the chunk, its chunks begin at multiples of 8
            length -= len(found)
        yield found[:4], inside, length
        if length < 0:
            return
        at = inside + length
        at += -at % 8 if head == _WAVE64 else length % 2 if size_bytes == 4 else 0
