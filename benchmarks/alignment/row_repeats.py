"""Repeats: the share of scores and recordings, one of which plays a section once more, that are unfolded right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from antiphon.errors import AntiphonError
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from benchmarks.alignment.aligners import OURS
from benchmarks.alignment.asap_pieces import Piece, read_pieces
from benchmarks.alignment.cases import Case, case_of
from benchmarks.alignment.repeats import (
    KINDS,
    LEAST_BEATS,
    Expected,
    choose_section,
    doubled,
    expected_of,
    expected_of_variants,
    is_right,
)
from benchmarks.alignment.rows import Result, Row, Setting
from benchmarks.alignment.sounds import note_file, sound_of_notes
from benchmarks.search.asap import read_asap, work_of

_JOINT_S = 0.05  # the recording is cut so long before the beat, since chords begin a little before their median
_LONGEST_S = 400.0
_QUICK_CASES = 2


@dataclass(frozen=True)
class RepeatCase:
    """A score, a recording, and the right unfolding at each beat."""

    case: Case
    expected: list[Expected]


def made_cases(setting: Setting) -> Iterator[RepeatCase]:
    """One case for each piece of up to 400 s, the four kinds in turn, rendered by the first SoundFont."""
    assert setting.asap is not None
    assert setting.maestro is not None
    pieces = read_pieces(
        setting.asap, setting.maestro, setting.splits, setting.without, setting.pieces, setting.seed
    ).pieces
    rng = np.random.default_rng(setting.seed)
    number = 0
    for piece in pieces:
        section = choose_section(piece.performance_s, rng)
        if section is None or piece.duration_s > _LONGEST_S:
            continue
        kind = KINDS[number % len(KINDS)]
        number += 1
        first, last = section
        score, played, duration_s = read_notes(piece.score), piece.performed(), piece.duration_s
        if kind in ("score twice", "both twice"):
            score = doubled(score, piece.score_s[first] - 1e-3, piece.score_s[last] - 1e-3)
        if kind in ("recording twice", "both twice"):
            cuts = piece.performance_s[[first, last]] - _JOINT_S
            played = doubled(played, *cuts)
            duration_s += float(cuts[1] - cuts[0])
        expected = expected_of(kind, piece.score_s, piece.performance_s, section)
        yield RepeatCase(_case(setting, piece, kind, score, played, duration_s), expected)


def variant_cases(setting: Setting) -> Iterator[RepeatCase]:
    """Performances of one edition with the score of another, over all splits, since few works have both."""
    assert setting.asap is not None
    assert setting.maestro is not None
    scores = read_asap(setting.asap).scores
    splits = {one.split for one in setting.maestro.recordings}
    editions = Counter(work_of(folder) for folder in scores)
    works = {work for work, count in editions.items() if count > 1}
    for piece in read_pieces(setting.asap, setting.maestro, splits, setting.without, works=works).pieces:
        for folder, score in scores.items():
            if folder == piece.folder or work_of(folder) != work_of(piece.folder):
                continue
            expected = expected_of_variants(
                read_notes(piece.score), read_notes(score), piece.score_s, piece.performance_s
            )
            if sum(beat.segment == "repeated" for beat in expected) >= LEAST_BEATS:
                name = f"{piece.folder} with {folder.rpartition('/')[2]}"
                yield RepeatCase(case_of(piece, setting.soundfonts[0], "clean", setting.cache, name, score), expected)


def _case(setting: Setting, piece: Piece, kind: str, score: Notes, played: Notes, duration_s: float) -> Case:
    name = f"{piece.name}.{kind.replace(' ', '-')}"
    return Case(
        f"{piece.folder}, {kind}",
        kind,
        note_file(score, f"{name}.score", setting.cache),
        sound_of_notes(played, duration_s, name, setting.soundfonts[0], setting.cache),
        duration_s,
        np.zeros(0),
        np.zeros(0),
        note_file(played, f"{name}.performed", setting.cache),
    )


def _run(setting: Setting) -> Result:
    made, variants = made_cases(setting), variant_cases(setting)
    rows: dict[str, list[tuple[str, bool]]] = {"made": [], "variants": []}
    ours = [one for one in setting.aligners if one.name == OURS]  # peers take every note as played once
    for aligner in ours:
        for group, cases in (("made", made), ("variants", variants)):
            for number, one in enumerate(cases):
                if setting.quick and number == _QUICK_CASES:
                    break
                rows[group].append((one.case.name, _right(aligner, one)))
    every = [right for results in rows.values() for _, right in results]
    facts = {
        f"right_{group}": 100.0 * float(np.mean([right for _, right in results])) if results else None
        for group, results in rows.items()
    }
    right = {"right_unfolding": 100.0 * float(np.mean(every)) if every else None} | facts
    counts = {group: len(results) for group, results in rows.items()}
    wrong = [name for results in rows.values() for name, right in results if not right]
    return {"cases": counts, "methods": {OURS: right | {"cases": len(every)}} if ours else {}, "wrong": wrong}


def _right(aligner: object, one: RepeatCase) -> bool:
    assert callable(aligner)
    try:
        aligned = aligner(one.case)
    except AntiphonError as error:
        print(error)
        return False
    return is_right(aligned.onset_s, aligned.recording_s, one.expected)


ROW = Row(
    "repeats",
    "Unfolding of ASAP's scores: a section that one side has once more",
    ("asap", "maestro"),
    _run,
    {"right_unfolding": (">=", 95.0)},
)
