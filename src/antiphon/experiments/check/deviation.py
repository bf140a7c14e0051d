"""The clocks of both sides of a pair: the deviation of the recording's times from the times of the notes.

Where both sides are of one performance, the deviation is an offset plus a drift, and a cut makes it jump. A path of
constant levels is found first (Viterbi over a histogram of the deviations), then the line by Huber regression, with
pitch and velocity as covariates, since low and soft notes are detected later. Standard errors are those of a jackknife
over blocks of time (Künsch, "The jackknife and the bootstrap for general stationary observations", 1989).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.alignment_table import Alignment

Values = NDArray[np.float64]

_SURE = 0.5
_BIN_S = 0.01
_MOST_LEVELS = 400
_SCALE_S, _CAP, _SWITCH = 0.02, 3.0, 20.0  # cost of a note per second off its level, at most; of a jump
_FEWEST_ON_LEVEL, _SHORTEST_LEVEL_S = 12, 2.0
_LEAST_JUMP_S = 0.04
ON_LEVEL_S = 0.04
_ROUGH_LAG_S = 8.0
_BLOCKS = 10
_HUBER = 1.5
_PPM = 1e6


@dataclass(frozen=True)
class Jump:
    """A moment at which the deviation changes by `by_s`: above 0 the recording has more, below 0 it has less.

    `recording_s` and `notes_s` are from when to when, between the last note on one level and the first on the next.
    """

    by_s: float
    recording_s: tuple[float, float]
    notes_s: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Clocks:
    """The deviation of n sure notes and the line through it.

    `time_s` [n] are seconds of the notes, `deviation_s` [n] recording less notes, `level` [n] the number of the level,
    −1 for notes on none. The offset is the line's value at the first level: at second 0 of the notes where the drift is
    four standard errors or more, else its mean. `same` is the share of the notes that lie on a level; `wander_ppm` is
    the median change of the deviation from note to note over some seconds, in parts per million.
    """

    time_s: Values
    deviation_s: Values
    level: NDArray[np.int64]
    offset_s: float
    offset_error_s: float
    drift_ppm: float
    drift_error_ppm: float
    levels_s: tuple[float, ...]
    jumps: tuple[Jump, ...]
    same: float
    wander_ppm: float

    def __len__(self) -> int:
        return len(self.time_s)

    @property
    def on_level(self) -> int:
        """The number of notes that lie on a level."""
        return int((self.level >= 0).sum())

    def line_s(self, time_s: Values, level: int) -> Values:
        """The line's deviation at seconds of the notes on a level."""
        return self.levels_s[level] + self.drift_ppm / _PPM * time_s

    def expected_s(self, onset_s: Values) -> Values:
        """Seconds of the recording at which notes at `onset_s` are expected: on the level of the nearest sure note."""
        kept = np.flatnonzero(self.level >= 0)
        if len(kept) == 0:
            return np.full(len(onset_s), np.nan)
        order = kept[np.argsort(self.time_s[kept], kind="stable")]  # a level has several notes
        at = np.clip(np.searchsorted(self.time_s[order], onset_s), 1, len(order) - 1)
        left, right = order[at - 1], order[at]
        near = np.where(onset_s - self.time_s[left] <= self.time_s[right] - onset_s, left, right)
        levels = np.array(self.levels_s)[self.level[near]]
        return onset_s + levels + self.drift_ppm / _PPM * onset_s


def clocks_of(alignment: Alignment) -> Clocks:
    """The clocks of both sides by the notes whose times are sure. Without notes everything is NaN."""
    kept = (alignment.state == "played") & (alignment.note_confidence >= _SURE)
    kept &= np.isfinite(alignment.recording_s) & np.isfinite(alignment.onset_s)
    time_s, recording_s = alignment.onset_s[kept], alignment.recording_s[kept]
    order = np.argsort(recording_s, kind="stable")
    pitch, velocity = (column[kept][order].astype(np.float64) for column in (alignment.pitch, alignment.velocity))
    return fit_clocks(time_s[order], recording_s[order] - time_s[order], pitch, velocity)


