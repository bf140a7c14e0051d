"""Note files → arrays of onset, duration, pitch and velocity in seconds, and back.

MIDI is parsed by symusic; ticks become seconds here, in float64, through the file's tempo map. MAPS-style TSV has the
columns `onset,offset,note,velocity` in seconds, separated by commas or tabs. Drums (channel 10) are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import symusic
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput
from antiphon.io.files import atomic_file

NOTE_SUFFIXES = frozenset({".mid", ".midi", ".tsv"})
SUSTAIN_CONTROLLER = 64
_LONGEST_S = 24 * 3600.0
_TICKS_PER_QUARTER = 5000  # with 120 quarters a minute, 0.1 ms a tick
_TICKS_PER_SECOND = 2 * _TICKS_PER_QUARTER
_TSV_COLUMNS = ("onset", "offset", "note", "velocity")


@dataclass(frozen=True, slots=True, eq=False)
class Notes:
    """N notes sorted by (onset, pitch).

    `onset_s` and `duration_s` are float64 [N] in seconds, `pitch` and `velocity` uint8 [N] MIDI numbers (0–127,
    pitch 60 is middle C). In a window, onsets count from the window's start and may be negative.
    """

    onset_s: NDArray[np.float64]
    duration_s: NDArray[np.float64]
    pitch: NDArray[np.uint8]
    velocity: NDArray[np.uint8]

    @classmethod
    def of(
        cls,
        onset_s: NDArray[np.floating] | list[float],
        duration_s: NDArray[np.floating] | list[float],
        pitch: NDArray[np.integer] | list[int],
        velocity: NDArray[np.integer] | list[int],
    ) -> Notes:
        """Sort and pack. Raises `ValueError` when lengths differ, times are not finite, a duration is negative, or
        a pitch or velocity is outside 0–127."""
        onset, duration = np.asarray(onset_s, np.float64), np.asarray(duration_s, np.float64)
        keys, force = np.asarray(pitch, np.int64), np.asarray(velocity, np.int64)
        if not len(onset) == len(duration) == len(keys) == len(force):
            raise ValueError(f"unequal lengths: {len(onset)}, {len(duration)}, {len(keys)}, {len(force)}")
        if not (np.isfinite(onset).all() and np.isfinite(duration).all()):
            raise ValueError("a note's onset or duration is not finite")
        if (duration < 0).any():
            raise ValueError(f"note {int(np.argmax(duration < 0))} ends before it begins")
        for name, values in (("pitch", keys), ("velocity", force)):
            if ((values < 0) | (values > 127)).any():
                raise ValueError(f"{name} {int(values[(values < 0) | (values > 127)][0])} is outside 0–127")
        order = np.lexsort((keys, onset))
        return cls(onset[order], duration[order], keys[order].astype(np.uint8), force[order].astype(np.uint8))

    def __len__(self) -> int:
        return len(self.onset_s)

    @property
    def offset_s(self) -> NDArray[np.float64]:
        """Note ends [N] in seconds."""
        return self.onset_s + self.duration_s

    @property
    def end_s(self) -> float:
        """When the last note ends; 0.0 without notes."""
        return float(self.offset_s.max()) if len(self) else 0.0

    def save(self, path: str | Path) -> None:
        """Write the notes atomically as a MIDI file with one piano track at a resolution of 0.1 ms."""
        with atomic_file(Path(path)) as aside:
            write_midi(self, aside)

    def window(self, start_s: float, length_s: float) -> Notes:
        """Notes that sound in [start_s, start_s + length_s): they start before its end and end after its start.

        Onsets are counted from `start_s`; durations stay whole.
        """
        stop = int(np.searchsorted(self.onset_s, start_s + length_s, side="left"))
        kept = np.flatnonzero(self.offset_s[:stop] > start_s)
        return Notes(self.onset_s[kept] - start_s, self.duration_s[kept], self.pitch[kept], self.velocity[kept])

    def within(self, begin_s: float, end_s: float) -> Notes:
        """Notes that begin in [begin_s, end_s), none sounding past its end; times stay as they are.

        >>> notes = Notes.of([-0.5, 1.0, 1.5, 2.0], [3.0, 0.2, 3.0, 1.0], [60, 62, 64, 65], [80] * 4)
        >>> part = notes.within(0.0, 2.0)
        >>> part.onset_s.tolist(), part.offset_s.tolist()
        ([1.0, 1.5], [1.2, 2.0])
        """
        kept = (self.onset_s >= begin_s) & (self.onset_s < end_s)
        onset_s = self.onset_s[kept]
        duration_s = np.minimum(self.duration_s[kept], end_s - onset_s)
        return Notes(onset_s, duration_s, self.pitch[kept], self.velocity[kept])


def read_notes(path: str | Path, sustain: bool = False) -> Notes:
    """Read a MIDI file (.mid, .midi) or a MAPS-style table (.tsv).

    `sustain=True` lets a note sound on while the sustain pedal (controller 64 ≥ 64) is down, until the pedal rises or
    the same key is struck again; a table has no pedal. Raises `UnreadableInput` that names the file and the fault:
    missing, empty, not MIDI, truncated, impossible tempo or resolution, longer than a day, no notes.
    """
    path = Path(path)
    if not path.exists():
        raise UnreadableInput(path, "no such file")
    if path.is_dir():
        raise UnreadableInput(path, "this is a folder, a note file was expected")
    if path.stat().st_size == 0:
        raise UnreadableInput(path, "the file is empty (0 bytes)")
    if path.suffix.lower() not in NOTE_SUFFIXES:
        raise UnreadableInput(path, f"not a note file; expected one of {', '.join(sorted(NOTE_SUFFIXES))}")
    notes = _read_table(path) if path.suffix.lower() == ".tsv" else _read_midi(path, sustain)
    if len(notes) == 0:
        raise UnreadableInput(path, "it holds no notes")
    if notes.end_s > _LONGEST_S:
        raise UnreadableInput(
            path, f"its last note ends after {notes.end_s:.0f} s, over a day (damaged, or not seconds?)"
        )
    return notes


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
    score.dump_midi(str(path))


def _to_ticks(seconds: NDArray[np.float64] | float) -> NDArray[np.int32]:
    return np.rint(np.asarray(seconds) * _TICKS_PER_SECOND).astype(np.int32)


def _read_midi(path: Path, sustain: bool) -> Notes:
    try:
        score: Any = symusic.Score(str(path))
    except (RuntimeError, ValueError) as error:
        raise UnreadableInput(path, f"not a readable MIDI file ({error})") from None
    if score.ticks_per_quarter <= 0:
        raise UnreadableInput(path, "its header gives 0 ticks per quarter note, so nothing has a time")
    tempo = score.tempos.numpy() if len(score.tempos) else {"time": np.zeros(1), "mspq": np.full(1, 500_000)}
    if (tempo["mspq"] <= 0).any():
        raise UnreadableInput(path, "its tempo map holds a tempo of 0 microseconds per quarter note")
    parts = []
    for track in score.tracks:
        if track.is_drum or len(track.notes) == 0:
            continue
        columns = track.notes.numpy()
        end = columns["time"].astype(np.int64) + columns["duration"]
        if sustain and len(track.controls):
            end = _hold(columns["time"], end, columns["pitch"], track.controls.numpy())
        parts.append((columns["time"], end, columns["pitch"], columns["velocity"]))
    if not parts:
        raise UnreadableInput(path, _why_no_notes(path, score))
    onset_tick, end_tick, pitch, velocity = (np.concatenate(column) for column in zip(*parts, strict=True))
    onset_s = _ticks_to_seconds(onset_tick, tempo, score.ticks_per_quarter)
    end_s = _ticks_to_seconds(end_tick, tempo, score.ticks_per_quarter)
    return Notes.of(onset_s, end_s - onset_s, pitch, velocity)


def _why_no_notes(path: Path, score: Any) -> str:
    if any(track.is_drum and len(track.notes) for track in score.tracks):
        return "it holds drums only, no pitched notes"
    data = path.read_bytes()
    starts = sum(
        0x90 <= a <= 0x9F and b < 128 and 0 < c < 128 for a, b, c in zip(data, data[1:], data[2:], strict=False)
    )
    if starts:
        return f"none of its {starts} note-ons has a note-off, so no note is complete (truncated recording?)"
    return "it holds no notes"


def _ticks_to_seconds(
    tick: NDArray[np.integer], tempo: dict[str, NDArray[np.integer]], ticks_per_quarter: int
) -> NDArray[np.float64]:
    """Piecewise-linear tempo map; before the first tempo event MIDI's default of 120 quarters a minute holds."""
    order = np.argsort(tempo["time"], kind="stable")
    change = np.concatenate([[0], tempo["time"][order]]).astype(np.float64)
    seconds_per_tick = np.concatenate([[500_000], tempo["mspq"][order]]) / (1e6 * ticks_per_quarter)
    change_s = np.concatenate([[0.0], np.cumsum(np.diff(change) * seconds_per_tick[:-1])])
    piece = np.searchsorted(change, tick, side="right") - 1
    return change_s[piece] + (tick - change[piece]) * seconds_per_tick[piece]


