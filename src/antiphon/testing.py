"""Checks for descriptors from outside the package: the laws that the package's own descriptors obey."""

from __future__ import annotations

import numpy as np
import torch

from antiphon.io.notes import Notes
from antiphon.models.batch import Batch, NoteBatch, Tokens, collate
from antiphon.models.descriptors import Descriptor, View

SAMPLE_RATE_HZ = 24_000
_WINDOW_S = 4
_NOTE_COUNTS = (12, 5, 30)


def check_descriptor(descriptor: Descriptor, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """Check a descriptor on random and on empty windows of 4 s.

    It must give `Tokens` of finite float32 [B, T, K], with K the number of its `dimensions` and T its `frames` where
    these are set; it must be finite on silence and on windows without notes, repeat itself exactly, and treat each
    window independently of the others in the batch and of padded notes. Raises `AssertionError` that names the law.

    >>> from antiphon.models.descriptors import DESCRIPTORS
    >>> check_descriptor(DESCRIPTORS["a4"])
    """

    def compute(batch: Batch) -> Tokens:
        with torch.no_grad():
            return descriptor.compute(View(batch, sample_rate_hz))

    def law(holds: bool, text: str) -> None:
        if not holds:  # not an assert statement, which `python -O` removes
            raise AssertionError(f"descriptor {descriptor.name!r} {text}")

    batch = _random_batch(sample_rate_hz)
    rows, first = len(_NOTE_COUNTS), compute(batch)
    values = first.values
    law(values.dtype == torch.float32, f"gives {values.dtype} instead of torch.float32")
    law(
        values.ndim == 3 and len(values) == rows,
        f"gives the shape {list(values.shape)} for {rows} windows: not [B, T, K]",
    )
    wanted = len(descriptor.dimensions)
    law(values.shape[2] == wanted, f"gives {values.shape[2]} numbers a frame and names {wanted} dimensions")
    frames = values.shape[1]
    law(descriptor.frames in (None, frames), f"gives {frames} frames instead of its {descriptor.frames}")
    law(bool(torch.isfinite(values).all()), "gives values that are not finite")
    empty = compute(_empty_batch(sample_rate_hz)).values
    law(bool(torch.isfinite(empty).all()), "gives values that are not finite on silence or without notes")
    law(torch.equal(values, compute(batch).values), "gives other values when it is computed again")
    for row in range(rows):
        alone = compute(_row(batch, row)).values
        same = torch.allclose(values[row : row + 1, : alone.shape[1]], alone, atol=2e-4, rtol=1e-4)
        law(same, "gives other values for a window alone than in a batch: it mixes windows or reads padded notes")


def _random_batch(sample_rate_hz: int) -> Batch:
    """Noise, and unequal numbers of notes, so that there is padding."""
    rng = np.random.default_rng(0)
    audio = rng.normal(0.0, 0.1, (len(_NOTE_COUNTS), _WINDOW_S * sample_rate_hz)).astype(np.float32)
    windows = [
        Notes.of(
            np.sort(rng.uniform(0.0, _WINDOW_S, count)),
            rng.uniform(0.05, 1.0, count),
            rng.integers(30, 90, count),
            rng.integers(20, 110, count),
        )
        for count in _NOTE_COUNTS
    ]
    return collate(audio, windows)


def _empty_batch(sample_rate_hz: int) -> Batch:
    return collate(np.zeros((2, _WINDOW_S * sample_rate_hz), np.float32), [Notes.of([], [], [], [])] * 2)


def _row(batch: Batch, row: int) -> Batch:
    """One window of a batch, with its notes unpadded."""
    notes = batch.notes
    kept = slice(0, max(1, int((~notes.padding[row]).sum())))
    columns = (notes.onset_s, notes.duration_s, notes.pitch, notes.velocity, notes.padding)
    return Batch(batch.audio[row : row + 1], NoteBatch(*(column[row : row + 1, kept] for column in columns)))
