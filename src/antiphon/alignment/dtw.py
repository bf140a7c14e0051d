"""The warping path: which moment of a recording each moment of a query is, where both keep different time.

Dynamic time warping around a line that is known already. Features are decaying onsets as in Ewert, Müller and Grosche,
"High resolution audio synchronization using chroma onset features" (ICASSP 2009), in semitone bands instead of chroma:
each onset is measured against the loudest within half a second, and rings on for 120 ms. The recording is laid on the
query's time by the line first, so that the band is the path's distance from the diagonal. Long queries are worked
through block by block, each around the place and the tempo at which the one before has ended: the path stays within the
band of a line that follows the player, and memory and time grow with the length alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from dtaidistance import dtw, dtw_ndim
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from antiphon.alignment.onset_features import FRAME_HZ
from antiphon.signal.onsets import Frames

_RATE_HZ = 25
_RINGING = 6  # frames of 20 ms
_NEAR = 25  # frames of 20 ms to either side
_QUIETEST = 0.1  # of the loudest frame; below, onsets are not made louder
_BLOCK_S, _OVERLAP_S = 20.0, 6.0  # of a block, the overlap on each side only brings the path in
_OFF_DIAGONAL = 0.3  # cost of a step that holds one side; two unrelated onsets are about 1 apart
_OFF_LINE_PER_S = 0.1  # cost of a second's distance from the line: where nothing begins, the path goes back to it
_OFF_END_PER_S, _BESIDE_END_S = 0.8, 1.0
_KNOT_S = 0.25
_HEARD = 0.05  # of an onset's energy, both sides, for a knot
_TEMPO_FOLLOWED, _TEMPO_CHANGE, _TEMPO_DRIFT = 0.5, 1.25, 1.5
_SLOWEST = 0.1  # of the line's tempo: the path never stands still
_TRUSTED_STEPS = 50
_SILENCE_S = 0.5
_FAR_S = 1e6
_NEXT_S = 2.0  # an anchor nearer than this is not steered for
_AT_ONCE = 1 << 14
AGREEMENT_HZ = 5

Seconds = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Warp:
    """A path through knots, straight between them and beyond the ends: float64 [knots] both, rising strictly.

    `query_s` are seconds of the query, `library_s` the seconds of the recording that are the same moments.
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
    """A moment of the query whose moment in the recording is known, and how fast the recording goes on there."""

    query_s: float
    library_s: float
    tempo: float


@dataclass(frozen=True, eq=False)
class _Path:
    """Steps [n] in order of both times, and how much begins at each on the side where less does, 0 to about 1."""

    query_s: Seconds
    library_s: Seconds
    heard: NDArray[np.float64]

    def between(self, begin_s: float, end_s: float) -> _Path:
        """The steps whose query time lies in [begin_s, end_s)."""
        kept = (self.query_s >= begin_s) & (self.query_s < end_s)
        return _Path(self.query_s[kept], self.library_s[kept], self.heard[kept])


def warp(
    query: Frames, library: Frames, library_begin_s: float, start_s: float, tempo: float, band_s: float = 1.0
) -> Warp:
    """The path of a query through a recording, near the line `start_s + tempo · query seconds`.

    `query` [q, bands] and `library` [n, bands] are frames as `antiphon.alignment.onset_features` makes them, 50 a
    second; the library's begin at second `library_begin_s` of the recording, and where it has none there is silence.
    `band_s` is how far, in query seconds, the path may leave the line within a block of 20 s; the line of the next
    block begins where the path has come to. Knots are about 0.25 s apart where both sides have onsets, and at the
    query's ends; where nothing begins on either side the path is straight, and without any onset it is the line.

    Raises `ValueError` for a query without frames, and for a tempo or a band that is not positive.
    """
    return warp_through(query, library, library_begin_s, [Anchor(0.0, start_s, tempo)], band_s)


def warp_through(
    query: Frames, library: Frames, library_begin_s: float, anchors: Sequence[Anchor], band_s: float = 1.0
) -> Warp:
    """The path of a query near places that are known, one or more in order of both times.

    The line leads from where the path has come to on to the next anchors, and beyond the first and the last at their
    tempo; everything else is as `warp` has it. Raises `ValueError` where there is no anchor, and as `warp` does.
    """
    if len(query) == 0 or len(anchors) == 0:
        raise ValueError("a path needs a query with frames and at least one anchor")
    if not all(anchor.tempo > 0 for anchor in anchors) or not band_s > 0:
        raise ValueError(f"tempi and band_s must be positive, got {[one.tempo for one in anchors]} and {band_s}")
    length_s = len(query) / FRAME_HZ
    asked, known = _Side.of(query), _Side.of(library, library_begin_s)
    hop_s = _BLOCK_S - 2 * _OVERLAP_S
    first = anchors[0]
    here = Anchor(0.0, first.library_s - first.tempo * first.query_s, first.tempo)
    whole = line = _line(here, anchors)
    parts = []
    while here.query_s < length_s:
        end_s = here.query_s + hop_s
        last = end_s + _OVERLAP_S >= length_s
        # A little silence before and after the query makes it cost something to leave out what the recording has there.
        block_s = max(-_SILENCE_S, here.query_s - _OVERLAP_S), min(length_s + _SILENCE_S, end_s + _OVERLAP_S)
        path = _path(asked, known, line, block_s, band_s)
        parts.append(path.between(here.query_s, length_s if last else end_s))
        if last:
            break
        here = _arrived(path, end_s, here.tempo, anchors[-1].tempo)
        line = _line(here, anchors)
    return _knots(parts, whole, length_s)


