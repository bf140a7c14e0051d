"""How well a stretch of a query fits places of the library, and where exactly: along lines of constant tempo.

The fit of a line is the cosine of both sides' onset frames along it, each band without its mean: 1 for the same, about
0.1 for the best of many that have nothing to do with it. The best of all lines near the one asked for is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray

from antiphon.alignment.onset_features import FRAME_HZ
from antiphon.signal.onsets import Frames

_STRIDE = 2
_STEP_S = _STRIDE / FRAME_HZ
MARGIN_S = 1.0
"""How far from where it is expected a stretch may begin."""
_TEMPO_STEP = 1.02
_STEPS = 7
NEAR_TEMPO = _TEMPO_STEP**_STEPS
"""Tempi that are tried: 1.02^(−7 … 7) times the one that is expected, from 0.87 to 1.15 times."""
_EMPTY = 1e-4  # of the energy of all that was compared


@dataclass(frozen=True)
class LocalAlignment:
    """The best line: the stretch's first moment is at `start_s` of the recording, `tempo` library seconds a query
    second; `score` is the cosine."""

    start_s: float
    tempo: float
    score: float


def region_s(start_s: float, length_s: float, tempo: float) -> tuple[float, float]:
    """From where to where `Lines.fit` needs a recording, for a stretch of `length_s` seconds of query."""
    return start_s - MARGIN_S, start_s + length_s * tempo * NEAR_TEMPO + MARGIN_S


class TempoSearch:
    """All lines of a stretch of a query, `query` [q, bands] at 50 frames a second, with tempi about `tempo`."""

    def __init__(self, query: Frames, tempo: float) -> None:
        self._query = query
        self._fine: dict[tuple[float, int], Frames] = {}
        self._tempi = tempo * _TEMPO_STEP ** np.arange(-_STEPS, _STEPS + 1)
        self._lengths = np.maximum(1, (len(query) * self._tempi / _STRIDE).astype(np.int64))
        longest = int(self._lengths.max()) + round(2 * MARGIN_S / _STEP_S)
        self._transform = scipy.fft.next_fast_len(longest + 2, real=True)
        lines = np.zeros((len(self._tempi), query.shape[1], int(self._lengths.max())), np.float32)
        for line, tempo_, length in zip(lines, self._tempi, self._lengths, strict=True):
            line[:, :length] = self._played(np.arange(length) * _STRIDE / tempo_).T
        self._spectra = torch.fft.rfft(torch.from_numpy(lines), self._transform).conj()  # [tempi, bands, F]

    def _played(self, at: NDArray[np.float64]) -> Frames:
        """Frames of the query, each band without its mean, of unit length together: [n, bands]."""
        played = self._query[np.minimum(np.rint(at).astype(np.int64), len(self._query) - 1)]
        played = played - played.mean(axis=0)
        return played / np.float32(max(float(np.linalg.norm(played)), 1e-9))

    def fit(self, regions: Sequence[Frames], begins_s: Sequence[float]) -> list[LocalAlignment]:
        """The best line through each region, of lines that begin every 20 ms.

        A region [n, bands] is the part of a recording that `region_s` names, from second `begins_s` on, 50 frames a
        second; all have the same length.
        """
        if not regions:
            return []
        heard = np.stack(regions)[:, ::_STRIDE]
        heard = heard - heard.mean(axis=1, keepdims=True)
        if heard.shape[1] > self._transform:
            raise ValueError(f"a region of {heard.shape[1] * _STEP_S:g} s is longer than what region_s names")
        # Correlation of all tempi with all regions, summed over bands, in the frequency domain.
        spectra = torch.fft.rfft(torch.from_numpy(heard).transpose(1, 2).contiguous(), self._transform)
        matched = torch.einsum("tbf,pbf->ptf", self._spectra, spectra)
        places = heard.shape[1] - int(self._lengths.max()) + 1
        cosine = torch.fft.irfft(matched, self._transform)[..., :places].numpy() / self._norms(heard, places)
        best = cosine.reshape(len(regions), -1).argmax(axis=1)
        found = []
        for region, begin_s, line in zip(regions, begins_s, best, strict=True):
            which, place = np.unravel_index(int(line), cosine.shape[1:])
            tempo = float(self._tempi[which])
            first, score = self._settled(region, tempo, int(place) * _STRIDE)
            found.append(LocalAlignment(begin_s + first / FRAME_HZ, tempo, score))
        return found

    def _settled(self, region: Frames, tempo: float, near: int) -> tuple[int, float]:
        """The frame of a region, within two of `near`, at which a line of the tempo begins best, and its cosine.

        Two times that a player plays a passage differ by as little as what lies between the steps of 40 ms.
        """
        length = min(round(len(self._query) * tempo), len(region))
        if (tempo, length) not in self._fine:
            self._fine[tempo, length] = self._played(np.arange(length) / tempo)
        played = self._fine[tempo, length]
        last = len(region) - length
        firsts = range(max(0, min(near, last) - _STRIDE), min(near + _STRIDE, last) + 1)
        part = region[firsts[0] : firsts[-1] + length]
        energy, total = np.einsum("tb,tb->t", part, part), part[:length].sum(axis=0, dtype=np.float64)
        least, best = _EMPTY * float(energy.sum()) + 1e-12, (near, -1.0)
        for place, first in enumerate(firsts):
            if place:  # from one line to the next a frame goes and a frame comes
                total += part[place + length - 1] - part[place - 1]
            centred = float(energy[place : place + length].sum()) - float(np.square(total).sum()) / length
            cosine = float(np.vdot(played, part[place : place + length])) / max(centred, least) ** 0.5
            best = max(best, (first, cosine), key=lambda one: one[1])
        return best

    def _norms(self, heard: Frames, places: int) -> NDArray[np.float32]:
        """Length of each region's part of every line [regions, tempi, places]."""
        each = np.square(heard).sum(axis=2, dtype=np.float64)
        energy = np.concatenate([np.zeros((len(each), 1)), np.cumsum(each, axis=1)], axis=1)
        within = np.stack(
            [energy[:, length : length + places] - energy[:, :places] for length in self._lengths], axis=1
        )
        return np.sqrt(np.maximum(within, _EMPTY * energy[:, -1, None, None] + 1e-12)).astype(np.float32)
