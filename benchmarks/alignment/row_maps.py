"""Real recordings of a Disklavier, against their notes warped by a known map; every note counts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.errors import InputWarning, UnreadableInput
from antiphon.io.audio import audio_info
from antiphon.io.files import atomic_file
from antiphon.io.note_files import read_notes
from benchmarks.alignment.aligners import Aligned
from benchmarks.alignment.cases import Case
from benchmarks.alignment.measures import LOST_S, Timed, corpus_constant
from benchmarks.alignment.rows import Result, Row, Setting, measured, run_methods
from benchmarks.alignment.warps import draw_warp, warped

_QUICK_RECORDINGS = 1


def warped_cases(folder: Path, cache: Path, seed: int, most: int | None = None) -> list[Case]:
    """A case for each FLAC file with a TSV file of its name. The seed and the file's place determine its map.

    Raises `UnreadableInput` where there is none.
    """
    cases = []
    for number, sound in enumerate(sorted(folder.glob("*.flac"))[:most]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)  # the tables of MAPS have no header
            played = read_notes(sound.with_suffix(".tsv"))
        duration_s = audio_info(sound).duration_s
        notes = warped(played, draw_warp(max(duration_s, played.end_s), np.random.default_rng([seed, number])))
        path = cache / "warped" / f"{sound.stem}-{seed}-{number}.mid"
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as temporary:
            notes.save(temporary)
        case = Case(sound.stem, "real", path, sound, duration_s, notes.onset_s, played.onset_s, None, notes.pitch)
        cases.append(case)
    if not cases:
        raise UnreadableInput(folder, "it has no FLAC file")
    return cases


def _run(setting: Setting) -> Result:
    assert setting.maps is not None
    cases = warped_cases(setting.maps, setting.cache, setting.seed, _QUICK_RECORDINGS if setting.quick else None)
    aligners = [one for one in setting.aligners if one.name != "parangonar-notes"]  # it would need performed notes
    results = run_methods(aligners, cases)
    return {
        "recordings": len(cases),
        "hours": round(sum(case.duration_s for case in cases) / 3600.0, 2),
        "notes": int(np.sum([len(case.notes_s) for case in cases])),
        "methods": {name: measured(one, cases) | _lost(one) for name, one in results.items()},
    }


def _lost(results: Sequence[tuple[Timed, Aligned | None]]) -> dict[str, Any]:
    """Counts of notes, and the median error where each recording has a constant of its own."""
    timed = [one for one, _ in results]
    constant_s = corpus_constant(timed)
    late_s = np.concatenate([one.late_s for one in timed]) - constant_s
    own = np.concatenate([one.late_s - corpus_constant([one]) for one in timed])
    missing = np.isinf(late_s)
    return {
        "notes_without_a_time": int(missing.sum()),
        "notes_far_off": int((np.abs(late_s[~missing]) > LOST_S).sum()),
        "notes_lost": int((np.abs(late_s) > LOST_S).sum()),
        "median_own_constants_ms": 1000.0 * float(np.median(np.abs(own))),
    }


ROW = Row(
    "maps",
    "Real recordings against their notes warped by a known map, all notes",
    ("maps",),
    _run,
    {"median_ms": ("<=", 8.0), "p90_ms": ("<=", 25.0), "notes_lost": ("<=", 0.0)},
)
