"""A small ASAP with a small MAESTRO for tests of the alignment benchmark, and a method that knows the answer."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from benchmarks.alignment.aligners import Aligned
from benchmarks.alignment.cases import Case
from benchmarks.alignment.repeats import Expected
from benchmarks.alignment.rows import Setting

from antiphon.corpora import Corpus
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes

BEATS = 48
START_S = 20.0  # where the pieces begin in their MAESTRO files
PIECES = ("A/one", "A/two", "B/three", "B/three_no_repeat", "C/wrong", "C/short")


def chord_notes(beat_s: np.ndarray, seed: int, spread_s: float = 0.0) -> Notes:
    """Three notes at each beat, and one between beats; chords are spread by up to `spread_s`, differently each time."""
    rng, spread = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    onset_s, pitch = [], []
    for begin_s, end_s in zip(beat_s, np.append(beat_s[1:], beat_s[-1] + 0.5), strict=True):
        onset_s += [*(begin_s + spread.uniform(-spread_s, spread_s, 3)), (begin_s + end_s) / 2]
        pitch += [*rng.choice(np.arange(40, 90), 3, replace=False), rng.integers(40, 90)]
    return Notes.of(onset_s, [0.2] * len(onset_s), pitch, [80] * len(pitch))


def performed_beats(seed: int) -> np.ndarray:
    """Beats of a player whose tempo changes: seconds from the first one."""
    return np.concatenate([[0.0], np.cumsum(np.random.default_rng(seed).uniform(0.35, 0.65, BEATS - 1))])


def write_data(root: Path) -> Path:
    """Write `asap` and `maestro` to `root`. C/wrong has the annotations of other music, C/short too few."""
    asap, maestro = root / "asap", root / "maestro"
    rows, table = [], []
    for number, folder in enumerate(PIECES):
        (asap / folder).mkdir(parents=True)
        (maestro / "2011").mkdir(parents=True, exist_ok=True)
        score_s = np.arange(BEATS) * 0.5
        chord_notes(score_s, number).save(asap / folder / "midi_score.mid")
        beat_s = performed_beats(number)
        played = chord_notes(START_S + beat_s, number, spread_s=0.012)
        played.save(maestro / "2011" / f"{number}.midi")
        kept = read_notes(maestro / "2011" / f"{number}.midi")
        chords = [np.sort(kept.onset_s[np.abs(kept.onset_s - START_S - at) < 0.05])[1] for at in beat_s]
        annotated = np.array(chords) - (START_S - 0.5)
        if folder == "C/wrong":
            annotated = performed_beats(99) + 0.5
        if folder == "C/short":
            annotated = annotated[:-1]
        for name, times in (("midi_score_annotations.txt", score_s), ("p_annotations.txt", annotated)):
            (asap / folder / name).write_text("".join(f"{at}\t{at}\tb\n" for at in times), encoding="utf-8")
        split = "train" if folder == "A/two" else "validation" if number % 2 else "test"
        table.append(["X", folder, split, "2011", f"2011/{number}.midi", f"2011/{number}.wav", str(START_S + 40.0)])
        rows.append(
            [
                folder,
                f"{folder}/midi_score.mid",
                f"{folder}/p_annotations.txt",
                f"{folder}/midi_score_annotations.txt",
                f"{{maestro}}/2011/{number}.midi",
                str(START_S),
                str(START_S + 30.0),
            ]
        )
    columns = "folder midi_score performance_annotations midi_score_annotations maestro_midi_performance start end"
    _write_csv(asap / "metadata.csv", columns.split(), rows)
    columns = "canonical_composer canonical_title split year midi_filename audio_filename duration"
    _write_csv(maestro / "maestro-v3.0.0.csv", columns.split(), table)
    return root


def _write_csv(path: Path, columns: list[str], rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def setting_of(data: Path, maestro: Corpus, cache: Path, **how: object) -> Setting:
    return Setting(
        how.pop("aligners", ()),  # type: ignore[arg-type]
        cache,
        data / "asap",
        maestro,
        soundfonts=("additive",),
        **how,  # type: ignore[arg-type]
    )


class Oracle:
    """Gives the notes of a case the times that a map from seconds of the notes gives, plus a delay."""

    name = "antiphon"

    def __init__(self, data: Path, delay_s: float = 0.007) -> None:
        self.data, self.delay_s = data, delay_s
        self.asked: list[Case] = []

    def __call__(self, case: Case) -> Aligned:
        self.asked.append(case)
        notes = read_notes(case.notes)
        times = np.interp(notes.onset_s, case.notes_s, case.recording_s) + self.delay_s
        return Aligned(notes.onset_s, notes.pitch, times, 0.5, np.full(len(notes), 0.95))

    def close(self) -> None:
        pass


def ideal(expected: list[Expected]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of an alignment that is right: of places that are written twice and played once, the first is missing."""
    rows = []
    for beat in expected:
        for number, at in enumerate(beat.written_s):
            missing = len(beat.written_s) > len(beat.played_s) and number == 0
            rows += [(at, np.nan)] if missing else [(at, time) for time in beat.played_s]
    onset_s, times = np.array(rows).T
    return onset_s, times
