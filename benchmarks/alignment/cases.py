"""Cases to align: notes, a recording of them, and the true times. Tuning uses the training split only.

from benchmarks.alignment.cases import tuning_cases

for case in tuning_cases(Path("…/asap"), open_corpus("…/maestro-v3.0.0"), ["FluidR3_GM"], ["clean"], cache):
    alignment = antiphon.align(case.recording, case.notes)  # case.score_s ↔ case.recording_s
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.corpora import Corpus
from antiphon.progress import track
from benchmarks.alignment.asap_pieces import Piece, read_pieces
from benchmarks.alignment.sounds import Condition, performed_midi, sound_of

REPORTED = ("validation", "test")
"""The splits of MAESTRO that rows report. Works that they play are left out of tuning."""
TUNED = ("train",)
TUNING_PIECES, TUNING_SEED = 16, 21

Seconds = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Case:
    """Notes and a recording of them: `notes_s` [B] are seconds in the notes that sound at `recording_s` [B].

    `performed` is a MIDI file of the notes that the recording plays, on its clock; None where there is none. With
    `pitch` [B] the times are those of single notes, else of all notes that begin there.
    """

    name: str
    kind: str
    notes: Path
    recording: Path
    duration_s: float
    notes_s: Seconds
    recording_s: Seconds
    performed: Path | None = None
    pitch: NDArray[np.uint8] | None = None


def tuning_cases(
    asap: Path,
    maestro: Corpus,
    soundfonts: Sequence[str],
    conditions: Sequence[Condition],
    cache: Path,
    pieces: int = TUNING_PIECES,
) -> Iterator[Case]:
    """Cases of the training split, of works without a performance in the splits that rows report."""
    chosen = read_pieces(asap, maestro, TUNED, REPORTED, pieces, TUNING_SEED).pieces
    return cases_of(chosen, soundfonts, conditions, cache)


def cases_of(
    pieces: Collection[Piece], soundfonts: Sequence[str], conditions: Sequence[Condition], cache: Path
) -> Iterator[Case]:
    """Each piece as each SoundFont renders it under each condition; rendered where the cache does not have it."""
    for soundfont in soundfonts:
        for condition in conditions:
            for piece in track(pieces, f"{Path(soundfont).stem}, {condition}"):
                yield case_of(piece, soundfont, condition, cache)


def case_of(
    piece: Piece, soundfont: str, condition: Condition, cache: Path, name: str = "", score: Path | None = None
) -> Case:
    """A piece as a SoundFont renders it under a condition; with another score, whose beats are not known, too."""
    nothing = np.zeros(0)
    return Case(
        name or piece.folder,
        f"{Path(soundfont).stem} {condition}",
        score or piece.score,
        sound_of(piece, soundfont, condition, cache),
        piece.duration_s,
        nothing if score else piece.score_s,
        nothing if score else piece.performance_s,
        performed_midi(piece, cache),
    )
