"""Warping paths near the ends of a search's match, found by dynamic time warping. Notes are aligned by
`antiphon.alignment.aligning`.

The path stays in a band around a line that is known beforehand. Features are decaying onsets as in Ewert, Müller and
Grosche, "High resolution audio synchronization using chroma onset features" (ICASSP 2009), in semitone bands instead
of chroma: each onset is divided by the loudest within half a second, and decays over 120 ms. The line first maps the
recording to the query's time, so that the band limits the distance from the diagonal. Long queries are processed in
blocks. The line of each block starts at the time and the tempo at which the path of the block before has ended, so it
follows the player, and memory and time grow linearly with the query's length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from dtaidistance import dtw, dtw_ndim
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from antiphon.alignment.onset_features import FRAME_HZ
from antiphon.signal.onsets import FRAME_CENTRING, Frames

_RATE_HZ = 25
_DECAY = 6  # frames of 20 ms
_NEAR = 25  # frames of 20 ms to either side
_LOUDNESS_FLOOR = 0.1  # of the loudest frame: the least that onsets are divided by
_FAINT = 0.2  # norm of both sides' features below which there is neither agreement nor disagreement
_PROMINENT = 0.3  # the same for agreement, so that fluctuations of sustained tones do not count as onsets
_BLOCK_S, _OVERLAP_S = 20.0, 6.0  # the path within the overlaps, one on each side of a block, is discarded
_OFF_DIAGONAL = 0.3  # cost of a step along one side only; unrelated onsets have a distance of about 1
_OFF_LINE_PER_S = 0.1  # cost per second of distance from the line: without onsets the path returns to it
_OFF_END_PER_S, _NEAR_END_S = 0.8, 1.0
_KNOT_S = 0.25
_AUDIBLE = 0.05  # least energy of onsets on both sides for a knot, in normalised onsets
_TEMPO_FOLLOWED, _TEMPO_CHANGE, _TEMPO_DRIFT = 0.5, 1.25, 1.5
_SLOWEST = 0.1  # of the line's tempo: the path is strictly increasing
_TRUSTED_STEPS = 50
_SILENCE_S = 0.5
_FAR_S = 1e6
_NEXT_S = 2.0  # the line ignores anchors nearer than this

Seconds = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Warp:
    """A warping path: a piecewise linear map through knots, extended beyond them at its mean slope.

    `query_s` float64 [knots] are seconds of the query, `library_s` float64 [knots] the corresponding seconds of the
    recording. Both are strictly increasing.
    """

    query_s: Seconds
    library_s: Seconds

    def at(self, query_s: Seconds | float) -> Seconds:
        """Seconds of the recording at seconds of the query."""
        return _interpolate(query_s, self.query_s, self.library_s)

    def inverse(self, library_s: Seconds | float) -> Seconds:
        """Seconds of the query at seconds of the recording.

        >>> warp = Warp(np.array([0.0, 10.0]), np.array([5.0, 25.0]))
        >>> warp.at(11.0).item(), warp.inverse(7.0).item()
        (27.0, 1.0)
        """
        return _interpolate(library_s, self.library_s, self.query_s)


@dataclass(frozen=True)
class Anchor:
    """A known point of the path, and the tempo there in library seconds per query second."""

    query_s: float
    library_s: float
    tempo: float


@dataclass(frozen=True, eq=False)
class _Path:
    """Steps [n] of a path in order of time; `onset_norm` is the smaller of both sides' feature norms, 0 to about 1."""

    query_s: Seconds
    library_s: Seconds
    onset_norm: NDArray[np.float64]

    def between(self, begin_s: float, end_s: float) -> _Path:
        """The steps whose query time lies in [begin_s, end_s)."""
        kept = (self.query_s >= begin_s) & (self.query_s < end_s)
        return _Path(self.query_s[kept], self.library_s[kept], self.onset_norm[kept])


def warp_through(
    query: Frames, library: Frames, library_begin_s: float, anchors: Sequence[Anchor], band_s: float = 1.0
) -> Warp:
    """The path of a query through a recording near known points, one or more in order of both times.

    `query` [q, bands] and `library` [n, bands] are frames from `antiphon.alignment.onset_features`, 50 per second. The
    library's begin at second `library_begin_s` of the recording; outside of them it counts as silent. `band_s` is
    the largest distance from the line, in query seconds, within a block of 20 s. The line of a block leads from the end
    of the path so far to the next anchors; before the first and beyond the last anchor it has their tempo. Knots are
    about 0.25 s apart where both sides have onsets, and at the query's ends. A passage without onsets gives a straight
    line, a query without onsets the line through the anchors.

    Raises `ValueError` for a query without frames, without an anchor, and for a tempo or a band that is not positive.
    """
    if len(query) == 0 or len(anchors) == 0:
        raise ValueError("a path needs a query with frames and at least one anchor")
    if not all(anchor.tempo > 0 for anchor in anchors) or not band_s > 0:
        raise ValueError(f"tempi and band_s must be positive, got {[one.tempo for one in anchors]} and {band_s}")
    length_s = len(query) / FRAME_HZ
    query_side, library_side = _Side.of(query), _Side.of(library, library_begin_s)
    hop_s = _BLOCK_S - 2 * _OVERLAP_S
    first = anchors[0]
    reached = Anchor(0.0, first.library_s - first.tempo * first.query_s, first.tempo)
    whole = line = _line(reached, anchors)
    parts = []
    while reached.query_s < length_s:
        end_s = reached.query_s + hop_s
        last = end_s + _OVERLAP_S >= length_s
        # Silence before and after the query adds a cost for skipping onsets of the recording there.
        block_s = max(-_SILENCE_S, reached.query_s - _OVERLAP_S), min(length_s + _SILENCE_S, end_s + _OVERLAP_S)
        path = _path(query_side, library_side, line, block_s, band_s)
        parts.append(path.between(reached.query_s, length_s if last else end_s))
        if last:
            break
        reached = _reached(path, end_s, reached.tempo, anchors[-1].tempo)
        line = _line(reached, anchors)
    return _knots(parts, whole, length_s)