def _hold(
    onset: NDArray[np.integer],
    end: NDArray[np.integer],
    pitch: NDArray[np.integer],
    controls: dict[str, NDArray[np.integer]],
) -> NDArray[np.integer]:
    """Note ends moved to the pedal's release, but not past the next stroke of the same key (all in ticks)."""
    is_pedal = controls["number"] == SUSTAIN_CONTROLLER
    time, down = controls["time"][is_pedal], controls["value"][is_pedal] >= 64
    if not down.any():
        return end
    order = np.argsort(time, kind="stable")
    time, down = time[order], down[order]
    state = np.searchsorted(time, end, side="right") - 1  # pedal event in force when the key is released
    held = (state >= 0) & down[state]
    rises = time[~down]
    last = max(int(end.max()), int(time[-1]))
    following = np.searchsorted(rises, end, side="right")
    release = np.where(following < len(rises), np.append(rises, last)[following], last)

    by_key = np.lexsort((onset, pitch))
    next_stroke = np.full(len(onset), np.iinfo(np.int64).max)
    same_key = pitch[by_key][1:] == pitch[by_key][:-1]
    next_stroke[by_key[:-1][same_key]] = onset[by_key[1:]][same_key]
    return np.where(held, np.maximum(end, np.minimum(release, next_stroke)), end)


