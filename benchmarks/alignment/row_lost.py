"""Lost stretches: sections of pieces in which notes and recording are different music, and what is said to be lost.

Of each piece of ASAP one section of 12 to 40 s is other music, by turns in the notes and in the recording; always in
the recording where the section recurs in the notes, since a path may rightly find it there. Sections are from beat to
beat, and the other music, from the next piece, is stretched to their length. So the true path goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from antiphon.errors import AntiphonError
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from benchmarks.alignment.aligners import OURS
from benchmarks.alignment.asap_pieces import Piece, read_pieces
from benchmarks.alignment.cases import Case
from benchmarks.alignment.measures import covered_s
from benchmarks.alignment.repeats import choose_section, recurs
from benchmarks.alignment.rows import Result, Row, Setting
from benchmarks.alignment.sounds import note_file, sound_of_notes

KINDS = ("other notes", "other sound")
_LONGEST_S = 400.0
_MARGIN_S = 2.0
"""A stretch may be called lost so long before and after a section: support is a mean over so many seconds."""
_QUICK_CASES = 2


@dataclass(frozen=True)
class LostCase:
    """Notes and a recording that are different music from `lost_s[0]` to `lost_s[1]` seconds of the recording."""

    case: Case
    lost_s: tuple[float, float]


def replaced(notes: Notes, other: Notes, begin_s: float, end_s: float) -> Notes:
    """The notes with those of [begin_s, end_s) replaced by as many of `other`, from its middle, over the same time.

    >>> notes = Notes.of([0.0, 1.0, 2.0, 3.0], [0.5] * 4, [60, 62, 64, 65], [80] * 4)
    >>> other = Notes.of([0.0, 4.0, 8.0], [1.0] * 3, [40, 41, 42], [80] * 3)
    >>> mixed = replaced(notes, other, 1.0, 3.0)
    >>> mixed.onset_s.tolist(), mixed.pitch.tolist()
    ([0.0, 1.0, 2.0, 3.0], [60, 40, 41, 65])
    """
    inside = (notes.onset_s >= begin_s) & (notes.onset_s < end_s)
    count = min(int(inside.sum()), len(other) - 1)
    first = (len(other) - count) // 2
    section = slice(first, first + count)
    length_s = float(other.onset_s[first + count] - other.onset_s[first])
    scale = (end_s - begin_s) / max(length_s, 1e-3)
    kept = ~inside
    return Notes.of(
        np.concatenate([notes.onset_s[kept], begin_s + (other.onset_s[section] - other.onset_s[first]) * scale]),
        np.concatenate([notes.duration_s[kept], other.duration_s[section] * scale]),
        np.concatenate([notes.pitch[kept], other.pitch[section]]),
        np.concatenate([notes.velocity[kept], other.velocity[section]]),
    )


def lost_cases(setting: Setting) -> list[LostCase]:
    """One case of each piece of up to 400 s, rendered by the first SoundFont."""
    assert setting.asap is not None
    assert setting.maestro is not None
    found = read_pieces(setting.asap, setting.maestro, setting.splits, setting.without, setting.pieces, setting.seed)
    pieces = [one for one in found.pieces if one.duration_s <= _LONGEST_S]
    rng = np.random.default_rng(setting.seed)
    cases: list[LostCase] = []
    for number, piece in enumerate(pieces[: _QUICK_CASES if setting.quick else None]):
        section = choose_section(piece.performance_s, rng)
        if section is not None:
            other = pieces[(number + 1) % len(pieces)]
            again = recurs(read_notes(piece.score), *piece.score_s[list(section)])
            kind = "other sound" if again else KINDS[len(cases) % len(KINDS)]
            cases.append(_case(setting, piece, other, section, kind))
    return cases


def _case(setting: Setting, piece: Piece, other: Piece, section: tuple[int, int], kind: str) -> LostCase:
    first, last = section
    begin_s, end_s = float(piece.performance_s[first]), float(piece.performance_s[last])
    score, played = read_notes(piece.score), piece.performed()
    if kind == "other notes":
        score = replaced(score, read_notes(other.score), float(piece.score_s[first]), float(piece.score_s[last]))
    else:
        played = replaced(played, other.performed(), begin_s, end_s)
    name = f"{piece.name}.{kind.replace(' ', '-')}"
    sound = sound_of_notes(played, piece.duration_s, name, setting.soundfonts[0], setting.cache)
    notes = note_file(score, f"{name}.score", setting.cache)
    none = np.zeros(0)
    case = Case(f"{piece.folder}, {kind}", kind, notes, sound, piece.duration_s, none, none)
    return LostCase(case, (begin_s, end_s))


def _run(setting: Setting) -> Result:
    cases = lost_cases(setting)
    ours = [one for one in setting.aligners if one.name == OURS]  # peers say nothing of lost stretches
    flagged: list[bool] = []
    missed: list[str] = []
    called_s, falsely_s = 0.0, 0.0
    for aligner in ours:
        for one in cases:
            try:
                lost = aligner(one.case).lost
            except AntiphonError as error:
                print(error)
                lost = ()
            begin_s, end_s = one.lost_s
            flagged.append(covered_s(one.lost_s, lost) >= 0.5 * (end_s - begin_s))
            if not flagged[-1]:
                missed.append(one.case.name)
            around = (begin_s - _MARGIN_S, end_s + _MARGIN_S)
            falsely_s += sum(to_s - from_s - covered_s((from_s, to_s), [around]) for from_s, to_s in lost)
            called_s += sum(to_s - from_s for from_s, to_s in lost)
    outside_s = sum(one.case.duration_s - (one.lost_s[1] - one.lost_s[0]) for one in cases)
    measured = {
        "lost_flagged": 100.0 * float(np.mean(flagged)) if flagged else None,
        "called_lost_s": called_s,
        "falsely_lost": 100.0 * falsely_s / outside_s if outside_s else None,
    }
    return {"cases": len(cases), "methods": {OURS: measured} if ours else {}, "not_flagged": missed}


ROW = Row(
    "lost",
    "Sections of ASAP's pieces that are other music in the notes or in the recording",
    ("asap", "maestro"),
    _run,
    {"lost_flagged": (">=", 95.0), "falsely_lost": ("<=", 1.0)},
)
