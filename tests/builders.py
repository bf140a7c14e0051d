"""Small inputs that several test files build on."""

from __future__ import annotations

import numpy as np
import torch

from antiphon.alignment.alignment_table import Alignment
from antiphon.alignment.dtw import Warp
from antiphon.corpora import Recording
from antiphon.corpora.segment_table import SegmentTable
from antiphon.io.notes import Notes
from antiphon.models.batch import Batch, collate

RATE_HZ = 24_000
WINDOW = 4 * RATE_HZ


def random_notes(rng: np.random.Generator, count: int, until_s: float = 4.0) -> Notes:
    """Notes with distinct onsets, so that their order is theirs alone."""
    onset_s = np.sort(rng.uniform(0.0, until_s, count))
    return Notes.of(onset_s, rng.uniform(0.05, 1.0, count), rng.integers(30, 90, count), rng.integers(20, 110, count))


def random_batch(rows: int = 3, seed: int = 0, note_counts: tuple[int, ...] = (12, 5, 30)) -> Batch:
    """Noise and random notes of unequal number, so that there is padding."""
    rng = np.random.default_rng(seed)
    audio = rng.normal(0.0, 0.1, (rows, WINDOW)).astype(np.float32)
    return collate(audio, [random_notes(rng, note_counts[row % len(note_counts)]) for row in range(rows)])


def silent_batch(rows: int = 2) -> Batch:
    """Silence, and windows without a note."""
    return collate(np.zeros((rows, WINDOW), np.float32), [Notes.of([], [], [], [])] * rows)


def pick(batch: Batch, row: int) -> Batch:
    """One row of a batch, with its notes unpadded."""
    length = int((~batch.notes.padding[row]).sum())
    columns = {
        name: getattr(batch.notes, name)[row : row + 1, : max(1, length)]
        for name in ("onset_s", "duration_s", "pitch", "velocity", "padding")
    }
    return Batch(batch.audio[row : row + 1], type(batch.notes)(**columns))


def table(windows_per_recording: list[int], works: list[str], composers: list[str] | None = None) -> SegmentTable:
    """A table over recordings that exist in name only."""
    composers = composers or ["somebody"] * len(works)
    recordings = [
        Recording(f"r{i}", None, None, 3.0 + count, composers[i], works[i], "test", works[i])  # type: ignore[arg-type]
        for i, count in enumerate(windows_per_recording)
    ]
    return SegmentTable.over(recordings)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows scaled to unit length, float32."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def assert_same_state(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    """Equal names and equal bits."""
    assert left.keys() == right.keys()
    different = [name for name in left if not torch.equal(left[name], right[name])]
    assert not different, f"these differ: {different[:3]}"


def alignment_of(notes: Notes, path: tuple[Warp, ...], semitones: int = 0, reached: slice = slice(None)) -> Alignment:
    """An alignment of notes that lie on a path; those that are not `reached` are missing."""
    placed = np.zeros(len(notes), bool)
    placed[reached] = True
    at_s = path[0].at if path else np.zeros_like
    return Alignment(
        recording="take.wav",
        notes="take.mid",
        confidence=0.5,
        path_confidence=0.75,
        lost=(),
        semitones=semitones,
        path=path,
        note=np.arange(len(notes)).astype(np.str_),
        pitch=notes.pitch,
        velocity=notes.velocity,
        onset_s=notes.onset_s,
        offset_s=notes.offset_s,
        bar=None,
        beat=None,
        recording_s=np.where(placed, at_s(notes.onset_s), np.nan),
        recording_offset_s=np.where(placed, at_s(notes.offset_s), np.nan),
        state=np.where(placed, "played", "missing"),
        note_confidence=np.ones(len(notes)),
    )
