"""The events of a MIDI file as mido reads them, on a clock computed here."""

from __future__ import annotations

import io
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import mido


@dataclass(frozen=True)
class Events:
    """Notes as (second, tick, pitch, velocity) in order of time, their ends in ticks by tick and pitch; tempi as
    (quarter, microseconds)."""

    notes: list[tuple[float, int, int, int]]
    ends: dict[tuple[int, int], int]
    tempi: list[tuple[Fraction, int]]
    signatures: list[tuple[Fraction, int, int]]
    markers: list[tuple[Fraction, str]]
    ticks_per_quarter: int

    def barlines(self, until: Fraction) -> list[Fraction]:
        """Quarters at which bars begin, by the time signatures."""
        found: list[Fraction] = []
        changes = [*self.signatures, (until, 4, 4)]
        for (at, numerator, denominator), (end, _, _) in pairwise(changes):
            while at < end:
                found.append(at)
                at += Fraction(4 * numerator, denominator)
        return found


def events_of(data: bytes) -> Events:
    file = mido.MidiFile(file=io.BytesIO(data))
    per_quarter = file.ticks_per_beat
    timed = []
    for number, track in enumerate(file.tracks):
        tick = 0
        for message in track:
            tick += message.time
            timed.append((tick, number, message))
    timed.sort(key=lambda one: one[0])
    tempi = [(tick, message.tempo) for tick, _, message in timed if message.type == "set_tempo"]
    starts, seconds = [0], [0.0]
    lengths = [500_000]
    for tick, length in tempi:
        seconds.append(seconds[-1] + (tick - starts[-1]) * lengths[-1] / per_quarter / 1e6)
        starts.append(tick)
        lengths.append(length)

    def at(tick: int) -> float:
        piece = bisect_right(starts, tick) - 1
        return seconds[piece] + (tick - starts[piece]) * lengths[piece] / per_quarter / 1e6

    notes = []
    ends = {}
    open_notes: dict[tuple[int, int, int], int] = {}
    for tick, track, message in timed:
        if message.type == "note_on" and message.velocity:
            notes.append((at(tick), tick, message.note, message.velocity))
            open_notes[track, message.channel, message.note] = tick
        elif message.type in ("note_on", "note_off"):
            ends[open_notes.pop((track, message.channel, message.note)), message.note] = tick
    return Events(
        notes,
        ends,
        [(Fraction(tick, per_quarter), length) for tick, length in tempi],
        [
            (Fraction(tick, per_quarter), message.numerator, message.denominator)
            for tick, _, message in timed
            if message.type == "time_signature"
        ],
        # A meta text has no stated encoding; mido takes it for Latin 1.
        [
            (Fraction(tick, per_quarter), message.text.encode("latin-1").decode())
            for tick, _, message in timed
            if message.type == "marker"
        ],
        per_quarter,
    )
