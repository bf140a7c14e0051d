"""MIDI files → `Notes`: symusic parses; ticks become seconds in float64 through the tempo map of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import symusic
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput
from antiphon.io.notes import SUSTAIN_CONTROLLER, Notes, extend_ends


def read_midi(path: Path, data: bytes, sustain: bool) -> Notes:
    """Read the notes of all tracks; see `note_files.read_notes`. Raises `UnreadableInput`, which names `path`."""
    try:
        score: Any = symusic.Score.from_midi(data)
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
        raise UnreadableInput(path, _why_no_notes(data, score))
    onset_tick, end_tick, pitch, velocity = (np.concatenate(column) for column in zip(*parts, strict=True))
    onset_s = _ticks_to_seconds(onset_tick, tempo, score.ticks_per_quarter)
    end_s = _ticks_to_seconds(end_tick, tempo, score.ticks_per_quarter)
    return Notes.of(onset_s, end_s - onset_s, pitch, velocity)


def _why_no_notes(data: bytes, score: Any) -> str:
    if any(track.is_drum and len(track.notes) for track in score.tracks):
        return "it holds drums only, no pitched notes"
    starts = sum(
        0x90 <= a <= 0x9F and b < 128 and 0 < c < 128 for a, b, c in zip(data, data[1:], data[2:], strict=False)
    )
    if starts:
        return f"none of its {starts} note-ons has a note-off, so no note is complete (truncated recording?)"
    return "it holds no notes"


def _ticks_to_seconds(
    tick: NDArray[np.integer], tempo: dict[str, NDArray[np.integer]], ticks_per_quarter: int
) -> NDArray[np.float64]:
    """Apply a piecewise-linear tempo map; before the first tempo event, MIDI's default of 120 quarters a minute."""
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
    """Note ends under the sustain pedal, all in ticks."""
    is_pedal = controls["number"] == SUSTAIN_CONTROLLER
    time, down = controls["time"][is_pedal], controls["value"][is_pedal] >= 64
    if not down.any():
        return end
    order = np.argsort(time, kind="stable")
    time, down = time[order], down[order]
    state = np.searchsorted(time, end, side="right") - 1  # the last pedal event before the key is released
    held = (state >= 0) & down[state]
    rises = time[~down]
    last = max(int(end.max()), int(time[-1]))
    following = np.searchsorted(rises, end, side="right")
    release = np.where(following < len(rises), np.append(rises, last)[following], last)
    return extend_ends(onset, end, pitch, np.where(held, release, end))
