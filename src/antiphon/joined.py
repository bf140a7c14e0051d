"""Several models as one, their vectors beside each other: what was learned and what was hand-crafted, for example."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from antiphon.batch import AS_RECORDED, Playback
from antiphon.embedding import Embedder
from antiphon.errors import AntiphonError
from antiphon.notes import Notes

Rows = NDArray[np.float32]


class JoinedEmbedder:
    """Models as an `antiphon.embedding.Embedder`: the cosine of two rows is the mean of the models' cosines.

    A model that finds nothing in a window adds zeros there; the row is as long without it. Raises `AntiphonError` when
    they differ in sample rate or window.
    """

    def __init__(self, parts: Sequence[Embedder]) -> None:
        self._parts = tuple(parts)
        self.name = "+".join(part.name for part in parts)
        for what in ("sample_rate_hz", "window_s"):
            values = [getattr(part, what) for part in parts]
            if len(set(values)) > 1:
                raise AntiphonError(f"{self.name}: models are joined window by window, but their {what} are {values}")
        self.sample_rate_hz, self.window_s = parts[0].sample_rate_hz, parts[0].window_s
        self.dimensions = sum(part.dimensions for part in parts)
        self.parameters = sum(part.parameters for part in parts)
        self.query_hop_s = min(part.query_hop_s for part in parts)
        self.elastic = all(part.elastic for part in parts)
        self.fingerprint = hashlib.sha256(repr([part.fingerprint for part in parts]).encode()).hexdigest()

    def embed_audio(
        self, samples: NDArray[np.float32], starts_s: NDArray[np.float64], playback: Playback = AS_RECORDED
    ) -> Rows:
        """Windows of one recording's sound: unit vectors [n, dimensions], zeros where no model finds anything."""
        return _beside([part.embed_audio(samples, starts_s, playback) for part in self._parts])

    def embed_notes(self, notes: Notes, starts_s: NDArray[np.float64], playback: Playback = AS_RECORDED) -> Rows:
        """Windows of one recording's notes: unit vectors [n, dimensions], zeros where no model finds anything."""
        return _beside([part.embed_notes(notes, starts_s, playback) for part in self._parts])

    def embed_pairs(
        self, samples: NDArray[np.float32], notes: Notes, starts_s: NDArray[np.float64]
    ) -> tuple[Rows, Rows]:
        """Both sides of the same windows."""
        sides = zip(*(part.embed_pairs(samples, notes, starts_s) for part in self._parts), strict=True)
        audio, rows = (_beside(side) for side in sides)
        return audio, rows


def _beside(rows: Sequence[Rows]) -> Rows:
    """Unit rows of several models as unit rows."""
    joined = np.concatenate(rows, axis=1)
    return joined / np.sqrt(np.maximum(sum(one.any(axis=1) for one in rows), 1)).astype(np.float32)[:, None]
