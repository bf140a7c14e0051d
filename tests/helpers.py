"""Small inputs made on the spot: tones as sound files, scales and hand-written bytes as MIDI."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes, write_midi

END_OF_TRACK = b"\0\xff\x2f\0"


def sine(
    duration_s: float = 5.0, frequency_hz: float = 440.0, level: float = 0.5, rate_hz: int = 24_000
) -> NDArray[np.float32]:
    """A tone of that amplitude: float32 [n]."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def write_sine(path: Path, duration_s: float = 5.0, rate_hz: int = 24_000, channels: int = 1, **how: str) -> Path:
    """A 440 Hz tone, equal in all channels; `how` is soundfile's `format` and `subtype`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = sine(duration_s, rate_hz=rate_hz)
    soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), rate_hz, **how)
    return path


def scale(count: int = 12, lowest: int = 60) -> Notes:
    """A rising chromatic scale, two notes a second."""
    onset_s = np.arange(count) / 2
    return Notes.of(onset_s, np.full(count, 0.4), lowest + np.arange(count), np.full(count, 80))


def write_scale(path: Path, count: int = 12, lowest: int = 60) -> Path:
    """The scale as a MIDI file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_midi(scale(count, lowest), path)
    return path


def variable_length(number: int) -> bytes:
    """MIDI's variable-length quantity.

    >>> variable_length(480).hex()
    '8360'
    """
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(0x80 | number & 0x7F)
    return bytes(reversed(digits))


def event(delta: int, *data: int) -> bytes:
    """A MIDI event `delta` ticks after the one before."""
    return variable_length(delta) + bytes(data)


def tempo(delta: int, microseconds_per_quarter: int) -> bytes:
    return event(delta, 0xFF, 0x51, 3, *microseconds_per_quarter.to_bytes(3, "big"))


def note(pitch: int = 60, velocity: int = 64, duration: int = 480, delta: int = 0, channel: int = 0) -> bytes:
    """A note of `duration` ticks, with its end."""
    return event(delta, 0x90 | channel, pitch, velocity) + event(duration, 0x80 | channel, pitch, 0)


def midi(*tracks: bytes, kind: int = 1, division: int = 480, count: int | None = None) -> bytes:
    """A MIDI file; `count` is the number of tracks that its header claims."""
    header = b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks) if count is None else count, division)
    chunks = [b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks]
    return b"".join([header, *chunks])


def read_midi_bytes(folder: Path, data: bytes, sustain: bool = False) -> Notes:
    """The notes of a MIDI file of these bytes."""
    (folder / "file.mid").write_bytes(data)
    return read_notes(folder / "file.mid", sustain=sustain)


def note_rows(notes: Notes) -> list[tuple[float, float, int, int]]:
    """Onset, duration, pitch and velocity of each note."""
    columns = (notes.onset_s.round(6), notes.duration_s.round(6), notes.pitch, notes.velocity)
    return list(zip(*(column.tolist() for column in columns), strict=True))
