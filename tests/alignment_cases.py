"""Alignments made by hand: notes played through a known warp, with repeats, skips, pauses, missing and extra notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import symusic

from antiphon.alignment.alignment_table import Alignment
from antiphon.alignment.dtw import Warp
from antiphon.io.notes import Notes

TICKS = 480


@dataclass(frozen=True)
class Passage:
    """The notes that begin in [from_s, to_s), of which the first moment, from_s, sounds at `at_s`.

    `tempo` is seconds of the recording for each second of the notes; `swing` moves every moment by up to so many
    seconds, in periods of 3 s.
    """

    from_s: float
    to_s: float
    at_s: float
    tempo: float = 1.0
    swing: float = 0.0

    def at(self, onset_s: float) -> float:
        return self.at_s + self.tempo * (onset_s - self.from_s) + self.swing * float(np.sin(2.1 * onset_s))


def played(
    notes: Notes,
    path: Path | str,
    passages: Sequence[Passage],
    *,
    missing: Callable[[int], bool] = lambda number: False,
    unsure: Callable[[int], bool] = lambda number: False,
    extra: Sequence[tuple[float, int]] = (),
    semitones: int = 0,
    recording: str = "take.flac",
    jitter_s: float = 0.0,
    lost: tuple[tuple[float, float], ...] = (),
) -> Alignment:
    """The alignment of notes that a recording plays in these passages, in the order of the recording.

    Notes outside of all passages, and those that `missing` names by number, are missing. `extra` has (seconds in the
    recording, pitch). `jitter_s` is the standard deviation of the played notes around the path.
    """
    rng = np.random.default_rng(5)
    rows: list[tuple[float, int, float, float, str]] = []  # place in the order, number, time, end, state
    warps = []
    seen = set()
    for passage in passages:
        inside = [n for n in range(len(notes)) if passage.from_s <= notes.onset_s[n] < passage.to_s]
        for number in inside:
            seen.add(number)
            time_s = passage.at(float(notes.onset_s[number])) + jitter_s * float(rng.standard_normal())
            end_s = time_s + passage.tempo * float(notes.duration_s[number])
            state = "missing" if missing(number) else "unsure" if unsure(number) else "played"
            rows.append((time_s, number, np.nan if state == "missing" else time_s, end_s, state))
        grid = np.linspace(passage.from_s, float(notes.onset_s[inside].max()), 50)
        warps.append(Warp(grid, np.array([passage.at(one) for one in grid.tolist()])))
    for number in sorted(set(range(len(notes))) - seen):  # before the first row of a later note
        onset_s = notes.onset_s[number]
        later = [index for index, row in enumerate(rows) if notes.onset_s[row[1]] > onset_s]
        place = rows[later[0]][0] - 1e-6 if later else rows[-1][0] + 1e-6
        rows.insert(later[0] if later else len(rows), (place, number, np.nan, np.nan, "missing"))
    rows += [(time_s, -1 - pitch, time_s, time_s + 0.2, "extra") for time_s, pitch in extra]
    if extra:
        rows.sort(key=lambda row: row[0])
    number = np.array([row[1] for row in rows])
    is_extra = number < 0
    of = np.where(is_extra, 0, number)

    def column(values: np.ndarray, unknown: float) -> np.ndarray:
        return np.where(is_extra, unknown, values[of])

    times = np.array([row[2] for row in rows])
    ids = notes.id if notes.id is not None else np.array([str(one) for one in range(len(notes))])
    return Alignment(
        recording=recording,
        notes=str(path),
        confidence=0.987654,
        path_confidence=0.9,
        lost=lost,
        semitones=semitones,
        path=tuple(warps),
        note=np.where(is_extra, "", ids[of]),
        pitch=np.where(is_extra, -1 - number, notes.pitch[of]).astype(np.uint8),
        velocity=column(notes.velocity, 60).astype(np.uint8),
        onset_s=column(notes.onset_s, np.nan),
        offset_s=column(notes.offset_s, np.nan),
        bar=None if notes.bar is None else column(notes.bar, 0).astype(np.int32),
        beat=None if notes.beat is None else column(notes.beat, np.nan),
        recording_s=times,
        recording_offset_s=np.where(np.isfinite(times), [row[3] for row in rows], np.nan),
        state=np.array([row[4] for row in rows]),
        note_confidence=np.full(len(rows), 0.8),
    )


def write_score(path: Path, bars: int = 16, beats: int = 3, per_minute: float = 90.0, upbeat: bool = False) -> Path:
    """A MIDI score in `beats`/4: a chord on each first beat, eighth notes on the others; its pitches rise by bars."""
    score = symusic.Score(TICKS)
    score.tempos.append(symusic.Tempo(0, per_minute))
    if upbeat:
        score.time_signatures.append(symusic.TimeSignature(0, 1, 4))
    score.time_signatures.append(symusic.TimeSignature(TICKS if upbeat else 0, beats, 4))
    track = symusic.Track("piano")
    if upbeat:
        track.notes.append(symusic.Note(0, TICKS, 55, 70))
    for bar in range(bars):
        start = (bar * beats + upbeat) * TICKS
        for pitch in (48, 52):
            track.notes.append(symusic.Note(start, TICKS, pitch + bar % 12, 80))
        for half in range(2, 2 * beats):
            track.notes.append(symusic.Note(start + half * TICKS // 2, TICKS // 2, 60 + bar % 12 + half, 64 + half))
    score.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(score.dumps_midi())
    return path