def _line(here: Anchor, anchors: Sequence[Anchor]) -> Warp:
    """From here through the anchors ahead; before and beyond at the tempo of the outermost."""
    knots = [here, *(anchor for anchor in anchors if anchor.query_s > here.query_s + _NEXT_S)]
    last = knots[-1]
    query_s = [here.query_s - _FAR_S, *(one.query_s for one in knots), last.query_s + _FAR_S]
    library_s = [here.library_s - _FAR_S * here.tempo, *(one.library_s for one in knots)]
    return _rising(np.array(query_s), np.array([*library_s, last.library_s + _FAR_S * last.tempo]), here.tempo)


def _arrived(path: _Path, at_s: float, before: float, known: float) -> Anchor:
    """Where the path is at second `at_s`, at a tempo between its own and the one that is known."""
    sure = path.heard > _HEARD
    slope = before
    if np.count_nonzero(sure) >= _TRUSTED_STEPS:
        slope = float(np.polyfit(path.query_s[sure], path.library_s[sure], 1)[0])
    followed = before * float(np.clip(slope / before, 1 / _TEMPO_CHANGE, _TEMPO_CHANGE)) ** _TEMPO_FOLLOWED
    followed = float(np.clip(followed, known / _TEMPO_DRIFT, known * _TEMPO_DRIFT))
    return Anchor(at_s, float(np.interp(at_s, path.query_s, path.library_s)), followed)


