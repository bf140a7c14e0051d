"""MIDI files → `Notes`: two readers, and what follows from their ticks: seconds, sustained ends, drums apart.

`midi_plain` reads most files, by symusic; `midi_events` reads those that are unusual or damaged.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput, warn_input
from antiphon.io.drums import looks_pitched
from antiphon.io.midi_events import read_sequences
from antiphon.io.midi_plain import DRUM_CHANNEL, Sequence, read_plain
from antiphon.io.notes import Notes, extend_ends

_DEFAULT_TEMPO = 500_000  # microseconds per quarter note, where a file states none


def read_midi(path: Path, data: bytes, sustain: bool) -> Notes:
    """Read the notes of all tracks from a file's bytes; see `note_files.read_notes`.

    Raises `UnreadableInput`; warns with an `InputWarning` where the file is read in part or with a guess.
    """
    sequences, remarks, is_cut = sequences_of(path, data, sustain)
    columns = _in_seconds(sequences, sustain)
    is_drum = columns.pop() == DRUM_CHANNEL
    drums = Notes.of(*(column[is_drum] for column in columns)) if is_drum.any() else None
    if drums is not None and is_drum.all() and looks_pitched(drums):
        drums = None
        remarks.append("all its notes are on the channel of drums, but by their keys they are no drums: read as notes")
    if drums is not None:
        columns = [column[~is_drum] for column in columns]
    if len(columns[0]) == 0:
        if is_cut:
            raise UnreadableInput(path, "it is cut off before its first note")
        raise UnreadableInput(path, "it holds no notes" if drums is None else "it holds drums only, no pitched notes")
    is_guessed = any(len(one.tempo) == 0 for one in sequences if len(one.onset))
    notes = Notes.of(*columns, drums=drums, tempo_is_guessed=is_guessed)
    if any(map(_is_too_fast, sequences)):
        remarks.append("its tempo is over 3000 quarter notes a minute, so its times are hardly right")
    if is_cut:
        remarks.insert(0, f"it is cut off: {len(notes)} notes of its first {notes.end_s:.1f} s are read")
    if remarks:
        warn_input(path, "; ".join(remarks))
    return notes


def sequences_of(path: Path, data: bytes, sustain: bool) -> tuple[list[Sequence], list[str], bool]:
    """The sequences of a file in ticks, remarks on it, and whether it is cut off. Raises `UnreadableInput`."""
    plain = read_plain(data, sustain)
    try:
        return ([plain], [], False) if plain is not None else read_sequences(data)
    except ValueError as error:
        raise UnreadableInput(path, str(error)) from None


def _in_seconds(sequences: list[Sequence], sustain: bool) -> list[NDArray[Any]]:
    """Onset, duration, pitch, velocity and channel of the notes of sequences that are played one after the other."""
    parts: list[list[NDArray[Any]]] = []
    begin_s = 0.0
    for one in sequences:
        end = _hold(one) if sustain and len(one.pedal) else one.end
        onset_s, end_s = ticks_to_seconds(one, one.onset), ticks_to_seconds(one, end)
        columns = [begin_s + onset_s, np.maximum(end_s - onset_s, 0.0), one.pitch, one.velocity, one.channel]
        place = one.onset << 7 | one.pitch
        if (place[1:] < place[:-1]).any():
            order = np.argsort(place, kind="stable")  # fast where the order is almost right
            columns = [column[order] for column in columns]
        parts.append(columns)
        begin_s += float(end_s.max(initial=0.0))
    return parts[0] if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts, strict=True)]


def _is_too_fast(one: Sequence) -> bool:
    """Whether both quarter notes and ticks are shorter than anything that is played or recorded."""
    shortest = one.tempo[:, 1].min(initial=_DEFAULT_TEMPO)
    return bool(shortest < 20_000 and shortest / one.ticks_per_quarter < 10)


def ticks_to_seconds(one: Sequence, tick: NDArray[np.integer]) -> NDArray[np.float64]:
    """Apply a piecewise-linear tempo map; before the first tempo event, MIDI's default of 120 quarters a minute."""
    if len(one.tempo) == 0 or (len(one.tempo) == 1 and one.tempo[0, 0] == 0):
        return tick * ((one.tempo[0, 1] if len(one.tempo) else _DEFAULT_TEMPO) / (1e6 * one.ticks_per_quarter))
    order = np.argsort(one.tempo[:, 0], kind="stable")
    change = np.concatenate([[0], one.tempo[order, 0]]).astype(np.float64)
    seconds_per_tick = np.concatenate([[_DEFAULT_TEMPO], one.tempo[order, 1]]) / (1e6 * one.ticks_per_quarter)
    change_s = np.concatenate([[0.0], np.cumsum(np.diff(change) * seconds_per_tick[:-1])])
    piece = np.searchsorted(change, tick, side="right") - 1
    return change_s[piece] + (tick - change[piece]) * seconds_per_tick[piece]


def _hold(one: Sequence) -> NDArray[np.int64]:
    """Note ends under the sustain pedal of their channel, in ticks."""
    ends = one.end.copy()
    for channel in np.unique(one.pedal[:, 1]):
        kept = np.flatnonzero(one.channel == channel)
        pedal = one.pedal[one.pedal[:, 1] == channel]
        pedal = pedal[np.argsort(pedal[:, 0], kind="stable")]
        time, down = pedal[:, 0], pedal[:, 2].astype(bool)
        if not down.any() or len(kept) == 0:
            continue
        end = one.end[kept]
        state = np.searchsorted(time, end, side="right") - 1  # the last pedal event before the key is released
        held = (state >= 0) & down[state]
        rises = time[~down]
        last = max(int(end.max()), int(time[-1]))
        following = np.searchsorted(rises, end, side="right")
        release = np.where(following < len(rises), np.append(rises, last)[following], last)
        ends[kept] = extend_ends(one.onset[kept], end, one.pitch[kept], np.where(held, release, end))
    return ends
