"""MIDI files → `Notes`: two readers, and what follows from their ticks: seconds, sustained ends, drums apart.

`midi_plain` reads most files, by symusic; `midi_events` reads those that are unusual or damaged.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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
    plain = read_plain(data, sustain)
    try:
        sequences, remarks, is_cut = ([plain], [], False) if plain is not None else read_sequences(data)
    except ValueError as error:
        raise UnreadableInput(path, str(error)) from None
    notes, drums = _in_seconds(sequences, sustain)
    if len(notes) == 0 and looks_pitched(drums):
        notes, drums = drums, notes
        remarks.append(
            "all its notes are on the channel of drums, but by their keys and lengths no drums: read as notes"
        )
    if len(notes) == 0:
        if is_cut:
            raise UnreadableInput(path, "it is cut off before its first note")
        raise UnreadableInput(path, "it holds drums only, no pitched notes" if len(drums) else "it holds no notes")
    if any(_is_too_fast(one) for one in sequences):
        remarks.append("its tempo is over 3000 quarter notes a minute, so its times are hardly right")
    if is_cut:
        remarks.insert(0, f"it is cut off: {len(notes)} notes of its first {notes.end_s:.1f} s are read")
    if remarks:
        warn_input(path, "; ".join(remarks))
    return replace(
        notes,
        drums=drums if len(drums) else None,
        tempo_is_guessed=any(len(one.tempo) == 0 for one in sequences if len(one.onset)),
    )


def _in_seconds(sequences: list[Sequence], sustain: bool) -> tuple[Notes, Notes]:
    """Pitched notes and drums of sequences that are played one after the other."""
    columns = []
    begin_s = 0.0
    for one in sequences:
        end = _hold(one) if sustain and len(one.pedal) else one.end
        order = np.argsort(one.onset << 7 | one.pitch, kind="stable")  # fast where the order is almost right
        onset_s = begin_s + _ticks_to_seconds(one, one.onset[order])
        end_s = begin_s + _ticks_to_seconds(one, end[order])
        columns.append(
            (
                onset_s,
                np.maximum(end_s - onset_s, 0.0),
                one.pitch[order],
                one.velocity[order],
                one.channel[order] == DRUM_CHANNEL,
            )
        )
        begin_s = float(end_s.max(initial=begin_s))
    onset_s, duration_s, pitch, velocity, is_drum = (
        np.concatenate(column) if len(column) > 1 else column[0] for column in zip(*columns, strict=True)
    )
    if not is_drum.any():
        return Notes.of(onset_s, duration_s, pitch, velocity), Notes.of([], [], [], [])
    notes, drums = (
        Notes.of(onset_s[kept], duration_s[kept], pitch[kept], velocity[kept]) for kept in (~is_drum, is_drum)
    )
    return notes, drums


def _is_too_fast(one: Sequence) -> bool:
    """Whether both quarter notes and ticks are shorter than anything that is played or recorded."""
    shortest = one.tempo[:, 1].min(initial=_DEFAULT_TEMPO)
    return bool(shortest < 20_000 and shortest / one.ticks_per_quarter < 10)


def _ticks_to_seconds(one: Sequence, tick: NDArray[np.integer]) -> NDArray[np.float64]:
    """Apply a piecewise-linear tempo map; before the first tempo event, MIDI's default of 120 quarters a minute."""
    order = np.argsort(one.tempo[:, 0], kind="stable")
    change = np.concatenate([[0], one.tempo[order, 0]]).astype(np.float64)
    seconds_per_tick = np.concatenate([[_DEFAULT_TEMPO], one.tempo[order, 1]]) / (1e6 * one.ticks_per_quarter)
    change_s = np.concatenate([[0.0], np.cumsum(np.diff(change) * seconds_per_tick[:-1])])
    if change[-1] == 0:  # one tempo
        return tick * seconds_per_tick[-1]
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
