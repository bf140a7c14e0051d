"""The fast reader of MIDI files: symusic, where a check of the bytes says that it reads what is there.

symusic reads most files without a word that other programs read otherwise: running status after SysEx and meta events,
F7 packets, notes that never end, more tracks than the header states. `read_plain` reads a file only if it holds none of
these and each track's events end exactly at the track's end; `midi_events` reads the others.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import symusic
from numpy.typing import NDArray

from antiphon.io.notes import SUSTAIN_CONTROLLER

DRUM_CHANNEL = 9
_VARIABLE = rb"[\x80-\xff]{0,3}+[\x00-\x7f]"  # a delta or a size; quantifiers are possessive, so nothing is tried twice
_NUMBER = re.compile(_VARIABLE)
_BEGIN = re.compile(_VARIABLE + rb"(?:\Z|[\x80-\xef])")  # an event with a status of its own, or none
_CHANNEL_EVENTS = re.compile(  # those with two data bytes, then those with one, each with its running status
    rb"(?:(?:%(n)s[\x80-\xbf\xe0-\xef][\x00-\x7f]{2}(?:%(n)s[\x00-\x7f]{2})*+)*+"
    rb"(?:%(n)s[\xc0-\xdf][\x00-\x7f](?:%(n)s[\x00-\x7f])*+)?+)*+" % {b"n": _VARIABLE}
)
_OTHER_EVENT = re.compile(rb"(?:\xff([\x00-\x7f])|\xf0)(%s)" % _VARIABLE)
_SYSTEM = bytes(range(0xF0, 0xFF))
_TEMPO, _END, _END_OF_TRACK, _EMPTY_TEXT = b"\x51", b"\x2f", b"\xff\x2f\x00", b"\xff\x01\x00"
_FAR, _FAR_DELTA = 1 << 27, b"\xc0\x80\x80\x00"  # ticks; files with events as late are left to `midi_events`
_NOTE_ON = [bytes([0x90 | channel]) for channel in range(16)]
_CONTROL = [bytes([0xB0 | channel]) for channel in range(16)]
_NOTE_OFFS = [b"\0" + on + b"\0".join(bytes([key, 0]) for key in range(128)) for on in _NOTE_ON]
_MARKERS = [b"\0%b%c\1\0%c\0" % (on, channel, channel) for channel, on in enumerate(_NOTE_ON)]
_NO_PEDAL = np.zeros((0, 3), np.int64)


@dataclass(frozen=True)
class Sequence:
    """Notes that share one time line: N notes, P pedal events, M tempi.

    Attributes
    ----------
    onset, end : int64 arrays [N]
        Ticks.
    pitch, velocity, channel : uint8 arrays [N]
        Channels count from 0; 9 is the channel of drums.
    pedal : int64 array [P, 3]
        Tick, channel, and 1 where the sustain pedal is down.
    tempo : int64 array [M, 2]
        Tick and microseconds per quarter note.
    ticks_per_quarter : float
        Ticks per quarter note.
    """

    onset: NDArray[np.int64]
    end: NDArray[np.int64]
    pitch: NDArray[np.uint8]
    velocity: NDArray[np.uint8]
    channel: NDArray[np.uint8]
    pedal: NDArray[np.int64]
    tempo: NDArray[np.int64]
    ticks_per_quarter: float


def read_plain(data: bytes, sustain: bool) -> Sequence | None:
    """Read a file by symusic, or None where symusic would refuse or misread it.

    Pedal events are given with `sustain` only; without them, channels other than the drums' are not told apart.
    """
    bodies = _bodies(data)
    if bodies is None or not all(_is_plain(data, *body, True) or _is_plain(data, *body, False) for body in bodies):
        return None
    chunks = [data[:14]]
    for start, end in bodies:
        chunks += _closed_chunk(data[start:end], with_markers=sustain)
    try:
        score: Any = symusic.Score.from_midi(b"".join(chunks))
    except (RuntimeError, ValueError):
        return None
    columns, channels, pedals = [], [], [_NO_PEDAL]
    is_split = False  # a channel that changes its program has several tracks here, of which one has the marker
    for track in score.tracks:
        notes = track.notes.numpy()
        channel = DRUM_CHANNEL if track.is_drum else 0
        if sustain:
            if len(notes["time"]) and notes["time"][-1] >= _FAR:
                channel = int(notes["pitch"][-1])
                notes = {name: column[:-1] for name, column in notes.items()}
            else:
                is_split = True
            if len(track.controls):
                pedals.append(_pedal(track.controls.numpy(), channel))
        columns.append(notes)
        channels.append(np.full(len(notes["time"]), channel, np.uint8))
    pedal = np.concatenate(pedals) if len(pedals) > 1 else _NO_PEDAL
    if len(pedal) and is_split:
        return None
    onset, duration = _joined(columns, "time", np.int64), _joined(columns, "duration", np.int64)
    end = onset + duration
    if len(onset) and (onset.min() < 0 or duration.min() < 0 or end.max() >= _FAR):
        return None
    tempo = score.tempos.numpy() if len(score.tempos) else {"time": [], "mspq": []}
    return Sequence(
        onset,
        end,
        _joined(columns, "pitch", np.uint8),
        _joined(columns, "velocity", np.uint8),
        np.concatenate(channels) if channels else np.zeros(0, np.uint8),
        pedal,
        np.array([tempo["time"], tempo["mspq"]], np.int64).T,
        float(score.ticks_per_quarter),
    )


def _joined(columns: list[dict[str, NDArray[Any]]], name: str, kind: type) -> NDArray[Any]:
    found = columns[0][name] if len(columns) == 1 else np.concatenate([one[name] for one in columns] or [np.zeros(0)])
    return found.astype(kind)


def _pedal(controls: dict[str, NDArray[Any]], channel: int) -> NDArray[np.int64]:
    is_pedal = controls["number"] == SUSTAIN_CONTROLLER
    tick, value = controls["time"][is_pedal], controls["value"][is_pedal]
    return np.stack([tick, np.full(len(tick), channel), value >= 64], axis=1).astype(np.int64)


def _bodies(data: bytes) -> list[tuple[int, int]] | None:
    """Begin and end of each track's events, if header and chunks are as they should be and nothing else is there."""
    if len(data) < 14 or data[:8] != b"MThd\0\0\0\6":
        return None
    kind, count, division = struct.unpack_from(">HHH", data, 8)
    if kind > 1 or not 0 < division < 0x8000 or (kind == 0 and count != 1):
        return None
    bodies = []
    position = 14
    while data.startswith(b"MTrk", position) and position + 8 <= len(data):
        start = position + 8
        position = start + int.from_bytes(data[start - 4 : start], "big")
        bodies.append((start, position))
    return bodies if position == len(data) and len(bodies) == count else None


