"""Embed every window of a long sound part by part, with the same result as all at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.corpora.segment_table import WindowGrid
from antiphon.io.audio import Sound, sound_blocks
from antiphon.io.long_sound import BLOCK_S
from antiphon.progress import track

CONTEXT_S = 1.0
"""A vector may depend on samples this near to its window."""
_BEGINS_EVERY_S = 2.0  # parts begin on a frame of every embedder
_WINDOWS, _WINDOWS_S = 64, 64.0  # of a part, at most: whole batches of an embedder, and its memory
_SHORT_BLOCKS = 60  # whose progress is not reported


@dataclass(frozen=True, eq=False)
class SoundPart:
    """A part of a sound and windows that lie in it: starts float64 [w] in seconds of the whole sound.

    `samples` begin at `begin_s` and reach at least `CONTEXT_S` beyond the windows, except at the ends of the sound.
    """

    samples: NDArray[np.float32]
    begin_s: float
    starts_s: NDArray[np.float64]

    @property
    def within_s(self) -> NDArray[np.float64]:
        """The starts of the windows in seconds of `samples`."""
        return self.starts_s - self.begin_s


def sound_parts(
    blocks: Iterable[NDArray[np.float32]], sample_rate_hz: int, window_s: float, hop_s: float
) -> Iterator[SoundPart]:
    """The parts of a sound that blocks of mono samples make up, with every whole window, at least one, in order.

    A sound shorter than a window has one window, which reaches beyond it.
    """
    grid, step = WindowGrid(window_s, hop_s, None), round(_BEGINS_EVERY_S * sample_rate_hz)
    together = max(1, min(_WINDOWS, int(_WINDOWS_S / hop_s)))
    held, begin, done = np.zeros(0, np.float32), 0, 0
    for block in chain(blocks, [None]):
        if block is None:
            count = len(grid.starts_s(max((begin + len(held)) / sample_rate_hz, window_s)))
        else:
            held = np.concatenate([held, block])
            count = len(grid.starts_s((begin + len(held)) / sample_rate_hz - CONTEXT_S)) // together * together
        if count > done:
            yield SoundPart(held, begin / sample_rate_hz, np.arange(done, count, dtype=np.float64) * hop_s)
            done = count
        needed = max(begin, math.floor((done * hop_s - CONTEXT_S) * sample_rate_hz))
        unused = min(needed - begin, len(held)) // step * step
        held, begin = held[unused:], begin + unused


def file_blocks(path: Path, sample_rate_hz: int) -> Iterator[NDArray[np.float32]]:
    """Blocks of ten seconds of a sound file; progress of a long one is reported. Raises as `sound_blocks` does."""
    blocks = sound_blocks(path, sample_rate_hz, BLOCK_S)
    return track(blocks, f"embedding {path.name}", unreported=_SHORT_BLOCKS)


def blocks_of(sound: Sound) -> Iterator[NDArray[np.float32]]:
    """Blocks of ten seconds of a sound in memory."""
    length = round(BLOCK_S * sound.sample_rate_hz)
    return (sound.samples[begin : begin + length] for begin in range(0, len(sound.samples), length))
