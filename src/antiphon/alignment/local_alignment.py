"""Local alignment: the line of constant tempo along which a stretch of a query is most similar to a recording.

The score of a line is the cosine of both sides' onset frames along it, each band with its mean subtracted: 1 for equal
music, about 0.1 for the best of many unrelated lines. The search covers starts within 1 s of the candidate's and tempi
from 0.87 to 1.15 times the candidate's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray

from antiphon.alignment.content import OnsetAgreement
from antiphon.alignment.onset_features import FRAME_HZ
from antiphon.signal.onsets import Frames

_STRIDE = 2
_STEP_S = _STRIDE / FRAME_HZ
MARGIN_S = 1.0
"""The largest distance between a stretch's start and the start of its candidate, in seconds."""
_TEMPO_STEP = 1.02
_STEPS = 7
NEAR_TEMPO = _TEMPO_STEP**_STEPS
"""The largest tempo of the search in multiples of the candidate's; all of them are 1.02^(−7 … 7)."""
_COUNTED = 0.5  # of the best score: agreeing onsets are counted for lines of this score or more
_ENERGY_FLOOR = 1e-4  # of a region's energy: a line with less counts as this much


@dataclass(frozen=True)
class LocalAlignment:
    """The best line of a stretch: it begins at `start_s` of the recording and advances `tempo` library seconds per
    query second. `score` is the cosine along it, at most 1; `pairs` the number of ordered pairs of different
    onsets that agree along it, 0 for a line of less than half the score of the best one of its search."""

    start_s: float
    tempo: float
    score: float
    pairs: float


def region_s(start_s: float, length_s: float, tempo: float) -> tuple[float, float]:
    """Begin and end, in seconds, of the part of a recording that `TempoSearch.align` needs.

    `start_s` and `tempo` are the candidate's, `length_s` the seconds of query. The begin may be negative.
    """
    return start_s - MARGIN_S, start_s + length_s * tempo * NEAR_TEMPO + MARGIN_S


class TempoSearch:
    """Aligns one stretch of a query, onset frames `query` [q, bands] at 50 per second, at 15 tempi around `tempo`."""

    def __init__(self, query: Frames, tempo: float) -> None:
        self._query = query
        self._agreement = OnsetAgreement(query)
        self._fine: dict[tuple[float, int], Frames] = {}
        self._tempi = tempo * _TEMPO_STEP ** np.arange(-_STEPS, _STEPS + 1)
        self._lengths = np.maximum(1, (len(query) * self._tempi / _STRIDE).astype(np.int64))
        longest = int(self._lengths.max()) + round(2 * MARGIN_S / _STEP_S)
        self._transform = scipy.fft.next_fast_len(longest + 2, real=True)
        lines = np.zeros((len(self._tempi), query.shape[1], int(self._lengths.max())), np.float32)
        for line, tempo_, length in zip(lines, self._tempi, self._lengths, strict=True):
            line[:, :length] = self._resampled(np.arange(length) * _STRIDE / tempo_).T
        self._spectra = torch.fft.rfft(torch.from_numpy(lines), self._transform).conj()  # [tempi, bands, F]

    def _resampled(self, at: NDArray[np.float64]) -> Frames:
        """The query's frames at positions `at` [n]: [n, bands], each band of mean 0, of unit norm in total."""
        resampled = self._query[np.minimum(np.rint(at).astype(np.int64), len(self._query) - 1)]
        resampled = resampled - resampled.mean(axis=0)
        return resampled / np.float32(max(float(np.linalg.norm(resampled)), 1e-9))

    def align(self, regions: Sequence[Frames], begins_s: Sequence[float]) -> list[LocalAlignment]:
        """The best line through each region; starts have a resolution of 20 ms.

        A region is the part of a recording between the limits that `region_s` gives: onset frames [n, bands] at 50 per
        second, the first at second `begins_s`. All regions have the same length. Raises `ValueError` for regions that
        are longer than those limits.
        """
        if not regions:
            return []
        whole = np.stack(regions)
        library = whole[:, ::_STRIDE]
        library = library - library.mean(axis=1, keepdims=True)
        if library.shape[1] > self._transform:
            raise ValueError(f"a region of {library.shape[1] * _STEP_S:g} s is longer than the limits of region_s")
        # Correlation of all tempi with all regions, summed over bands, in the frequency domain.
        spectra = torch.fft.rfft(torch.from_numpy(library).transpose(1, 2).contiguous(), self._transform)
        matched = torch.einsum("tbf,pbf->ptf", self._spectra, spectra)
        starts = library.shape[1] - int(self._lengths.max()) + 1
        cosine = torch.fft.irfft(matched, self._transform)[..., :starts].numpy() / self._norms(library, starts)
        best = cosine.reshape(len(regions), -1).argmax(axis=1)
        tempi, firsts, scores = [], [], []
        for region, line in zip(regions, best, strict=True):
            which, start = np.unravel_index(int(line), cosine.shape[1:])
            tempi.append(float(self._tempi[which]))
            first, score = self._refined(region, tempi[-1], int(start) * _STRIDE)
            firsts.append(first)
            scores.append(score)
        # Counting onsets takes as long as the search. Lines far below the best have no evidence that it could weaken.
        good = np.array(scores) >= _COUNTED * max(scores)
        pairs = np.zeros(len(regions))
        pairs[good] = self._agreement.pairs(whole[good], np.array(firsts)[good], np.array(tempi)[good])
        starts_s = [begin_s + first / FRAME_HZ for begin_s, first in zip(begins_s, firsts, strict=True)]
        return [LocalAlignment(*line) for line in zip(starts_s, tempi, scores, pairs.tolist(), strict=True)]

    def _refined(self, region: Frames, tempo: float, near: int) -> tuple[int, float]:
        """The start frame, within two of `near`, of the best line of this tempo, and its cosine.

        The search above steps by two frames, 40 ms. That is too coarse to tell repeats of a passage apart.
        """
        length = min(round(len(self._query) * tempo), len(region))
        if (tempo, length) not in self._fine:
            self._fine[tempo, length] = self._resampled(np.arange(length) / tempo)
        line = self._fine[tempo, length]
        last = len(region) - length
        firsts = range(max(0, min(near, last) - _STRIDE), min(near + _STRIDE, last) + 1)
        part = region[firsts[0] : firsts[-1] + length]
        energy, total = np.einsum("tb,tb->t", part, part), part[:length].sum(axis=0, dtype=np.float64)
        least, best = _ENERGY_FLOOR * float(energy.sum()) + 1e-12, (near, -1.0)
        for offset, first in enumerate(firsts):
            if offset:  # one frame leaves the sum, one enters it
                total += part[offset + length - 1] - part[offset - 1]
            centred = float(energy[offset : offset + length].sum()) - float(np.square(total).sum()) / length
            cosine = float(np.vdot(line, part[offset : offset + length])) / max(centred, least) ** 0.5
            best = max(best, (first, cosine), key=lambda one: one[1])
        return best

    def _norms(self, library: Frames, starts: int) -> NDArray[np.float32]:
        """The norm of each region's part along every line: [regions, tempi, starts]."""
        each = np.square(library).sum(axis=2, dtype=np.float64)
        energy = np.concatenate([np.zeros((len(each), 1)), np.cumsum(each, axis=1)], axis=1)
        within = np.stack(
            [energy[:, length : length + starts] - energy[:, :starts] for length in self._lengths], axis=1
        )
        return np.sqrt(np.maximum(within, _ENERGY_FLOOR * energy[:, -1, None, None] + 1e-12)).astype(np.float32)
