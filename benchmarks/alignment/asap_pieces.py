"""Pieces of ASAP: a quantised score, one MAESTRO performance of it, and the true times of its beats."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.corpora import Corpus, Recording
from antiphon.errors import UnreadableInput
from antiphon.io.csv_tables import read_csv
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from benchmarks.alignment.truth import Beats, true_beats
from benchmarks.search.asap import Performance, read_asap, work_of

MARGIN_S = 1.0
"""Seconds of the performance that are kept before its start and after its end."""
_COLUMNS = ("midi_score", "maestro_midi_performance", "performance_annotations", "midi_score_annotations", "start")
_LEAD_S = 0.5  # ASAP's cuts begin so long before the `start` of the metadata, except at the file's own start
Seconds = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Piece:
    """A score, and seconds `begin_s` to `end_s` of a MAESTRO performance that play it.

    `score_s` and `performance_s` [B] are the beats that count (`benchmarks.alignment.truth`): seconds in the score and
    in the cut, whose second 0 is `begin_s`. `median_s` [B] is the median of the onsets performed there. `constant_s` is
    the origin of the annotations, in seconds after the `start` of the metadata.
    """

    folder: str
    split: str
    score: Path
    notes_path: Path
    begin_s: float
    end_s: float
    score_s: Seconds
    performance_s: Seconds
    median_s: Seconds
    constant_s: float

    @property
    def name(self) -> str:
        """The folder as one word, for file names."""
        return self.folder.replace("/", ".").lower()

    @property
    def duration_s(self) -> float:
        return self.end_s - self.begin_s

    def performed(self) -> Notes:
        """The notes that begin within the cut, with the pedal applied, at seconds of the cut."""
        return cut(read_notes(self.notes_path, sustain=True), self.begin_s, self.end_s)


@dataclass(frozen=True)
class Pieces:
    """The pieces that count, and those that do not: folder and reason."""

    pieces: tuple[Piece, ...]
    dropped: tuple[str, ...]


def cut(notes: Notes, begin_s: float, end_s: float) -> Notes:
    """The notes that begin in [begin_s, end_s), shortened to end by `end_s`, at seconds from `begin_s`."""
    kept = notes.within(begin_s, end_s)
    return replace(kept, onset_s=kept.onset_s - begin_s)


def read_pieces(
    asap: Path,
    maestro: Corpus,
    splits: Collection[str],
    without: Collection[str] = (),
    count: int = 0,
    seed: int = 0,
    works: Collection[str] | None = None,
) -> Pieces:
    """One performance for each score: the first in ASAP's metadata whose recording is in one of the MAESTRO splits.

    Scores of a work that has a performance in one of the splits `without` are left out. A `count` above 0 takes a
    random sample of so many pieces, which `seed` determines. `works` are the works to look at, None for all.
    """
    recordings = {one.id: one for one in maestro.recordings}
    everything = read_asap(asap)
    left_out = {
        work_of(one.folder)
        for one in everything.performances
        if one.id in recordings and recordings[one.id].split in without
    }
    first: dict[Path, tuple[Performance, Recording]] = {}
    for one in everything.performances:
        recording = recordings.get(one.id)
        if recording is None or recording.split not in splits or work_of(one.folder) in left_out:
            continue
        if works is None or work_of(one.folder) in works:
            first.setdefault(everything.scores[one.folder], (one, recording))
    chosen = list(first.items())
    if not chosen:
        raise UnreadableInput(asap, f"no performance of its scores is in {maestro.name}, splits {', '.join(splits)}")
    if count:
        order = np.random.default_rng(seed).permutation(len(chosen))
        chosen = [chosen[number] for number in order]
    annotations = _annotations(asap)
    pieces: list[Piece] = []
    dropped = []
    for score, (performance, recording) in chosen:
        if count and len(pieces) == count:
            break
        files = annotations[performance.folder, performance.id, performance.start_s]
        piece = _piece(score, performance, recording, files)
        if isinstance(piece, str):
            dropped.append(f"{performance.folder}: {piece}")
        else:
            pieces.append(piece)
    return Pieces(tuple(pieces), tuple(dropped))


def _annotations(asap: Path) -> dict[tuple[str, str, float], tuple[Path, Path]]:
    """Annotations of score and performance by folder, MAESTRO file and start; the first row of equal ones."""
    found: dict[tuple[str, str, float], tuple[Path, Path]] = {}
    for row in read_csv(asap / "metadata.csv", "table of ASAP", ("folder", *_COLUMNS)):
        if played := row["maestro_midi_performance"]:
            id_ = Path(played.removeprefix("{maestro}/")).with_suffix("").as_posix()
            files = asap / row["midi_score_annotations"], asap / row["performance_annotations"]
            found.setdefault((row["folder"], id_, float(row["start"] or 0.0)), files)
    return found


def read_beats(path: Path) -> Seconds:
    """Seconds of the beats of an annotation file of ASAP, its first column."""
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        return np.array([float(line.split()[0]) for line in lines if line.strip()])
    except ValueError:
        raise UnreadableInput(path, "a line does not begin with a time in seconds") from None


def _piece(score: Path, performance: Performance, recording: Recording, files: Sequence[Path]) -> Piece | str:
    """The piece, or the reason why it has none."""
    played = read_notes(recording.notes_path)
    expected_s = performance.start_s - _LEAD_S if performance.start_s else 0.0
    score_s, annotated_s = read_beats(files[0]), read_beats(files[1])
    if len(score_s) != len(annotated_s):
        return f"{len(score_s)} beats of the score, {len(annotated_s)} of the performance"
    found = true_beats(read_notes(score), played, score_s, annotated_s, expected_s)
    if found is None:
        return "the constant of its clock was not found"
    beats: Beats = found[0]
    end_s = min(performance.end_s if math.isfinite(performance.end_s) else math.inf, recording.duration_s)
    begin_s, end_s = max(0.0, performance.start_s - MARGIN_S), min(end_s + MARGIN_S, recording.duration_s)
    kept = (beats.performance_s >= begin_s) & (beats.performance_s < end_s)
    return Piece(
        performance.folder,
        recording.split,
        score,
        recording.notes_path,
        begin_s,
        end_s,
        beats.score_s[kept],
        beats.performance_s[kept] - begin_s,
        beats.median_s[kept] - begin_s,
        found[1] - performance.start_s,
    )
