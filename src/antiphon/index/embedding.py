"""Embed every window of a file, as an index stores it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.corpora.segment_table import WindowGrid
from antiphon.errors import UnreadableInput
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.models.corpus_embedding import read_sound
from antiphon.models.protocol import Embedder
from antiphon.types import Modality


@dataclass(frozen=True, eq=False)
class EmbeddedFile:
    """Windows of a file: starts float64 [n] in seconds, vectors float32 [n, D], and the notes of a note file."""

    duration_s: float
    starts_s: NDArray[np.float64]
    vectors: NDArray[np.float32]
    notes: Notes | None


def embed_file(path: str | Path, kind: Modality, embedder: Embedder, hop_s: float) -> EmbeddedFile:
    """Embed every window of a file. Raises `UnreadableInput` when all windows are silent."""
    path = Path(path)
    grid = WindowGrid(embedder.window_s, hop_s, None)
    notes = None
    if kind == "audio":
        samples = read_sound(path, embedder.sample_rate_hz, embedder.window_s)
        duration_s = len(samples) / embedder.sample_rate_hz
        starts = grid.starts_s(duration_s)
        vectors = embedder.embed_audio_windows(samples, starts)
    else:
        notes = read_notes(path)
        # A piece shorter than a window still makes one: after its last note there is silence.
        duration_s = max(embedder.window_s, notes.end_s)
        starts = grid.starts_s(duration_s)
        vectors = embedder.embed_notes_windows(notes, starts)
    if not np.any(vectors):
        raise UnreadableInput(path, "nothing sounds in any of its windows")
    return EmbeddedFile(duration_s, starts, vectors, notes)