def _is_plain(data: bytes, start: int, end: int, is_quick: bool) -> bool:
    """Whether a track holds whole events of the usual kinds, and ends where its End of Track does.

    The quick way finds other than channel events by their first byte 0xFF. Where no byte of a system event is between
    two of them, what symusic makes of the channel events there is right, or an error. The few tracks where 0xFF is a
    byte of a delta, and those with SysEx, need the other way, which follows each event.
    """
    position = start
    while position < end:
        if is_quick:
            after = data.find(b"\xff", position, end)
            between = data[position : max(after, position)]
            if not _BEGIN.match(between) or len(between.translate(None, _SYSTEM)) < len(between):
                return False
        else:
            events = _CHANNEL_EVENTS.match(data, position, end)
            delta = _NUMBER.match(data, events.end() if events else position, end)
            after = delta.end() if delta else end
        event = _OTHER_EVENT.match(data, after, end)
        if event is None:
            return False
        size = 0
        for byte in event[2]:
            size = size << 7 | byte & 0x7F
        position = event.end() + size
        if event[1] is None:  # SysEx
            if data[position - 1 : position] != b"\xf7":
                return False
        elif event[1] == _END:
            return position == end and size == 0
        elif event[1] == _TEMPO and (size != 3 or data[position - 3 : position] == b"\0\0\0"):
            return False
    return False


def _closed_chunk(body: bytes, with_markers: bool) -> list[bytes]:
    """The parts of the track's chunk with note-offs of all keys far behind its end.

    A note that lasts until there has no end in the file. A marker is a note after that; its key is its channel.
    """
    events = [body[:-3], _EMPTY_TEXT, _FAR_DELTA, _EMPTY_TEXT]
    for channel in range(16):
        has_notes = _NOTE_ON[channel] in body
        if has_notes:
            events.append(_NOTE_OFFS[channel])
        if with_markers and (has_notes or _CONTROL[channel] in body):
            events.append(_MARKERS[channel])
    events += [b"\0", _END_OF_TRACK]
    return [b"MTrk", sum(map(len, events)).to_bytes(4, "big"), *events]
