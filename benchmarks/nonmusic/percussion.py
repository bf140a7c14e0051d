"""Drums without pitched instruments: a General MIDI kit played by FluidSynth, random patterns and those of files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import AntiphonError
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.rendering.fluidsynth import find_soundfont
from benchmarks.nonmusic.kinds import RATE_HZ, Generator, Samples, sound_kind

SOUNDFONTS = ("TimGM6mb", "FluidR3_GM")
_CHANNEL = 9
_KITS = (0, 8, 16, 24, 25, 32, 40)
_LINES = ((36, 35), (38, 40, 37, 39), (42, 44, 46, 51), (41, 45, 48, 50), (54, 56, 60, 62, 70, 75), (49, 57))


def play_drums(strokes: Notes, count: int, soundfont: str, kit: int) -> Samples:
    """Strokes of percussion keys as `count` mono samples."""
    import fluidsynth

    synth: Any = fluidsynth.Synth(gain=0.6, samplerate=float(RATE_HZ))
    try:
        font = synth.sfload(str(find_soundfont(soundfont)))
        if synth.program_select(_CHANNEL, font, 128, kit) != 0:
            synth.program_select(_CHANNEL, font, 128, 0)
        blocks: list[NDArray[np.int16]] = []
        now = 0
        for onset_s, pitch, velocity in zip(strokes.onset_s, strokes.pitch, strokes.velocity, strict=True):
            at = min(round(float(onset_s) * RATE_HZ), count)
            if at > now:
                blocks.append(synth.get_samples(at - now))
                now = at
            synth.noteon(_CHANNEL, int(pitch), max(1, int(velocity)))
        blocks.append(synth.get_samples(max(count - now, 0)))
        stereo = np.concatenate(blocks).reshape(-1, 2)[:count]
        return np.pad(stereo.mean(axis=1) / 32768, (0, count - len(stereo)))
    finally:
        synth.delete()


@sound_kind
def drum_loop(rng: Generator, count: int) -> Samples:
    """A random bar of 16 steps for two to five instruments, repeated with small changes."""
    step_s = 60 / rng.uniform(60.0, 180.0) / 4
    onset_s, pitch, velocity = [], [], []
    for number in rng.permutation(len(_LINES))[: rng.integers(2, 6)]:
        key, pattern = int(rng.choice(_LINES[number])), rng.uniform(size=16) < rng.uniform(0.1, 0.6)
        for step in range(int(count / RATE_HZ / step_s) + 1):
            if pattern[step % 16] != (rng.uniform() < 0.03):
                onset_s.append(max(0.0, step * step_s + rng.normal(0.0, 0.005)))
                pitch.append(key)
                velocity.append(int(rng.integers(50, 127)))
    strokes = Notes.of(onset_s, [0.1] * len(onset_s), pitch, velocity)
    return play_drums(strokes, count, str(rng.choice(SOUNDFONTS)), int(rng.choice(_KITS)))


@lru_cache(maxsize=8)
def _drummed(folder: Path) -> tuple[Path, ...]:
    """The files below a folder with at least 100 strokes of drums."""
    files = sorted([*folder.rglob("*.mid"), *folder.rglob("*.midi")])
    found = []
    for path in files:
        try:
            strokes = read_notes(path).drums
        except AntiphonError:
            continue
        if strokes is not None and len(strokes) >= 100:
            found.append(path)
    return tuple(found)


def drums_of_file(rng: Generator, count: int, folder: Path) -> Samples:
    """A stretch of the drums of one of the files below a folder. Raises `AntiphonError` where none has drums."""
    files = _drummed(folder)
    if not files:
        raise AntiphonError(f"{folder}: no file with drums below it")
    strokes = read_notes(files[rng.integers(len(files))]).drums
    assert strokes is not None
    begin_s = float(rng.choice(strokes.onset_s[: -len(strokes) // 4 or None]))
    part = strokes.within(begin_s, begin_s + count / RATE_HZ)
    moved = Notes.of(part.onset_s - begin_s, part.duration_s, part.pitch, part.velocity)
    return play_drums(moved, count, str(rng.choice(SOUNDFONTS)), 0)
