"""`Notes`: arrays of onset, duration, pitch and velocity, and the MIDI writer.

Readers of files make them: `midi` and `note_tables`; `note_files` chooses the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import symusic
from numpy.typing import ArrayLike, NDArray

SUSTAIN_CONTROLLER = 64
_TICKS_PER_QUARTER = 5000  # with 120 quarters a minute, 0.1 ms a tick
_TICKS_PER_SECOND = 2 * _TICKS_PER_QUARTER


@dataclass(frozen=True, slots=True, eq=False)
class Notes:
    """N notes sorted by (onset, pitch). Make them with `Notes.of`, which checks and sorts.

    Attributes
    ----------
    onset_s, duration_s : float64 arrays [N]
        Seconds. In a window, onsets count from the start of the window and may be negative.
    pitch, velocity : uint8 arrays [N]
        MIDI numbers, 0–127; pitch 60 is middle C.
    id : array of text [N] or None
        Names of the notes in their file, where it has them: a score's note ids.
    bar : int32 array [N] or None
        Bar numbers as the score counts them; None without a score. A bar that is repeated keeps its number.
    beat : float64 array [N] or None
        Beats within the bar, counted from 1; None without a score.
    drums : Notes or None
        Strokes of unpitched percussion, apart from the pitched notes; their pitch is the General MIDI percussion key.
    tempo_is_guessed : bool
        The file states no tempo, and 120 beats a minute were assumed.

    Examples
    --------
    >>> import antiphon
    >>> notes = antiphon.Notes.of(onset_s=[0.0, 0.5], duration_s=[0.5, 1.0], pitch=[60, 64], velocity=[80, 70])
    >>> len(notes), notes.end_s
    (2, 1.5)
    >>> notes.save("two.mid")
    >>> antiphon.read_notes("two.mid").pitch.tolist()
    [60, 64]
    """

    onset_s: NDArray[np.float64]
    duration_s: NDArray[np.float64]
    pitch: NDArray[np.uint8]
    velocity: NDArray[np.uint8]
    id: NDArray[np.str_] | None = None
    bar: NDArray[np.int32] | None = None
    beat: NDArray[np.float64] | None = None
    drums: Notes | None = None
    tempo_is_guessed: bool = False

    @classmethod
    def of(
        cls,
        onset_s: NDArray[np.floating] | list[float],
        duration_s: NDArray[np.floating] | list[float],
        pitch: NDArray[np.integer] | list[int],
        velocity: NDArray[np.integer] | list[int],
        *,
        id: Sequence[str] | NDArray[np.str_] | None = None,
        bar: ArrayLike | None = None,
        beat: ArrayLike | None = None,
        drums: Notes | None = None,
        tempo_is_guessed: bool = False,
    ) -> Notes:
        """Sort and pack. Raises `ValueError` when lengths differ, times are not finite, a duration is negative, or
        a pitch or velocity is outside 0–127."""
        onset, duration = np.array(onset_s, np.float64), np.array(duration_s, np.float64)
        keys, force = np.asarray(pitch, np.int64), np.asarray(velocity, np.int64)
        ids = None if id is None else np.asarray(id, np.str_)
        bars = None if bar is None else np.asarray(bar, np.int32)
        beats = None if beat is None else np.asarray(beat, np.float64)
        columns = [one for one in (onset, duration, keys, force, ids, bars, beats) if one is not None]
        if len({len(one) for one in columns}) > 1:
            raise ValueError(f"unequal lengths: {', '.join(str(len(one)) for one in columns)}")
        if not (np.isfinite(onset).all() and np.isfinite(duration).all()):
            raise ValueError("a note's onset or duration is not finite")
        if (duration < 0).any():
            raise ValueError(f"note {int(np.argmax(duration < 0))} ends before it begins")
        for name, values in (("pitch", keys), ("velocity", force)):
            if ((values < 0) | (values > 127)).any():
                raise ValueError(f"{name} {int(values[(values < 0) | (values > 127)][0])} is outside 0–127")
        notes = cls(
            onset, duration, keys.astype(np.uint8), force.astype(np.uint8), ids, bars, beats, drums, tempo_is_guessed
        )
        gap = np.diff(onset)
        if ((gap > 0) | (gap == 0) & (np.diff(keys) >= 0)).all():
            return notes
        return notes._taken(np.lexsort((keys, onset)))

    def __len__(self) -> int:
        return len(self.onset_s)

    @property
    def offset_s(self) -> NDArray[np.float64]:
        """Note ends [N] in seconds."""
        return self.onset_s + self.duration_s

    @property
    def end_s(self) -> float:
        """End of the last note in seconds; 0.0 without notes. Drums do not count."""
        return float(self.offset_s.max()) if len(self) else 0.0

    def save(self, path: str | Path) -> None:
        """Write a MIDI file with one piano track, at a resolution of 0.1 ms.

        Raises `OSError` where the file cannot be written.
        """
        write_midi(self, path)

    def window(self, start_s: float, length_s: float) -> Notes:
        """Notes that sound in [start_s, start_s + length_s): they begin before its end and end after its start.

        Onsets are relative to `start_s`; durations do not change.
        """
        stop = int(np.searchsorted(self.onset_s, start_s + length_s, side="left"))
        kept = np.flatnonzero(self.offset_s[:stop] > start_s)
        drums = None if self.drums is None else self.drums.window(start_s, length_s)
        return replace(self._taken(kept), onset_s=self.onset_s[kept] - start_s, drums=drums)

    def within(self, begin_s: float, end_s: float) -> Notes:
        """Notes that begin in [begin_s, end_s), shortened to end by `end_s`; onsets do not change.

        >>> notes = Notes.of([-0.5, 1.0, 1.5, 2.0], [3.0, 0.2, 3.0, 1.0], [60, 62, 64, 65], [80] * 4)
        >>> part = notes.within(0.0, 2.0)
        >>> part.onset_s.tolist(), part.offset_s.tolist()
        ([1.0, 1.5], [1.2, 2.0])
        """
        kept = np.flatnonzero((self.onset_s >= begin_s) & (self.onset_s < end_s))
        duration_s = np.minimum(self.duration_s[kept], end_s - self.onset_s[kept])
        drums = None if self.drums is None else self.drums.within(begin_s, end_s)
        return replace(self._taken(kept), duration_s=duration_s, drums=drums)

    def _taken(self, kept: NDArray[np.integer]) -> Notes:
        """The notes at these positions, in their order; drums stay."""
        return Notes(
            self.onset_s[kept],
            self.duration_s[kept],
            self.pitch[kept],
            self.velocity[kept],
            None if self.id is None else self.id[kept],
            None if self.bar is None else self.bar[kept],
            None if self.beat is None else self.beat[kept],
            self.drums,
            self.tempo_is_guessed,
        )


def write_midi(notes: Notes, path: str | Path, pedal_s: NDArray[np.float64] | None = None) -> None:
    """Write a single-track piano MIDI file at 0.1 ms resolution.

    `pedal_s` [P, 2] gives sustain-pedal intervals (down, up) in seconds.
    """
    score: Any = symusic.Score(_TICKS_PER_QUARTER)
    score.tempos.append(symusic.Tempo(0, 120.0))
    track: Any = symusic.Track("piano", program=0, is_drum=False)
    begin = _to_ticks(notes.onset_s)
    track.notes = symusic.Note.from_numpy(
        begin,
        np.maximum(_to_ticks(notes.offset_s) - begin, 1),
        notes.pitch.astype(np.int8),
        notes.velocity.astype(np.int8),
    )
    for down, up in np.zeros((0, 2)) if pedal_s is None else pedal_s:
        track.controls.append(symusic.ControlChange(int(_to_ticks(down)), SUSTAIN_CONTROLLER, 127))
        track.controls.append(symusic.ControlChange(int(_to_ticks(up)), SUSTAIN_CONTROLLER, 0))
    score.tracks.append(track)
    Path(path).write_bytes(score.dumps_midi())  # unlike symusic's own writer it names the path in its errors


def _to_ticks(seconds: NDArray[np.float64] | float) -> NDArray[np.int32]:
    return np.rint(np.asarray(seconds) * _TICKS_PER_SECOND).astype(np.int32)


def extend_ends(
    onset: NDArray[Any], end: NDArray[Any], pitch: NDArray[np.integer], release: NDArray[Any]
) -> NDArray[Any]:
    """Extend note ends to the pedal's `release`, at most to the next onset of the same key; no note gets shorter.

    All arrays are [N]; `onset`, `end` and `release` have one unit, seconds or ticks.

    >>> onset, end, release = np.array([0.0, 1.0, 2.0]), np.array([0.5, 1.5, 2.5]), np.full(3, 3.0)
    >>> extend_ends(onset, end, np.array([60, 62, 60]), release).tolist()
    [2.0, 3.0, 3.0]
    """
    by_key = np.lexsort((onset, pitch))
    same_key = pitch[by_key][1:] == pitch[by_key][:-1]
    struck, struck_again = by_key[:-1][same_key], by_key[1:][same_key]
    limit = release.copy()
    limit[struck] = np.minimum(release[struck], onset[struck_again])
    return np.maximum(end, limit)
