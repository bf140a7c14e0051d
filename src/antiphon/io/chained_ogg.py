"""An Ogg file whose links are read one after the other, at the rate and with the channels of the first."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput
from antiphon.io.av_audio import AvDecoder
from antiphon.io.ogg_links import FilePart, Link, ogg_links


class ChainedOgg:
    """The links of an Ogg file as one sound; one link is open at a time."""

    def __init__(self, path: str | Path, links: list[Link]) -> None:
        self._path = path
        self._links: list[tuple[Link, int, int]] = []
        self._like: AvDecoder | None = None
        self._current: tuple[Link, AvDecoder] | None = None
        self.seekable = True
        self.damaged_at_s: float | None = None
        self.stated_s: float | None = None
        self.cut = not links[-1].closed
        self.frames = 0
        fault: UnreadableInput | None = None
        for link in links:
            try:
                decoder = self._open(link)
            except UnreadableInput as error:
                fault = error
                continue
            self._like = self._like or decoder
            self._links.append((link, self.frames, decoder.frames))
            self.frames += decoder.frames
            self.seekable &= decoder.seekable
        if not self._links:
            raise fault or UnreadableInput(path, "not a readable sound file (no page of Ogg)")
        if fault is not None:
            self.damaged_at_s = self.frames / self.sample_rate_hz

    @classmethod
    def open(cls, path: str | Path) -> ChainedOgg | None:
        """Open an Ogg file; None where it has no page."""
        links = ogg_links(path)
        return cls(path, links) if links else None

    def blocks(self, begin: int, count: int | None) -> Iterator[NDArray[np.float32]]:
        """Samples [n, channels] from `begin` to begin + count, to the end for None."""
        end = self.frames if count is None else min(self.frames, begin + count)
        for link, first, frames in self._links:
            inside, wanted = max(0, begin - first), min(frames, end - first)
            if wanted <= inside:
                continue
            decoder = self._open(link)
            found = 0
            for block in decoder.blocks(inside, wanted - inside):
                yield block
                found += len(block)
            if found < wanted - inside:
                yield np.zeros((wanted - inside - found, self.channels), np.float32)
            if decoder.damaged_at_s is not None and self.damaged_at_s is None:
                self.damaged_at_s = first / self.sample_rate_hz + decoder.damaged_at_s

    @property
    def sample_rate_hz(self) -> int:
        """Samples per second of the first link."""
        return 0 if self._like is None else self._like.sample_rate_hz

    @property
    def channels(self) -> int:
        """Number of channels of the first link."""
        return 0 if self._like is None else self._like.channels

    def close(self) -> None:
        """Close the file."""
        if self._current is not None:
            self._current[1].close()
            self._current = None

    def _open(self, link: Link) -> AvDecoder:
        if self._current is not None and self._current[0] == link:
            return self._current[1]
        self.close()
        part = partial(FilePart, self._path, link.begin, link.end)
        decoder = AvDecoder(self._path, part, like=self._like)
        self._current = link, decoder
        return decoder
