"""How much there is to compare: the onsets of a stretch, how many of them differ, and how many agree along a line.

A cosine of onset frames says how similar two stretches are, not how much that means. One note, a click or a beat that
repeats is similar to many places of any library. So the number of *different* onsets counts. It is the
participation ratio of the onsets' spectra: (Σ λ)² / Σ λ² of their Gram matrix's eigenvalues, 1 for equal or single
onsets, n for n orthogonal ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import find_peaks

from antiphon.alignment.onset_features import FRAME_HZ
from antiphon.signal.onsets import BANDS, Frames

_WEAKEST = 0.15  # of the strongest onset
_APART_S = 0.1
_OCTAVE = 13  # bands of the local mean, ± half an octave
_AGREES = 0.3
"""The least cosine of two onsets that agree."""
_SLACK = np.array([-2, 0, 2])  # frames by which two onsets that agree may differ in time
_REPEATS = 2  # times that each different onset counts at most
FEWEST_ONSETS, _FEWEST_DISTINCT = 2, 1.3
"""A stretch with less has too little to compare."""
_TINY = 1e-9


@dataclass(frozen=True)
class Content:
    """The content of a stretch: its number of onsets, and the effective number of different ones."""

    onsets: int
    distinct: float

    @property
    def is_too_little(self) -> bool:
        """Whether no alignment of the stretch can tell music apart: a single onset, or nearly equal ones."""
        return self.onsets < FEWEST_ONSETS or self.distinct < _FEWEST_DISTINCT


def onset_positions(frames: Frames) -> NDArray[np.int64]:
    """Frames [n] of the onsets that are at least 0.15 times as strong as the strongest, 0.1 s or more apart."""
    strength = np.linalg.norm(frames, axis=1)
    least = max(_WEAKEST * float(strength.max(initial=0.0)), 1e-6)
    peaks, _ = find_peaks(np.pad(strength, 1), height=least, prominence=least, distance=round(_APART_S * FRAME_HZ))
    return np.asarray(peaks - 1, np.int64)


def content_of(frames: Frames) -> Content:
    """The content of onset frames [n, bands] at 50 per second; no onsets and 0 for silence.

    >>> frames = np.zeros((100, BANDS), np.float32)
    >>> frames[[10, 30, 50, 70], [20, 24, 27, 20]] = 1.0
    >>> content = content_of(frames)
    >>> content.onsets, round(content.distinct, 1), content.is_too_little
    (4, 2.7, False)
    """
    onsets = onset_positions(frames)
    return Content(len(onsets), effective_number(_shapes(frames[onsets])))


def effective_number(vectors: NDArray[np.floating]) -> float:
    """The participation ratio of vectors [n, d]: at most n, and 0 where all are zero.

    >>> effective_number(np.eye(3)), effective_number(np.ones((3, 2)))
    (3.0, 1.0)
    """
    gram = vectors @ vectors.T
    square = float(np.square(gram).sum())
    return float(np.trace(gram)) ** 2 / square if square > 0 else 0.0


class OnsetAgreement:
    """Compares the onsets of a query, frames [q, bands], with those of lines through a library."""

    def __init__(self, query: Frames) -> None:
        self._positions = onset_positions(query)
        self._shapes = _shapes(query[self._positions])
        self._pitched = _unit(query[self._positions] @ _PITCHED)

    def pairs(self, regions: Frames, firsts: ArrayLike, tempi: ArrayLike) -> NDArray[np.float64]:
        """The ordered pairs [p] of different onsets that agree, for a line through each region [p, n, bands].

        A line begins at frame `firsts` [p] of its region and advances `tempi` [p] library frames per query frame. Two
        onsets agree when the pitched parts of their spectra, which are the spectra without their means over an octave,
        have a cosine of at least 0.3 within 40 ms. With a onsets that agree, d of them different, min(a, 2 d) (d − 1)
        pairs are counted: n (n − 1) of n different onsets, none of one note that repeats, 4 of two notes in turn. An
        onset weighs as much as that cosine where different ones are counted.
        """
        if not len(self._positions):
            return np.zeros(len(regions))
        lines = np.asarray(firsts)[:, None] + np.rint(self._positions * np.asarray(tempi)[:, None]).astype(np.int64)
        frame = np.clip(lines[..., None] + _SLACK, 0, regions.shape[1] - 1)
        near = regions[np.arange(len(regions))[:, None, None], frame] @ _PITCHED
        norm = np.sqrt(np.einsum("pksb,pksb->pks", near, near)) + np.float32(_TINY)
        best = ((near @ self._pitched[..., None])[..., 0] / norm).max(axis=2)
        weight = np.where(best >= _AGREES, best, 0.0)
        distinct = np.array([effective_number(self._shapes * own[:, None]) for own in weight])
        agreeing = np.minimum(np.count_nonzero(weight, axis=1), _REPEATS * distinct)
        return agreeing * np.maximum(distinct - 1, 0.0)


def _shapes(onsets: Frames) -> Frames:
    """Spectra of onsets [n, bands] without their means, of unit norm: the broadband part of an impact is left out."""
    return _unit(onsets - onsets.mean(axis=1, keepdims=True))


def _unit(vectors: Frames) -> Frames:
    return vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + np.float32(_TINY))


def _pitched_part() -> NDArray[np.float32]:
    """The matrix [bands, bands] that takes each band's mean over ± half an octave away."""
    band = np.arange(BANDS)
    near = np.abs(band[:, None] - band) <= _OCTAVE // 2
    return (np.eye(BANDS) - near / near.sum(axis=0)).astype(np.float32)


_PITCHED = _pitched_part()