def _line(start: Anchor, anchors: Sequence[Anchor]) -> Warp:
    """The line from `start` through the later anchors, extended at the tempi of the first and the last."""
    knots = [start, *(anchor for anchor in anchors if anchor.query_s > start.query_s + _NEXT_S)]
    last = knots[-1]
    query_s = [start.query_s - _FAR_S, *(one.query_s for one in knots), last.query_s + _FAR_S]
    library_s = [start.library_s - _FAR_S * start.tempo, *(one.library_s for one in knots)]
    return _rising(np.array(query_s), np.array([*library_s, last.library_s + _FAR_S * last.tempo]), start.tempo)


def _reached(path: _Path, at_s: float, before: float, known: float) -> Anchor:
    """The path's point at second `at_s`, with a tempo between `before` and the path's slope, limited around `known`."""
    sure = path.onset_norm > _AUDIBLE
    slope = before
    if np.count_nonzero(sure) >= _TRUSTED_STEPS:
        slope = float(np.polyfit(path.query_s[sure], path.library_s[sure], 1)[0])
    followed = before * float(np.clip(slope / before, 1 / _TEMPO_CHANGE, _TEMPO_CHANGE)) ** _TEMPO_FOLLOWED
    followed = float(np.clip(followed, known / _TEMPO_DRIFT, known * _TEMPO_DRIFT))
    return Anchor(at_s, float(np.interp(at_s, path.query_s, path.library_s)), followed)


@dataclass(frozen=True, eq=False)
class OnsetProducts:
    """How the onsets of both sides agree at `query_s` [times], `rate_hz` of them a second.

    `common` [times] is the product of both sides' features, centred as in `antiphon.signal.onsets.normalised`, and
    `energy` [times] the mean of both sides' squares; both are 0 where neither side has onsets. Over a stretch of time
    the ratio of their sums is the agreement: 1 for equal music, near 0 for unrelated music.
    """

    query_s: Seconds
    common: NDArray[np.float64]
    energy: NDArray[np.float64]
    rate_hz: int = _RATE_HZ


def onset_products(query: Frames, library: Frames, library_begin_s: float, path: Warp) -> OnsetProducts:
    """The onsets of both sides, multiplied along a path that maps seconds of the query to seconds of the library.

    `query` [q, bands] and `library` [n, bands] are as in `warp_through`.
    """
    query_side, library_side = _Side.of(query, 0.0, _PROMINENT), _Side.of(library, library_begin_s, _PROMINENT)
    query_s = np.arange(0.0, len(query) / FRAME_HZ, 1 / _RATE_HZ)
    one, two = query_side.at(query_s), library_side.at(path.at(query_s))
    distinct = (one * one + two * two).sum(axis=1) > _FAINT**2
    one, two = (side - side.mean(axis=0) for side in (one, two))
    one, two = (side - FRAME_CENTRING * side.mean(axis=1, keepdims=True) for side in (one, two))
    common, energy = distinct * [(one * two).sum(axis=1), (one * one + two * two).sum(axis=1) / 2]
    return OnsetProducts(query_s, common, energy)


@dataclass(frozen=True, eq=False)
class _Side:
    """Onset frames from second `begin_s` on; onsets are divided by a loudness of at least `floor`."""

    frames: Frames
    begin_s: float
    floor: float

    @classmethod
    def of(cls, frames: Frames, begin_s: float = 0.0, floor: float = _LOUDNESS_FLOOR) -> _Side:
        energy = np.einsum("tb,tb->t", frames, frames)
        return cls(frames, begin_s, floor * float(np.sqrt(energy.max(initial=0.0))))

    def at(self, times_s: Seconds) -> NDArray[np.float64]:
        """Features [times, bands] at increasing times, interpolated linearly; zeros beyond the frames."""
        position = (times_s - self.begin_s) * FRAME_HZ
        first = max(0, int(position[0]) - _NEAR - _DECAY)
        last = min(len(self.frames), max(first, int(position[-1]) + _NEAR + 2))
        decaying = np.pad(_decaying(self.frames[first:last], self.floor), ((1, 1), (0, 0)))
        whole = np.floor(position)
        share = (position - whole)[:, None]
        before, after = (np.clip(whole - first + add, 0, len(decaying) - 1).astype(np.int64) for add in (1, 2))
        return decaying[before] * (1 - share) + decaying[after] * share