def fit_clocks(time_s: Values, deviation_s: Values, pitch: Values, velocity: Values) -> Clocks:
    """Fit the clocks to n notes in the order of the recording; `pitch` and `velocity` [n] are MIDI numbers."""
    count = len(time_s)
    if count < _FEWEST_ON_LEVEL:
        nan = float("nan")
        return Clocks(time_s, deviation_s, np.full(count, -1), nan, nan, nan, nan, (), (), 0.0, nan)
    slope, wander = _rough_slope(time_s, deviation_s)
    for _ in range(2):  # the rough slope finds the levels, the fitted one finds them better
        straight_s = deviation_s - slope * time_s
        level = _long_levels(time_s, straight_s, _levels(straight_s))
        used = level >= 0
        if not used.any():
            nan = float("nan")
            return Clocks(time_s, deviation_s, level, nan, nan, nan, nan, (), (), 0.0, wander * _PPM)
        fitted = _Line.of(time_s[used], deviation_s[used], level[used], pitch[used], velocity[used])
        slope = fitted.slope
    offset_s, offset_error_s = fitted.offset()
    return Clocks(
        time_s=time_s,
        deviation_s=deviation_s,
        level=level,
        offset_s=offset_s,
        offset_error_s=offset_error_s,
        drift_ppm=fitted.slope * _PPM,
        drift_error_ppm=fitted.slope_error * _PPM,
        levels_s=tuple(map(float, fitted.levels_s)),
        jumps=_jumps(time_s, deviation_s, level, fitted.levels_s),
        same=float(used.mean()),
        wander_ppm=wander * _PPM,
    )


def _rough_slope(time_s: Values, deviation_s: Values) -> tuple[float, float]:
    """The median slope between notes some seconds apart, and the median distance of these slopes from it."""
    if time_s.max() - time_s.min() < _ROUGH_LAG_S:
        return 0.0, 0.0
    order = np.argsort(time_s, kind="stable")
    time_s, deviation_s = time_s[order], deviation_s[order]
    later = np.searchsorted(time_s, time_s + _ROUGH_LAG_S)
    first = np.flatnonzero(later < len(time_s))
    slopes = (deviation_s[later[first]] - deviation_s[first]) / (time_s[later[first]] - time_s[first])
    slope = float(np.median(slopes))
    wander = float(np.median(np.abs(slopes - slope)))
    span_s = float(time_s[-1] - time_s[0])
    return (slope if abs(slope) * span_s > _LEAST_JUMP_S else 0.0), wander


def _levels(deviation_s: Values) -> Values:
    """For each of n notes the level [n] on which a path of few jumps passes it."""
    bins = np.round(deviation_s / _BIN_S).astype(np.int64)
    values, counts = np.unique(bins, return_counts=True)
    if len(values) > _MOST_LEVELS:
        values = np.sort(values[np.argsort(-counts, kind="stable")[:_MOST_LEVELS]])
    candidates = values * _BIN_S
    total = np.zeros(len(candidates))
    back = np.zeros((len(deviation_s), len(candidates)), np.int32)
    own = np.arange(len(candidates))
    for number, one in enumerate(deviation_s):
        best = int(total.argmin())
        jump = total[best] + _SWITCH
        back[number] = np.where(total <= jump, own, best)
        total = np.minimum(total, jump) + np.minimum(np.abs(candidates - one) / _SCALE_S, _CAP)
    path = np.zeros(len(deviation_s), np.int64)
    state = int(total.argmin())
    for number in range(len(deviation_s) - 1, -1, -1):
        path[number] = state
        state = int(back[number, state])
    return np.asarray(candidates[path], np.float64)


