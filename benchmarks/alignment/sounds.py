"""Renders of performances, cached: the clean sound of a SoundFont, or the same in a room through a microphone."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from antiphon.augmentation import Conditions, record_whole
from antiphon.io.audio import read_samples, write_flac
from antiphon.io.files import atomic_file
from antiphon.io.notes import Notes
from antiphon.rendering import Renderer, make_renderer
from benchmarks.alignment.asap_pieces import Piece

RATE_HZ = 44_100
"""FluidSynth starts notes at multiples of 64 samples: up to 1.45 ms late at this rate, 2.7 ms at 24 kHz."""
Condition = Literal["clean", "room"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)
_ROOMS, _SEED = 64, 21


def sound_of(piece: Piece, soundfont: str, condition: Condition, cache: Path) -> Path:
    """The FLAC file, mono at 44.1 kHz, of a piece's cut; rendered where the cache does not have it.

    `room` adds one recording chain (room, microphone, noise, level) from start to end, which the piece's name draws.
    """
    renderer = _renderer(soundfont)
    path = cache / f"{renderer.name}-{renderer.fingerprint[:8]}" / f"{_stretch(piece)}.{condition}.flac"
    if not path.exists():
        if condition == "room":
            chain = Conditions(_ROOMS, _SEED).condition_of(piece.name, 1)
            samples = read_samples(sound_of(piece, soundfont, "clean", cache), RATE_HZ)
            samples = record_whole(samples, chain, piece.name, RATE_HZ)
        else:
            samples = renderer.render(piece.performed(), piece.duration_s)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as temporary:
            write_flac(temporary, samples, RATE_HZ)
    return path


def performed_midi(piece: Piece, cache: Path) -> Path:
    """A MIDI file of the performed notes at seconds of the cut, for methods that align notes to notes."""
    path = cache / "performed" / f"{_stretch(piece)}.mid"
    return path if path.exists() else note_file(piece.performed(), _stretch(piece), cache, "performed")


def note_file(notes: Notes, name: str, cache: Path, folder: str = "notes") -> Path:
    """A MIDI file of notes in the cache, written anew."""
    path = cache / folder / f"{name}.mid"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as temporary:
        notes.save(temporary)
    return path


def sound_of_notes(notes: Notes, duration_s: float, name: str, soundfont: str, cache: Path) -> Path:
    """The clean render of any notes; a change of the notes gives another file."""
    renderer = _renderer(soundfont)
    columns = (notes.onset_s, notes.duration_s, notes.pitch, notes.velocity, np.array(duration_s))
    key = hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()[:8]
    path = cache / f"{renderer.name}-{renderer.fingerprint[:8]}" / f"{name}-{key}.flac"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as temporary:
            write_flac(temporary, renderer.render(notes, duration_s), RATE_HZ)
    return path


@lru_cache(maxsize=4)
def _renderer(soundfont: str) -> Renderer:
    return make_renderer(soundfont, RATE_HZ)


def _stretch(piece: Piece) -> str:
    """A file name that changes with the performance and the cut."""
    key = f"{piece.notes_path.stem}/{piece.begin_s:.6f}/{piece.end_s:.6f}"
    return f"{piece.name}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