def _decaying(frames: Frames, floor: float) -> Frames:
    """Onsets divided by the loudest nearby, decaying as √(1 − t / 120 ms) after t. Silence stays zero."""
    if not frames.any():
        return frames
    loudness = np.sqrt(np.einsum("tb,tb->t", frames, frames))
    onsets = frames / np.maximum(maximum_filter1d(loudness, 2 * _NEAR + 1), floor)[:, None]
    decaying = onsets.copy()
    for delay in range(1, min(_DECAY, len(onsets))):
        later = decaying[delay:]
        np.maximum(later, onsets[:-delay] * np.float32(np.sqrt(1 - delay / _DECAY)), out=later)
    return decaying


def _path(query: _Side, library: _Side, line: Warp, block_s: tuple[float, float], band_s: float) -> _Path:
    """The cheapest path of one block of the query in the band around the line, with both ends open."""
    begin_s, end_s = block_s
    count, band = max(1, round((end_s - begin_s) * _RATE_HZ)), max(1, round(band_s * _RATE_HZ))
    query_s = begin_s + np.arange(count) / _RATE_HZ
    line_s = begin_s + np.arange(-band, count + band) / _RATE_HZ
    library_s = line.at(line_s)
    query_features, library_features = query.at(query_s), library.at(library_s)
    # Time as one more dimension adds a cost for the distance from the line.
    _, cost = dtw_ndim.warping_paths_fast(
        np.column_stack([query_features, _pull(query_s, block_s)]),
        np.column_stack([library_features, _pull(line_s, block_s)]),
        window=1,  # in addition to the difference of both lengths, which is the band
        penalty=_OFF_DIAGONAL,
        psi=(0, 0, 2 * band, 2 * band),
        psi_neg=False,
        keep_int_repr=True,
    )
    # `warping_path_fast` would trace the path in C, but leaves the band where the ends are open.
    end = count + int(np.argmin(cost[count, count : count + 2 * band + 1]))
    steps = np.array(dtw.best_path(cost, row=count, col=end, penalty=_OFF_DIAGONAL**2))
    query_norm, library_norm = (np.linalg.norm(side, axis=1) for side in (query_features, library_features))
    onset_norm = np.minimum(query_norm[steps[:, 0]], library_norm[steps[:, 1]])
    return _Path(query_s[steps[:, 0]], library_s[steps[:, 1]], onset_norm)


def _pull(times_s: Seconds, block_s: tuple[float, float]) -> Seconds:
    """Time, steeper near a block's ends: without this cost the open ends would skip onsets that are hard to match."""
    steep = sum(np.clip(times_s, end_s - _NEAR_END_S, end_s + _NEAR_END_S) for end_s in block_s)
    return _OFF_LINE_PER_S * times_s + _OFF_END_PER_S * steep


def _knots(parts: list[_Path], line: Warp, length_s: float) -> Warp:
    """The centres of the onset energy in each quarter of a second; the line gives the slope to the query's ends."""
    query_s = np.concatenate([part.query_s for part in parts])
    library_s = np.concatenate([part.library_s for part in parts])
    energy = np.concatenate([part.onset_norm for part in parts]) ** 2
    knot = (query_s / _KNOT_S).astype(np.int64)
    total = np.bincount(knot, energy)
    audible = total > _AUDIBLE
    ends_s = np.array([0.0, length_s])
    if not audible.any():
        inner = (line.query_s > 0) & (line.query_s < length_s)
        at_s = np.concatenate([ends_s[:1], line.query_s[inner], ends_s[1:]])
        return Warp(at_s, line.at(at_s))
    # Centres of consecutive quarters are in order, whatever their weights.
    at_s, there_s = (np.bincount(knot, energy * times)[audible] / total[audible] for times in (query_s, library_s))
    for end, edge_s in ((0, 0.0), (-1, length_s)):
        if at_s[end] != edge_s:
            beyond_s = there_s[end] + float(line.at(edge_s) - line.at(at_s[end]))
            index = 0 if end == 0 else len(at_s)
            at_s, there_s = np.insert(at_s, index, edge_s), np.insert(there_s, index, beyond_s)
    return _rising(at_s, there_s, float(line.at(length_s) - line.at(0.0)) / length_s)


def _rising(query_s: Seconds, library_s: Seconds, tempo: float) -> Warp:
    """Knots with library times made strictly increasing; `query_s` already increases."""
    slowest = _SLOWEST * tempo * query_s
    return Warp(query_s, np.maximum.accumulate(library_s - slowest) + slowest)


def _interpolate(at: Seconds | float, known: Seconds, values: Seconds) -> Seconds:
    """Linear between the knots, at the mean slope beyond them."""
    times = np.asarray(at, np.float64)
    slope = (values[-1] - values[0]) / (known[-1] - known[0])
    inside = np.interp(times, known, values)
    beyond = np.minimum(times - known[0], 0.0) + np.maximum(times - known[-1], 0.0)
    return np.asarray(inside + slope * beyond)
