"""Parts of a recording between the pieces of a set list: silence, noise such as applause and talk, or other music.

Music has onsets of keys that are detected clearly, 2 to 14 a second in piano music; applause has none, and a voice
about one a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.aligning import clear_onsets
from antiphon.alignment.sound_levels import LEVEL_HZ, Levels
from antiphon.models.note_onsets import FRAME_HZ, OnsetMap

BetweenKind = Literal["silence", "noise", "other music"]
_KINDS: tuple[BetweenKind, ...] = ("silence", "noise", "other music")
_SILENCE, _NOISE, _MUSIC = range(3)
_STEP_S = 0.5
_AROUND_S = 4.0
_ONSETS_PER_S = 1.5
_SHORTEST_S = 2.0
_LOUD = 0.95
_QUIET, _SILENT = 10 ** (-30 / 20), 10 ** (-60 / 20)
"""Of the level of loud seconds: silence is below the first, and what is below the second is silence."""
_ABOVE_FLOOR = 2.0
"""Of the level of the quietest seconds: silence is below this multiple."""


@dataclass(frozen=True)
class Between:
    """A part of a recording without a piece of the library.

    Attributes
    ----------
    kind : {"silence", "noise", "other music"}
        Applause and talk are noise.
    start_s, end_s : float
        Seconds of the recording.

    Examples
    --------
    >>> import antiphon
    >>> antiphon.Between("noise", 61.5, 70.0).as_dict()
    {'kind': 'noise', 'start_s': 61.5, 'end_s': 70.0}
    """

    kind: BetweenKind
    start_s: float
    end_s: float

    def as_dict(self) -> dict[str, Any]:
        """The part as JSON."""
        return asdict(self)


def name_gaps(gaps_s: Sequence[tuple[float, float]], onsets: OnsetMap, levels: Levels | None) -> Iterator[Between]:
    """The parts of gaps, in order of time; parts under 2 s belong to one next to them, and shorter gaps have none.

    `onsets` and `levels` are of the whole recording; without levels what is no music is silence.
    """
    count = int(np.ceil(onsets.shape[1] / FRAME_HZ / _STEP_S))
    is_music = _onsets_per_s(onsets, count) >= _ONSETS_PER_S
    quiet = ~is_music if levels is None else _is_silent(levels, count)
    # A quiet moment of music, or its last tone, is no silence; nor is silence music because some is near.
    kind = np.where(is_music & ~quiet, _MUSIC, np.where(quiet, _SILENCE, _NOISE))
    for begin_s, end_s in gaps_s:
        if end_s - begin_s < _SHORTEST_S:
            continue
        first = min(int(begin_s / _STEP_S), count - 1)
        last = max(first + 1, int(np.ceil(end_s / _STEP_S)))
        parts = _without_short(kind[first:last])
        for begin, end, number in parts:
            yield Between(
                _KINDS[number],
                round(max(begin_s, (first + begin) * _STEP_S), 3),
                round(end_s if end == len(kind[first:last]) else (first + end) * _STEP_S, 3),
            )


def _onsets_per_s(onsets: OnsetMap, count: int) -> NDArray[np.float64]:
    """Clear onsets a second in the seconds around each step [count]."""
    at = np.minimum((np.nonzero(clear_onsets(onsets))[1] / FRAME_HZ / _STEP_S).astype(np.int64), count - 1)
    box = round(_AROUND_S / _STEP_S)
    return np.convolve(np.bincount(at, minlength=count), np.ones(box), "same")[:count] / _AROUND_S


def _is_silent(levels: Levels, count: int) -> NDArray[np.bool_]:
    """Whether each step [count] is silent."""
    size = round(_STEP_S * LEVEL_HZ)
    padded = np.pad(levels.astype(np.float64), (0, max(0, count * size - len(levels))))[: count * size]
    level = np.sqrt(np.square(padded).reshape(count, size).mean(axis=1))
    loud = float(np.quantile(level, _LOUD))
    floor = float(level[level > 0].min(initial=loud))
    return (level < _QUIET * loud) & (level < max(_ABOVE_FLOOR * floor, _SILENT * loud))


def _without_short(kind: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Begin, end and kind of the runs of equal values, short ones joined to the longer of their neighbours."""
    edges = [0, *(np.flatnonzero(np.diff(kind)) + 1).tolist(), len(kind)]
    runs = [(begin, end, int(kind[begin])) for begin, end in pairwise(edges)]
    shortest = round(_SHORTEST_S / _STEP_S)
    while len(runs) > 1 and min(end - begin for begin, end, _ in runs) < shortest:
        at = min(range(len(runs)), key=lambda number: runs[number][1] - runs[number][0])
        adjacent = [number for number in (at - 1, at + 1) if 0 <= number < len(runs)]
        longest = max(adjacent, key=lambda number: runs[number][1] - runs[number][0])
        runs[at] = (*runs[at][:2], runs[longest][2])
        runs = _joined(runs)
    return runs


def _joined(runs: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for begin, end, kind in runs:
        if found and found[-1][2] == kind:
            found[-1] = (found[-1][0], end, kind)
        else:
            found.append((begin, end, kind))
    return found
