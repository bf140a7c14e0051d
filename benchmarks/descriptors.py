"""Descriptors in windows of 4 s per second: batches of 32, against the same formulas in numpy, one window at a time."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from antiphon.corpora import open_corpus
from antiphon.corpora.segment_table import cut_windows
from antiphon.io.audio import read_samples
from antiphon.io.note_files import read_notes
from antiphon.models.batch import Batch, Tokens, collate
from antiphon.models.descriptors import HOP, N_FFT, describe
from antiphon.models.descriptors.band_energy import OCTAVES
from benchmarks.timing import SAMPLE_RATE_HZ, Benchmark, Effort, Peer, Row, race

_WINDOWS = 32
_WINDOW_S = 4.0


@lru_cache(maxsize=1)
def _batch() -> Batch:
    """The first 32 windows of a demo recording, one per second."""
    recording = open_corpus("demo").recordings[0]
    assert recording.audio_path is not None
    starts_s = np.arange(_WINDOWS, dtype=np.float64)
    samples = read_samples(recording.audio_path, SAMPLE_RATE_HZ, 0.0, _WINDOWS + _WINDOW_S)
    notes = read_notes(recording.notes_path)
    return collate(
        cut_windows(samples, SAMPLE_RATE_HZ, starts_s, _WINDOW_S), [notes.window(s, _WINDOW_S) for s in starts_s]
    )


def _ours(name: str) -> Tokens:
    return describe(_batch(), [name], SAMPLE_RATE_HZ)[name]


def _plain_a4(windows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """A4 written with librosa, one window at a time: float32 [T, 8] each."""
    import librosa

    rows = []
    for window in windows:
        level = np.log1p(np.abs(librosa.stft(window, n_fft=N_FFT, hop_length=HOP)))
        bands = np.stack([level[low:high].mean(axis=0) for low, high in OCTAVES], axis=1)
        change = np.diff(bands, axis=0, prepend=bands[:1])
        rows.append((change - change.mean(axis=0)) / np.maximum(change.std(axis=0), 1e-8))
    return rows


def _plain_d4(windows: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """D4 written with numpy, one window at a time: float32 [N, 4] each, N without padding."""
    rows: list[NDArray[np.float32]] = []
    for pitch in windows:
        step = np.diff(pitch)
        previous, following = np.append(np.float32(0), step), np.append(step, np.float32(0))
        columns = (
            previous / 24,
            following / 24,
            np.clip(previous / 12, -2, 2) / 2,
            np.clip(following / 12, -2, 2) / 2,
        )
        rows.append(np.stack(columns, axis=1))
    return rows


def _agree(ours: Tokens, theirs: list[NDArray[np.float32]]) -> bool:
    return all(
        np.allclose(mine[: len(other)].numpy(), other, atol=1e-3)
        for mine, other in zip(ours.values, theirs, strict=True)
    )


def _a4(effort: Effort) -> list[Row]:
    windows = _batch().audio.numpy()
    peer = Peer("librosa.stft per window", partial(_plain_a4, windows), ("librosa",))
    return race("descriptor A4", "windows/s", _WINDOWS, partial(_ours, "a4"), effort, (peer,), _agree)


def _d4(effort: Effort) -> list[Row]:
    notes = _batch().notes
    windows = [
        row[~padding].numpy().astype(np.float32) for row, padding in zip(notes.pitch, notes.padding, strict=True)
    ]
    peer = Peer("numpy per window", partial(_plain_d4, windows))
    return race("descriptor D4", "windows/s", _WINDOWS, partial(_ours, "d4"), effort, (peer,), _agree)


BENCHMARKS = (Benchmark("a4", _a4), Benchmark("d4", _d4))