def agreement(
    query: Frames, library: Frames, library_begin_s: float, path: Warp, over_s: float = 6.0
) -> NDArray[np.float64]:
    """How alike both sides are along a path, `AGREEMENT_HZ` values a second of query: cosines over `over_s` seconds.

    Each band is without its mean, so that 1 is the same and other music near 0; NaN where neither side has onsets.
    """
    asked, known = _Side.of(query), _Side.of(library, library_begin_s)
    query_s = np.arange(0.0, len(query) / FRAME_HZ, 1 / _RATE_HZ)
    sums = np.empty((4, len(query_s)))  # of products, of each side's squares, of what is heard at all
    for begin in range(0, len(query_s), _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        one, two = asked.at(query_s[part]), known.at(path.at(query_s[part]))
        sums[3, part] = (one * one + two * two).sum(axis=1)
        one, two = one - one.mean(axis=0), two - two.mean(axis=0)
        sums[:3, part] = [(left * right).sum(axis=1) for left, right in ((one, two), (one, one), (two, two))]
    sums = uniform_filter1d(sums, max(1, round(over_s * _RATE_HZ)), axis=1, mode="nearest")
    energy = np.sqrt(np.maximum(sums[1] * sums[2], 0.0))
    cosine = np.divide(sums[0], energy, out=np.zeros(len(energy)), where=energy > 1e-9)
    cosine[sums[3] < _HEARD**2] = np.nan
    return cosine[:: _RATE_HZ // AGREEMENT_HZ]


@dataclass(frozen=True, eq=False)
class _Side:
    """Onset frames from second `begin_s` on; `quietest` is what loudness they are measured against at least."""

    frames: Frames
    begin_s: float
    quietest: float

    @classmethod
    def of(cls, frames: Frames, begin_s: float = 0.0) -> _Side:
        energy = np.einsum("tb,tb->t", frames, frames)
        return cls(frames, begin_s, _QUIETEST * float(np.sqrt(energy.max(initial=0.0))))

    def at(self, times_s: Seconds) -> NDArray[np.float64]:
        """Features [times, bands] at rising times, straight between frames; zeros beyond their ends."""
        place = (times_s - self.begin_s) * FRAME_HZ
        first = max(0, int(place[0]) - _NEAR - _RINGING)
        last = min(len(self.frames), max(first, int(place[-1]) + _NEAR + 2))
        ringing = np.pad(_ringing(self.frames[first:last], self.quietest), ((1, 1), (0, 0)))
        whole = np.floor(place)
        share = (place - whole)[:, None]
        before, after = (np.clip(whole - first + add, 0, len(ringing) - 1).astype(np.int64) for add in (1, 2))
        return ringing[before] * (1 - share) + ringing[after] * share


def _ringing(frames: Frames, quietest: float) -> Frames:
    """Onsets measured against the loudest nearby and ringing on: √(1 − t / 120 ms) after t. Silence stays zero."""
    if not frames.any():
        return frames
    loudness = np.sqrt(np.einsum("tb,tb->t", frames, frames))
    struck = frames / np.maximum(maximum_filter1d(loudness, 2 * _NEAR + 1), quietest)[:, None]
    ringing = struck.copy()
    for delay in range(1, min(_RINGING, len(struck))):
        later = ringing[delay:]
        np.maximum(later, struck[:-delay] * np.float32(np.sqrt(1 - delay / _RINGING)), out=later)
    return ringing


def _path(query: _Side, library: _Side, line: Warp, block_s: tuple[float, float], band_s: float) -> _Path:
    """The cheapest path of one block of the query through the band around the line; it begins and ends anywhere."""
    begin_s, end_s = block_s
    count, band = max(1, round((end_s - begin_s) * _RATE_HZ)), max(1, round(band_s * _RATE_HZ))
    query_s = begin_s + np.arange(count) / _RATE_HZ
    line_s = begin_s + np.arange(-band, count + band) / _RATE_HZ
    library_s = line.at(line_s)
    asked, known = query.at(query_s), library.at(library_s)
    # Time as one more dimension makes the distance from the line cost something.
    _, cost = dtw_ndim.warping_paths_fast(
        np.column_stack([asked, _pull(query_s, block_s)]),
        np.column_stack([known, _pull(line_s, block_s)]),
        window=1,  # beside what the library is longer: the band
        penalty=_OFF_DIAGONAL,
        psi=(0, 0, 2 * band, 2 * band),
        psi_neg=False,
        keep_int_repr=True,
    )
    # `warping_path_fast`, which would trace it in C, leaves the band where the ends are open.
    end = count + int(np.argmin(cost[count, count : count + 2 * band + 1]))
    steps = np.array(dtw.best_path(cost, row=count, col=end, penalty=_OFF_DIAGONAL**2))
    heard = np.minimum(np.linalg.norm(asked, axis=1)[steps[:, 0]], np.linalg.norm(known, axis=1)[steps[:, 1]])
    return _Path(query_s[steps[:, 0]], library_s[steps[:, 1]], heard)


def _pull(times_s: Seconds, block_s: tuple[float, float]) -> Seconds:
    """Time, steeper beside a block's ends: they are open, and would else leave out what is hard to match."""
    steep = sum(np.clip(times_s, end_s - _BESIDE_END_S, end_s + _BESIDE_END_S) for end_s in block_s)
    return _OFF_LINE_PER_S * times_s + _OFF_END_PER_S * steep


def _knots(parts: list[_Path], line: Warp, length_s: float) -> Warp:
    """The centres of what is heard in each quarter of a second, and the query's ends as the line has them."""
    query_s = np.concatenate([part.query_s for part in parts])
    library_s = np.concatenate([part.library_s for part in parts])
    energy = np.concatenate([part.heard for part in parts]) ** 2
    knot = (query_s / _KNOT_S).astype(np.int64)
    total = np.bincount(knot, energy)
    heard = total > _HEARD
    ends_s = np.array([0.0, length_s])
    if not heard.any():
        inner = (line.query_s > 0) & (line.query_s < length_s)
        at_s = np.concatenate([ends_s[:1], line.query_s[inner], ends_s[1:]])
        return Warp(at_s, line.at(at_s))
    # Centres of stretches that follow each other are in order, whatever their weights.
    at_s, there_s = (np.bincount(knot, energy * times)[heard] / total[heard] for times in (query_s, library_s))
    for end, edge_s in ((0, 0.0), (-1, length_s)):
        if at_s[end] != edge_s:
            beyond_s = there_s[end] + float(line.at(edge_s) - line.at(at_s[end]))
            place = 0 if end == 0 else len(at_s)
            at_s, there_s = np.insert(at_s, place, edge_s), np.insert(there_s, place, beyond_s)
    return _rising(at_s, there_s, float(line.at(length_s) - line.at(0.0)) / length_s)


def _rising(query_s: Seconds, library_s: Seconds, tempo: float) -> Warp:
    """Knots whose query times rise, with library times that never stand still."""
    slowest = _SLOWEST * tempo * query_s
    return Warp(query_s, np.maximum.accumulate(library_s - slowest) + slowest)


def _interpolate(at: Seconds | float, known: Seconds, values: Seconds) -> Seconds:
    """Straight between the knots, and on at the mean slope beyond them."""
    times = np.asarray(at, np.float64)
    slope = (values[-1] - values[0]) / (known[-1] - known[0])
    inside = np.interp(times, known, values)
    beyond = np.minimum(times - known[0], 0.0) + np.maximum(times - known[-1], 0.0)
    return np.asarray(inside + slope * beyond)