def _read_table(path: Path) -> Notes:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UnreadableInput(path, f"it cannot be opened ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UnreadableInput(path, "not a text table (it does not decode as UTF-8)") from None
    rows = [line.lstrip("# ").replace("\t", ",").split(",") for line in lines if line.strip()]
    header = [name.strip().lower() for name in rows[0]] if rows else []
    missing = [name for name in _TSV_COLUMNS if name not in header]
    if missing:
        raise UnreadableInput(path, f"no column {', '.join(missing)}; a note table needs {', '.join(_TSV_COLUMNS)}")
    columns: dict[str, list[float]] = {name: [] for name in _TSV_COLUMNS}
    for number, row in enumerate(rows[1:], start=2):
        for name in _TSV_COLUMNS:
            try:
                columns[name].append(float(row[header.index(name)]))
            except (IndexError, ValueError):
                raise UnreadableInput(path, f"row {number} has no number in column {name}") from None
    onset = np.array(columns["onset"])
    for name in ("note", "velocity"):
        if broken := [value for value in columns[name] if not value.is_integer()]:
            raise UnreadableInput(path, f"column {name} holds {broken[0]:g}, not a whole number")
    try:
        return Notes.of(
            onset,
            np.array(columns["offset"]) - onset,
            np.array(columns["note"]).astype(np.int64),
            np.array(columns["velocity"]).astype(np.int64),
        )
    except ValueError as error:
        raise UnreadableInput(path, str(error)) from None
