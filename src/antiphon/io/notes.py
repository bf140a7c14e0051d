"""`Notes`: arrays of onset, duration, pitch and velocity, and the MIDI writer.

Readers of files make them: `midi`, `scores` and `note_tables`; `note_files` chooses the reader.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import symusic
from numpy.typing import ArrayLike, NDArray

SUSTAIN_CONTROLLER = 64
_TICKS_PER_SECOND = 10_000
_READABLE_TICKS = 9_999_990  # pretty_midi takes a file with more ticks for damaged
_LARGEST_DELTA = (1 << 28) - 1  # ticks between two events


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
            if len(values) and (values.min() < 0 or values.max() > 127):
                raise ValueError(f"{name} {int(values[(values < 0) | (values > 127)][0])} is outside 0–127")
        notes = cls(
            onset, duration, keys.astype(np.uint8), force.astype(np.uint8), ids, bars, beats, drums, tempo_is_guessed
        )
        later, earlier = onset[1:], onset[:-1]
        if ((later > earlier) | (later == earlier) & (keys[1:] >= keys[:-1])).all():
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
        """Write a MIDI file, in which times are right to 0.1 ms (`write_midi`).

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
    """Write a MIDI file, as `midi_bytes` makes it.

    Raises `OSError` where the file cannot be written, `ValueError` where the notes end after more than four years.
    """
    Path(path).write_bytes(midi_bytes(notes, pedal_s))  # unlike symusic's own writer it names the path in its errors


def midi_bytes(notes: Notes, pedal_s: NDArray[np.float64] | None = None) -> bytes:
    """A MIDI file: a piano, and drums where the notes have them.

    `pedal_s` [P, 2] gives sustain-pedal intervals (down, up) in seconds. The resolution is 0.1 ms up to 16 minutes; a
    longer file has ticks of 1e-7 of its length, because other programs refuse more than ten million ticks, but of at
    most 1 ms up to three days. MIDI cannot hold all that `Notes` can: the least velocity is 1, the shortest note lasts
    a tick, and nothing begins before 0 s. Notes of one pitch that overlap are in tracks and channels of their own,
    since a note-off names no more than a pitch; of more than 15 at once, some share a channel.

    Raises `ValueError` where the notes end after more than four years.
    """
    pedal_s = np.zeros((0, 2)) if pedal_s is None else pedal_s
    last_s = max(part.end_s for part in (notes, notes.drums) if part is not None)
    last_s = max(last_s, float(pedal_s.max(initial=0.0)), 1.0)
    per_second = min(_TICKS_PER_SECOND, max(_READABLE_TICKS / last_s, min(1000, _LARGEST_DELTA / last_s)))
    score: Any = symusic.Score(int(per_second / 2))
    if score.ticks_per_quarter == 0:
        raise ValueError(f"the notes end after {last_s:.0f} s; MIDI holds {_LARGEST_DELTA / 2:.0f} s")
    score.tempos.append(symusic.Tempo(0, 120.0))
    for part, is_drum in ((notes, False), (notes.drums, True)):
        score.tracks.extend([] if part is None else _tracks(part, 2 * score.ticks_per_quarter, is_drum, pedal_s))
    data: bytes = score.dumps_midi()
    return data


def _tracks(notes: Notes, per_second: int, is_drum: bool, pedal_s: NDArray[np.float64]) -> list[Any]:
    """The fewest tracks in which notes of one pitch do not overlap; symusic gives each a channel."""
    exact = notes.onset_s.clip(0) * per_second
    begin, end = (np.rint(ticks).astype(np.int32) for ticks in (exact, notes.offset_s.clip(0) * per_second))
    begin = np.where(end > begin, begin, exact.astype(np.int32))
    tracks = tick_tracks(begin, end, notes.pitch, notes.velocity, is_drum)
    for track in () if is_drum else tracks:
        for times_s in pedal_s:
            for time_s, value in zip(times_s, (127, 0), strict=True):
                track.controls.append(
                    symusic.ControlChange(round(float(time_s) * per_second), SUSTAIN_CONTROLLER, value)
                )
    return tracks


def tick_tracks(
    begin: NDArray[np.int32],
    end: NDArray[np.int32],
    pitch: NDArray[np.uint8],
    velocity: NDArray[np.uint8],
    is_drum: bool = False,
) -> list[Any]:
    """The fewest symusic tracks in which N notes, in ticks, of one pitch do not overlap; each lasts a tick or more."""
    end = np.maximum(end, begin + 1)
    layer = _layers(begin, end, pitch)
    tracks = []
    for number in range(int(layer.max(initial=0)) + 1):
        track: Any = symusic.Track("drums" if is_drum else "piano", program=0, is_drum=is_drum)
        kept = layer == number
        columns = (begin, end - begin, pitch.astype(np.int8), velocity.clip(1).astype(np.int8))
        track.notes = symusic.Note.from_numpy(*(column[kept] for column in columns))
        tracks.append(track)
    return tracks


def _layers(begin: NDArray[np.integer], end: NDArray[np.integer], pitch: NDArray[np.integer]) -> NDArray[np.int64]:
    """Numbers [N] from 0 such that notes of one pitch and number do not overlap.

    >>> _layers(np.array([0, 5, 10]), np.array([20, 8, 12]), np.array([60, 60, 60])).tolist()
    [0, 1, 1]
    """
    layers = np.zeros(len(begin), np.int64)
    ends: defaultdict[int, list[int]] = defaultdict(list)
    for note in np.argsort(begin, kind="stable").tolist():
        until = ends[int(pitch[note])]
        free = next((number for number, tick in enumerate(until) if tick <= begin[note]), len(until))
        until[free : free + 1] = [int(end[note])]
        layers[note] = free
    return layers


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