def _long_levels(time_s: Values, deviation_s: Values, level_s: Values) -> NDArray[np.int64]:
    """Number the levels that are long enough, joining neighbours of nearly the same level; −1 for notes on none."""
    edges = np.concatenate([[0], np.flatnonzero(np.diff(level_s) != 0) + 1, [len(level_s)]])
    kept: list[NDArray[np.int64]] = []
    middle_s: list[float] = []
    for begin, end in pairwise(edges.tolist()):
        near = np.arange(begin, end)[np.abs(deviation_s[begin:end] - level_s[begin]) <= ON_LEVEL_S]
        if len(near) < _FEWEST_ON_LEVEL or time_s[near].max() - time_s[near].min() < _SHORTEST_LEVEL_S:
            continue
        middle = float(np.median(deviation_s[near]))
        if kept and abs(middle - middle_s[-1]) < _LEAST_JUMP_S:
            kept[-1] = np.concatenate([kept[-1], near])
            middle_s[-1] = float(np.median(deviation_s[kept[-1]]))
        else:
            kept.append(near)
            middle_s.append(middle)
    found = np.full(len(time_s), -1)
    for number, notes in enumerate(kept):
        found[notes] = number
    return found


@dataclass(frozen=True, eq=False)
class _Line:
    """The regression: a level of each segment, one slope, and linear and quadratic pitch and linear velocity."""

    levels_s: Values
    slope: float
    slope_error: float
    covariance: NDArray[np.float64]
    middle_s: Values

    @classmethod
    def of(
        cls, time_s: Values, deviation_s: Values, level: NDArray[np.int64], pitch: Values, velocity: Values
    ) -> _Line:
        levels = int(level.max()) + 1
        columns = [(level == number).astype(np.float64) for number in range(levels)]
        columns.append(time_s)
        for covariate, power in ((pitch, 1), (pitch, 2), (velocity, 1)):
            spread = covariate.std()
            if spread > 0:
                scaled = ((covariate - covariate.mean()) / spread) ** power
                columns.append(scaled - scaled.mean())
        design = np.column_stack(columns)
        solution = _huber(design, deviation_s)
        block = np.minimum(np.arange(len(time_s)) * _BLOCKS // len(time_s), _BLOCKS - 1)
        partial = []
        for number in range(int(block[-1]) + 1):
            kept = block != number
            partial.append(_huber(design[kept], deviation_s[kept], solution))
        found = np.array(partial)[:, : levels + 1]
        centred = found - found.mean(axis=0)
        covariance = centred.T @ centred * (len(found) - 1) / len(found)
        middle_s = np.array([time_s[level == number].mean() for number in range(levels)])
        slope_error = float(np.sqrt(covariance[levels, levels]))
        return cls(solution[:levels], float(solution[levels]), slope_error, covariance, middle_s)

    def offset(self) -> tuple[float, float]:
        """The offset on the first level and its standard error: at second 0 where there is a drift, else the mean."""
        drifts = abs(self.slope) >= 4 * self.slope_error
        at = np.zeros(len(self.covariance))
        at[0], at[-1] = 1.0, 0.0 if drifts else self.middle_s[0]
        value = self.levels_s[0] + self.slope * at[-1]
        return float(value), max(float(at @ self.covariance @ at), 0.0) ** 0.5


def _huber(design: NDArray[np.float64], target: Values, start: Values | None = None) -> Values:
    """Huber's regression by reweighting; the scale is that of the residuals' median."""
    solution = np.asarray(np.linalg.lstsq(design, target, rcond=None)[0] if start is None else start, np.float64)
    for _ in range(8):
        residual = target - design @ solution
        scale = max(float(np.median(np.abs(residual))) * 1.4826, 1e-4)
        weight = np.sqrt(np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(residual), 1e-12)))
        solution = np.asarray(np.linalg.lstsq(design * weight[:, None], target * weight, rcond=None)[0], np.float64)
    return solution


def _jumps(time_s: Values, deviation_s: Values, level: NDArray[np.int64], levels_s: Values) -> tuple[Jump, ...]:
    found = []
    for number in range(1, len(levels_s)):
        before, after = np.flatnonzero(level == number - 1)[-1], np.flatnonzero(level == number)[0]
        recording_s = time_s + deviation_s
        found.append(
            Jump(
                by_s=float(levels_s[number] - levels_s[number - 1]),
                recording_s=(float(recording_s[before]), float(recording_s[after])),
                notes_s=(float(time_s[before]), float(time_s[after])),
            )
        )
    return tuple(found)
