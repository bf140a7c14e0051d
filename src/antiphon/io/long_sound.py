"""A sound file as an array of samples that is decoded when it is read, so that its length does not matter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput
from antiphon.io.audio import is_silent, sound_blocks

BLOCK_S = 10.0
_KEPT = 60


class LongSound:
    """The mono samples of a sound file, or of a part of it: `sound[begin:end]` is float32, `len(sound)` their number.

    The whole part is decoded once at first, which finds its length and its faults. Ten minutes remain in memory. Other
    samples are decoded when a slice needs them, from the start of the file on. So slices in order of time cost one more
    decoding in total, and one that goes back by more than ten minutes another.

    Attributes
    ----------
    silent : bool
        Whether nothing sounds in it, see `is_silent`.

    Raises
    ------
    UnreadableInput
        As `read_samples`; in a slice, when the file is shorter than before.
    """

    silent: bool

    def __init__(
        self, path: str | Path, sample_rate_hz: int, start_s: float = 0.0, length_s: float | None = None
    ) -> None:
        self._path, self._sample_rate_hz = path, sample_rate_hz
        self._block = round(BLOCK_S * sample_rate_hz)
        self._kept: dict[int, NDArray[np.float32]] = {}
        self._restart()
        self._first = round(start_s * sample_rate_hz)
        last = math.inf if length_s is None else self._first + round(length_s * sample_rate_hz)
        self.silent, decoded = True, 0
        while decoded < last and (block := self._decoded()) is not None:
            part = block[max(0, self._first - decoded) : int(min(last - decoded, len(block)))]
            self.silent = self.silent and is_silent(part)
            decoded += len(block)
        self._length = int(min(last, decoded)) - self._first
        if self._length <= 0:
            raise UnreadableInput(path, f"it ends before second {start_s:g}")

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice, /) -> NDArray[np.float32]:
        """A copy of consecutive samples; begin and end are those of any sequence. Raises `ValueError` for a step."""
        begin, end, step = part.indices(self._length)
        if step != 1:
            raise ValueError(f"samples are read one after the other, not in steps of {step}")
        first, last = begin + self._first, end + self._first
        blocks = range(first // self._block, math.ceil(last / self._block)) if begin < end else range(0)
        parts = [
            self._at(number)[max(0, first - number * self._block) : last - number * self._block] for number in blocks
        ]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def _at(self, number: int) -> NDArray[np.float32]:
        if number not in self._kept:
            if number < self._next:
                self._restart()
            while self._next <= number:
                if self._decoded() is None:
                    raise UnreadableInput(self._path, "it has become shorter while it was read")
        return self._kept[number]

    def _restart(self) -> None:
        self._blocks: Iterator[NDArray[np.float32]] = sound_blocks(self._path, self._sample_rate_hz, BLOCK_S)
        self._next = 0

    def _decoded(self) -> NDArray[np.float32] | None:
        """Decode the next block and keep it in place of the one that was decoded first; None at the end."""
        block = next(self._blocks, None)
        if block is not None:
            self._kept.pop(self._next, None)
            self._kept[self._next] = block
            self._next += 1
            if len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return block
