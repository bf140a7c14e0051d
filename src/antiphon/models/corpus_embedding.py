"""Read the recordings of a corpus and embed both modalities of their windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.corpora import Corpus, Recording
from antiphon.corpora.segment_table import HEADER_SLACK_S, PAPER_GRID, SegmentTable, WindowGrid, cut_windows
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.audio import is_silent, read_samples
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.models.protocol import Embedder
from antiphon.progress import track


def read_sound(
    path: Path,
    sample_rate_hz: int,
    needed_s: float,
    start_s: float = 0.0,
    length_s: float | None = None,
    purpose: str = "window",
) -> NDArray[np.float32]:
    """Mono samples float32 [n] of a file, from `start_s` on, at most `length_s`.

    Raises `UnreadableInput` for a file that cannot be read, for silence and for audio shorter than the
    `purpose` needs.
    """
    samples = read_samples(path, sample_rate_hz, start_s, length_s)
    check_sound(path, is_silent(samples), len(samples) / sample_rate_hz, needed_s, purpose)
    return samples


def check_sound(name: str | Path, silent: bool, found_s: float, needed_s: float, purpose: str) -> None:
    """Raise `UnreadableInput`, which gives the name, for silence or sound shorter than the `purpose` needs."""
    if silent:
        raise UnreadableInput(name, "it is silent (nothing audible above −80 dBFS)")
    if found_s < needed_s - HEADER_SLACK_S:
        raise UnreadableInput(name, f"{found_s:.2f} s of sound is too short; a {purpose} needs {needed_s:g} s")


@dataclass(frozen=True, eq=False)
class OpenedRecording:
    """Samples and notes of a recording, and the windows of a grid.

    `samples` float32 [n], mono, up to the end of the last window; `notes` of the whole file; `starts_s` float64 [w] of
    the windows in seconds, in order of time.
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int
    notes: Notes
    starts_s: NDArray[np.float64]

    def sound(self, start_s: float, length_s: float) -> NDArray[np.float32]:
        """Samples from `start_s` on, float32 [length_s · sample_rate_hz]; zeros beyond the end."""
        return cut_windows(self.samples, self.sample_rate_hz, np.array([start_s]), length_s)[0]


def open_recording(recording: Recording, sample_rate_hz: int, grid: WindowGrid) -> OpenedRecording:
    """Read the notes of a recording and the part of its audio that the windows of `grid` cover.

    Raises `UnreadableInput` when a file cannot be read, and when the audio is silent or shorter than a window.
    """
    assert recording.audio_path is not None
    starts_s = grid.starts_s(recording.duration_s)
    needed_s = recording.duration_s if len(starts_s) == 0 else float(starts_s[-1]) + grid.window_s
    notes = read_notes(recording.notes_path)
    samples = read_sound(recording.audio_path, sample_rate_hz, grid.window_s, length_s=needed_s)
    return OpenedRecording(samples, sample_rate_hz, notes, starts_s)


def open_recordings(
    corpus: Corpus, sample_rate_hz: int, grid: WindowGrid, skipped: list[UnreadableInput]
) -> Iterator[tuple[Recording, OpenedRecording]]:
    """The recordings with audio that can be read, one at a time, with progress reported.

    Appends to `skipped` the errors of the corpus and those of recordings that cannot be read. Raises `AntiphonError`
    when no recording has audio, and after the last one when none could be read.
    """
    skipped.extend(corpus.skipped)
    corpus, readable = corpus.with_sound(), 0
    for recording in track(corpus.recordings, "embedding"):
        try:
            opened = open_recording(recording, sample_rate_hz, grid)
        except UnreadableInput as error:
            skipped.append(error)
            continue
        readable += 1
        yield recording, opened
    if not readable:
        raise AntiphonError(f"{corpus.name}: none of its {len(corpus)} recordings can be read; first: {skipped[0]}")


@dataclass(frozen=True)
class EmbeddedSegments:
    """Embeddings of every window of a table: `audio` and `notes` float32 [n, D]; row i belongs to window i.

    `skipped` are the errors of recordings that could not be read.
    """

    table: SegmentTable
    audio: NDArray[np.float32]
    notes: NDArray[np.float32]
    skipped: tuple[UnreadableInput, ...]


def embed_corpus(embedder: Embedder, corpus: Corpus, grid: WindowGrid = PAPER_GRID) -> EmbeddedSegments:
    """Embed both modalities of every window of a corpus with audio; recordings that cannot be read are skipped.

    Hop and number of windows are those of `grid`, the window length is the embedder's. Raises `AntiphonError` when no
    recording has audio or none can be read.
    """
    grid = grid.of_windows(embedder.window_s)
    kept: list[Recording] = []
    skipped: list[UnreadableInput] = []
    rows: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    for recording, opened in open_recordings(corpus, embedder.sample_rate_hz, grid, skipped):
        rows.append(embedder.embed_pairs(opened.samples, opened.notes, opened.starts_s))
        kept.append(recording)
    audio, notes_rows = (np.concatenate(side) for side in zip(*rows, strict=True))
    return EmbeddedSegments(SegmentTable.over(kept, grid), audio, notes_rows, tuple(skipped))
