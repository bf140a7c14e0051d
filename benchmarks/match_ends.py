"""Measure the errors of the ends of matches, where other sound surrounds the common music.

python -m benchmarks.match_ends NOTES… --model default --cache runs/match_ends --out results/match_ends.json

The first 25 s of note files, drawn by the seed, are rendered. In front of and behind the music lies silence, noise,
applause, or another piece, for up to 10 s each. Each kind of query knows where the music begins and ends in both files.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from antiphon.alignment.confidence import LIKELY
from antiphon.errors import UnreadableInput
from antiphon.index.library import Index
from antiphon.io.files import write_json
from antiphon.io.folders import list_folders
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.progress import track
from antiphon.rendering import make_renderer

RATE_HZ = 24_000
SURROUNDINGS = ("silence", "noise", "applause", "music")
NEAR_S = 0.5
_PIECE_S, _LONGEST_S, _TAIL_S, _FEWEST_NOTES = 25.0, 10.0, 0.3, 50


@dataclass(frozen=True)
class Case:
    """A query whose stretch `start_s`, `length_s` shares seconds `query_s` with seconds `file_s` of a library file."""

    kind: str
    surroundings: str
    query: Path
    start_s: float
    length_s: float | None
    library: str
    file: Path
    query_s: tuple[float, float]
    file_s: tuple[float, float]


@dataclass(frozen=True)
class Piece:
    """Notes that begin at second 0, and their sound."""

    notes: Notes
    samples: NDArray[np.float32]

    @property
    def length_s(self) -> float:
        return self.notes.end_s


def main() -> None:
    """Build the cases, search with each, and print the errors by kind."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.match_ends", description=__doc__)
    parser.add_argument("notes", nargs="+", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--soundfont", default="additive")
    parser.add_argument("--pieces", type=int, default=20)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=Path("runs/match_ends"))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    pieces = list(_pieces(options.notes, options.pieces, options.soundfont, rng))
    cases = [case for number in range(len(pieces)) for case in _cases(pieces, number, options.cache, rng)]
    errors: dict[str, list[list[float]]] = defaultdict(list)
    lost: dict[str, int] = defaultdict(int)
    for folder in sorted({case.library for case in cases}):
        files = [options.cache / folder]
        with Index.build(files, options.model, out=options.cache / f"index-{folder}") as index:
            for case in track([one for one in cases if one.library == folder], folder):
                match = index.search(case.query, start_s=case.start_s, length_s=case.length_s, top=1)[0]
                if Path(match.file) != case.file.resolve() or match.confidence < LIKELY:
                    lost[case.kind] += 1
                    continue
                found = match.query_start_s, match.query_end_s, match.start_s, match.end_s
                error_s = np.array(found) - (*case.query_s, *case.file_s)
                errors[case.kind].append(error_s.tolist())
                if np.abs(error_s).max() > NEAR_S:
                    print(case.kind, case.surroundings, case.query.name, error_s.round(2).tolist())
    rows = {kind: _summary(np.abs(values)) | {"not found": lost[kind]} for kind, values in sorted(errors.items())}
    rows["all"] = _summary(np.abs([row for values in errors.values() for row in values]))
    for kind, row in rows.items():
        print(f"{kind:>28}", row)
    if options.out:
        write_json(options.out, {"seed": options.seed, "rows": rows})


def _summary(errors_s: NDArray[np.float64]) -> dict[str, float]:
    """Of the absolute errors [cases, 4] of both ends in both files, in seconds."""
    return {
        "cases": len(errors_s),
        "all four within 0.5 s, %": round(100 * float((errors_s <= NEAR_S).all(axis=1).mean()), 1),
        "ends within 0.5 s, %": round(100 * float((errors_s <= NEAR_S).mean()), 1),
        "median": round(float(np.median(errors_s)), 3),
        "90 %": round(float(np.quantile(errors_s, 0.9)), 3),
        "worst": round(float(errors_s.max()), 3),
    }


def _pieces(folders: list[Path], count: int, soundfont: str, rng: np.random.Generator) -> Iterator[Piece]:
    renderer = make_renderer(soundfont, RATE_HZ)
    files = list(list_folders(folders).only(["notes"]).files)
    found = 0
    for at in rng.permutation(len(files)):
        try:
            notes = read_notes(files[at], sustain=True)
        except UnreadableInput:
            continue
        if len(notes):
            notes = _from_zero(notes.within(0.0, float(notes.onset_s[0]) + _PIECE_S))
        if len(notes) < _FEWEST_NOTES or notes.end_s < 0.8 * _PIECE_S:
            continue
        yield Piece(notes, renderer.render(notes, notes.end_s + _TAIL_S))
        found += 1
        if found == count:
            return


