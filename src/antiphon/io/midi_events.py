"""A lenient reader of MIDI files: what players find in files that are unusual or damaged, event by event.

`midi` uses it for the files that symusic refuses or would misread. It knows ticks, not seconds.
"""

from __future__ import annotations

import re
import struct
from collections import Counter, defaultdict, deque
from collections.abc import Sized
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from antiphon.io.midi_plain import Sequence
from antiphon.io.notes import SUSTAIN_CONTROLLER

_SEARCHED_BYTES = 1 << 20  # how far into a file its header may begin
_CHUNK, _CHUNK_NAME = re.compile(rb"MTrk|MThd"), re.compile(rb"[ -~]{4}")
_FRAMES_PER_SECOND = {24: 24.0, 25: 25.0, 29: 30 / 1.001, 30: 30.0}
_SYSTEM_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # data bytes of system messages; the others have none
_LATE_QUARTERS = 64  # an End of Track that is so much later than the last event does not say when notes end
_Sounding = defaultdict[int, deque[list[int]]]  # channel and pitch → notes that are on


@dataclass
class _Events:
    """The events of tracks that sound together; a note is a list of onset, end, pitch, velocity and channel."""

    notes: list[list[int]] = field(default_factory=list)
    pedal: list[tuple[int, int, int]] = field(default_factory=list)
    tempo: list[tuple[int, int]] = field(default_factory=list)
    unended: list[tuple[list[int], int]] = field(default_factory=list)  # notes without note-off, and their latest end
    unbegun: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))  # ticks of other note-offs
    counts: Counter[str] = field(default_factory=Counter)  # words of a remark → how often

    def add(self, sounding: _Sounding, tick: int, status: int, first: int, second: int) -> None:
        """A channel event of a track in which the notes of `sounding` are on."""
        kind, channel = status >> 4, status & 15
        if kind == 9 and second and first < 128:
            note = [tick, tick, first, min(second, 127), channel]
            self.notes.append(note)
            sounding[channel << 7 | first].append(note)
        elif kind in (8, 9) and first < 128:
            begun = sounding[channel << 7 | first]
            if begun:
                begun.popleft()[1] = tick
            else:
                self.unbegun[channel << 7 | first].append(tick)
        elif kind == 11 and first == SUSTAIN_CONTROLLER:
            self.pedal.append((tick, channel, second >= 64))

    def close(self) -> None:
        """End the notes that their own track does not end: by a note-off of another track, else as late as can be."""
        offs = {key: deque(sorted(ticks)) for key, ticks in self.unbegun.items()}
        for note, latest in sorted(self.unended, key=lambda one: one[0][0]):
            ticks = offs.get(note[4] << 7 | note[2], deque())
            while ticks and ticks[0] < note[0]:
                ticks.popleft()
            self.counts["notes without an end, closed where their key sounds again or their track ends"] += not ticks
            note[1] = ticks.popleft() if ticks else latest
        no_tempi = sum(length == 0 for _, length in self.tempo)
        self.counts["tempi of 0 microseconds per quarter note, left out"] += no_tempi

    def sequence(self, ticks_per_quarter: float, is_smpte: bool) -> Sequence:
        # A tick of SMPTE is as long at every tempo.
        tempo = [(0, 1_000_000)] if is_smpte else [(tick, length) for tick, length in self.tempo if length]
        notes, pedal, tempi = _table(self.notes, 5), _table(self.pedal, 3), _table(tempo, 2)
        pitch, velocity, channel = notes.T[2:].astype(np.uint8)
        return Sequence(notes[:, 0], notes[:, 1], pitch, velocity, channel, pedal, tempi, ticks_per_quarter)


def _table(rows: Sized, columns: int) -> NDArray[np.int64]:
    return np.array(rows, np.int64).reshape(-1, columns)


