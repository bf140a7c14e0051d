"""Embed every window of a file, as an index stores it. Long files are read and embedded part by part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.corpora.segment_table import WindowGrid
from antiphon.errors import UnreadableInput
from antiphon.io.audio import is_silent
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.models.corpus_embedding import check_sound
from antiphon.models.protocol import Embedder
from antiphon.models.streaming import file_blocks, sound_parts
from antiphon.types import Modality

_TOGETHER = 256
"""Windows of notes that are embedded at once."""
_NEAR_S = 1.0

_Windows = tuple[NDArray[np.float64], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class EmbeddedFile:
    """The windows of a file in which something sounds, and the notes of a note file.

    `starts_s` float64 [n] in seconds; `vectors` float16 [n, D]; `empty_windows` counts the windows that are silent or
    without notes.
    """

    duration_s: float
    starts_s: NDArray[np.float64]
    vectors: NDArray[np.float16]
    empty_windows: int
    notes: Notes | None


def embed_file(path: str | Path, kind: Modality, embedder: Embedder, hop_s: float) -> EmbeddedFile:
    """Embed every window of a file. Raises `UnreadableInput` when all windows are silent."""
    path = Path(path)
    notes = None
    if kind == "audio":
        sound = _CheckedSound(path, embedder)
        starts_s, vectors, empty = _sounding(sound.windows(hop_s), embedder.dimensions)
        duration_s = sound.duration_s
    else:
        notes = read_notes(path)
        # A piece shorter than a window still makes one: after its last note there is silence.
        duration_s = max(embedder.window_s, notes.end_s)
        grid_s = WindowGrid(embedder.window_s, hop_s, None).starts_s(duration_s)
        starts_s, vectors, _ = _sounding(_of_notes(notes, grid_s, embedder), embedder.dimensions)
        empty = len(grid_s) - len(starts_s)
    if not len(vectors):
        raise UnreadableInput(path, "nothing sounds in any of its windows")
    return EmbeddedFile(duration_s, starts_s, vectors, empty, notes)


class _CheckedSound:
    """A sound file that is decoded once; what concerns the whole of it is known at the end."""

    def __init__(self, path: Path, embedder: Embedder) -> None:
        self._path, self._embedder = path, embedder
        self.duration_s, self._silent = 0.0, True

    def windows(self, hop_s: float) -> Iterator[_Windows]:
        """Starts and vectors, part by part. Raises `UnreadableInput` at the end of silence or of a short sound."""
        window_s = self._embedder.window_s
        for part in sound_parts(self._blocks(), self._embedder.sample_rate_hz, window_s, hop_s):
            if self.duration_s < window_s:  # the end of a short sound
                self._check()
            yield part.starts_s, self._embedder.embed_audio_windows(part.samples, part.within_s)
        self._check()

    def _check(self) -> None:
        check_sound(self._path, self._silent, self.duration_s, self._embedder.window_s, "window")

    def _blocks(self) -> Iterator[NDArray[np.float32]]:
        decoded, rate = 0, self._embedder.sample_rate_hz
        for block in file_blocks(self._path, rate):
            decoded += len(block)
            self._silent = self._silent and is_silent(block)
            self.duration_s = decoded / rate
            yield block


def _of_notes(notes: Notes, starts_s: NDArray[np.float64], embedder: Embedder) -> Iterator[_Windows]:
    """Starts and vectors of all windows but those far from any note: a stray note may be days behind the others."""
    begun = np.searchsorted(notes.onset_s, starts_s + embedder.window_s + _NEAR_S)
    ended = np.searchsorted(np.sort(notes.offset_s), starts_s - _NEAR_S)
    near = np.flatnonzero(begun > ended)
    for some in np.split(near, np.flatnonzero(np.diff(near // _TOGETHER)) + 1):
        yield starts_s[some], embedder.embed_notes_windows(notes, starts_s[some])


def _sounding(windows: Iterator[_Windows], dimensions: int) -> tuple[NDArray[np.float64], NDArray[np.float16], int]:
    """Starts and vectors of the windows in which something sounds, as an index stores them, and how many others."""
    starts_s, vectors, empty = [np.zeros(0)], [np.zeros((0, dimensions), np.float16)], 0
    for some, rows in windows:
        kept = np.any(rows, axis=1)
        starts_s.append(some[kept])
        vectors.append(rows[kept].astype(np.float16))
        empty += int(np.count_nonzero(~kept))
    return np.concatenate(starts_s), np.concatenate(vectors), empty