def _from_zero(notes: Notes, begin_s: float | None = None) -> Notes:
    first_s = float(notes.onset_s[0]) if begin_s is None else begin_s
    return Notes.of(notes.onset_s - first_s, notes.duration_s, notes.pitch, notes.velocity)


def _around(kind: str, other: Piece, rng: np.random.Generator, behind: bool) -> NDArray[np.float32]:
    """Up to 10 s of silence, bursts of noise, claps, or the end or the beginning of another piece."""
    count = int(rng.uniform(0.0, _LONGEST_S) * RATE_HZ)
    if kind == "silence":
        return np.zeros(count, np.float32)
    if kind == "music":
        return other.samples[:count] if behind else other.samples[len(other.samples) - count :]
    noise = 0.1 * rng.standard_normal(count)
    if kind == "noise":
        return (noise * (np.sin(np.arange(count) / RATE_HZ * 3.0) > 0)).astype(np.float32)
    clap = np.exp(-np.arange(round(0.03 * RATE_HZ)) / (0.006 * RATE_HZ))
    struck = (rng.random(count) < 25 / RATE_HZ) * rng.uniform(0.2, 1.0, count)
    return (2.0 * noise * np.convolve(struck, clap)[:count]).astype(np.float32)


def _cases(pieces: list[Piece], number: int, cache: Path, rng: np.random.Generator) -> Iterator[Case]:
    piece, name = pieces[number], f"{number:02}"
    length_s, kind = piece.length_s, SURROUNDINGS[number % len(SURROUNDINGS)]
    rest_s = float(rng.uniform(0.0, _LONGEST_S))
    late = _from_zero(piece.notes, -rest_s)
    for folder, notes in (("notes", piece.notes), ("late-notes", late)):
        (cache / folder).mkdir(parents=True, exist_ok=True)
        notes.save(cache / folder / f"{name}.mid")
    notes_file, late_file = cache / "notes" / f"{name}.mid", cache / "late-notes" / f"{name}.mid"

    def surrounded(path: Path, samples: NDArray[np.float32]) -> tuple[Path, float]:
        """Write samples with other sound in front and behind; returns the second at which they begin, too."""
        front, behind = (
            _around(kind, pieces[(number + int(rng.integers(1, len(pieces)))) % len(pieces)], rng, is_behind)
            for is_behind in (False, True)
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.concatenate([front, samples, behind]), RATE_HZ)
        return path, len(front) / RATE_HZ

    query, at_s = surrounded(cache / "queries" / f"{name}.flac", piece.samples)
    music_s = at_s, at_s + length_s
    yield Case("audio, whole", kind, query, 0.0, None, "notes", notes_file, music_s, (0.0, length_s))
    yield Case(
        "audio, notes after a rest", kind, query, 0.0, None, "late-notes", late_file, music_s, (rest_s, late.end_s)
    )
    cut_s = float(rng.uniform(8.0, 14.0))
    for which, start_s in (("start", max(0.0, at_s - 4.0)), ("end", max(0.0, at_s + length_s - cut_s + 3.0))):
        both_s = max(start_s, at_s), min(start_s + cut_s, at_s + length_s)
        file_s = both_s[0] - at_s, both_s[1] - at_s
        yield Case(f"audio, stretch at the {which}", kind, query, start_s, cut_s, "notes", notes_file, both_s, file_s)
    first_s, last_s = float(rng.uniform(2.0, 4.0)), float(rng.uniform(length_s - 6.0, length_s - 2.0))
    middle = piece.samples[round(first_s * RATE_HZ) : round(last_s * RATE_HZ)]
    query_of_part, part_s = surrounded(cache / "queries" / f"{name}-part.flac", middle)
    both_s = part_s, part_s + last_s - first_s
    yield Case(
        "audio, cut from the middle", kind, query_of_part, 0.0, None, "notes", notes_file, both_s, (first_s, last_s)
    )
    known, known_s = surrounded(cache / "audio" / f"{name}.flac", piece.samples)
    in_known_s = known_s, known_s + length_s
    yield Case("notes, whole", kind, notes_file, 0.0, None, "audio", known, (0.0, length_s), in_known_s)
    yield Case("notes after a rest", kind, late_file, 0.0, None, "audio", known, (rest_s, late.end_s), in_known_s)
    start_s = length_s / 3
    stretch_s, there_s = (start_s, start_s + 10.0), (known_s + start_s, known_s + start_s + 10.0)
    yield Case("notes, stretch", kind, notes_file, start_s, 10.0, "audio", known, stretch_s, there_s)
    yield Case("audio, against audio", kind, query, 0.0, None, "audio", known, music_s, in_known_s)


if __name__ == "__main__":
    main()