def read_sequences(data: bytes) -> tuple[list[Sequence], list[str], bool]:
    """The sequences of a file (one, or in format 2 one for each track), what is unusual in it, whether it is cut off.

    Raises `ValueError` with the reason where it is no MIDI file, or nothing in it has a time.
    """
    start = data.find(b"MThd", 0, _SEARCHED_BYTES)
    track = data.find(b"MTrk", max(start, 0))
    start = data.rfind(b"MThd", start, track if track > 0 else len(data)) if start >= 0 else start
    header = data[start : track if track > 0 else len(data)]
    if start < 0 or len(header) < 14:
        fault = "it has no header MThd" if start < 0 else "its header is cut off"
        raise ValueError(f"not a readable MIDI file ({fault})")
    kind, stated_tracks, division = struct.unpack_from(">HHH", header, 8)
    frames, is_smpte = 256 - (division >> 8), division >= 0x8000
    if is_smpte and frames not in _FRAMES_PER_SECOND:
        raise ValueError(f"its header counts time in {frames} frames a second; 24, 25, 29 (29.97) and 30 are known")
    ticks_per_quarter = _FRAMES_PER_SECOND[frames] * (division & 0xFF) if is_smpte else float(division)
    if ticks_per_quarter == 0:
        unit = "frame" if is_smpte else "quarter note"
        raise ValueError(f"its header gives 0 ticks per {unit}, so nothing has a time")
    groups, tracks, has_cut = [_Events()], 0, False
    position = _next_chunk(data, start + 14)
    while data.startswith(b"MTrk", position) and position >= 0:
        if kind == 2 and tracks:
            groups.append(_Events())
        position, is_cut = _read_track(data, position, groups[-1], int(_LATE_QUARTERS * ticks_per_quarter))
        has_cut |= is_cut
        tracks += 1
        position = _next_chunk(data, position)
    for group in groups:
        group.close()
    counts: Counter[str] = sum((group.counts for group in groups), Counter())
    remarks = [f"{words}: {count}" for words, count in counts.items() if count]
    if tracks < stated_tracks:
        remarks.append(f"its header states {stated_tracks} tracks, it holds {tracks}")
    if len(groups) > 1:
        remarks.append(f"it holds {len(groups)} independent sequences, read one after the other")
    if position >= 0:
        remarks.append("another MIDI file follows in it and is left out")
    return [group.sequence(ticks_per_quarter, is_smpte) for group in groups], remarks, has_cut


def _end_of_chunk(data: bytes, position: int) -> int:
    """Where the chunk of any kind that begins here ends, −1 if none does or the file does not hold it whole."""
    end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "big")
    return end if _CHUNK_NAME.match(data, position) and end <= len(data) else -1


def _next_chunk(data: bytes, position: int) -> int:
    """Where the next track or header begins, −1 if there is none; other chunks and bytes in between are skipped."""
    while not _CHUNK.match(data, position) and (end := _end_of_chunk(data, position)) >= 0:
        position = end
    found = _CHUNK.search(data, position)
    return found.start() if found else -1


def _read_track(data: bytes, chunk: int, into: _Events, late: int) -> tuple[int, bool]:
    """Read the track whose chunk begins at `chunk`; where it ends, and whether the file is cut off there."""
    start = min(chunk + 8, len(data))
    stated = int.from_bytes(data[start - 4 : start], "big")
    limit = start + stated
    if limit != len(data) and not _CHUNK.match(data, limit) and _end_of_chunk(data, limit) < 0:  # a wrong size
        following = _CHUNK.search(data, start)
        limit = following.start() if following else len(data)
    body = data[start:limit]
    position = tick = running = 0
    ended = is_whole = False
    sounding: _Sounding = defaultdict(deque)
    with suppress(IndexError, ValueError):  # raised where an event goes beyond the end
        while position < len(body) and not ended:
            if position == stated and body.find(b"\xff\x2f\x00", position) < 0:
                break  # what follows is no part of the track
            delta, position = _number(body, position)
            has_status = body[position] >= 0x80
            # Running status is in force after SysEx and meta events too, as in players.
            status = body[position] if has_status else running
            position += has_status
            if status < 0x80:  # a data byte of no event
                position += 1
                into.counts["damaged events"] += 1
            elif status < 0xF0:
                running = status
                first, position = body[position], position + (1 if 0xC0 <= status < 0xE0 else 2)
                second = body[position - 1]
                if first > 127 or second > 127:
                    into.counts["damaged events"] += 1
                into.add(sounding, tick + delta, status, first, second)
            elif status == 0xFF and body[position] == 0x2F:
                position += 2 if body.startswith(b"\0", position + 1) else 1
                ended, delta = True, delta if delta <= late else 0
            elif status == 0xFF:
                size, after = _number(body, position + 1)
                if body[position] == 0x51 and size >= 3:
                    into.tempo.append((tick + delta, int.from_bytes(body[after : after + 3], "big")))
                position = after + size
            elif status == 0xF0 or status == 0xF7:
                size, after = _number(body, position)
                is_raw = status == 0xF0 and after + size > len(body)  # as over a cable: no size, but 0xF7 at its end
                position = body.index(0xF7, position) + 1 if is_raw else after + size
            else:
                position += _SYSTEM_DATA.get(status, 0)
            if position > len(body):
                raise IndexError
            tick += delta
        is_whole = True
    for notes in sounding.values():
        into.unended += zip(notes, [*(note[0] for note in notes), tick][1:], strict=True)
    is_cut = not ended and limit == len(data) and stated > len(body)
    into.counts["damaged events"] += not is_whole and not is_cut
    return start + position if is_whole else limit, is_cut


def _number(body: bytes, position: int) -> tuple[int, int]:
    """A number of 7 bits a byte, and the position after it."""
    value = body[position] & 0x7F
    while body[position] >= 0x80:
        position += 1
        value = (value << 7 | body[position] & 0x7F) & 0xFFFFFFF
    return value, position + 1
