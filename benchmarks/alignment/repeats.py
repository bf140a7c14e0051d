"""Scores and recordings of which one plays a section twice and the other once, and whether an alignment has followed.

Made cases take a piece of ASAP and play a section of some bars twice in the recording, in the score, in both or in
neither. Variants take a performance of one edition in ASAP and the score of another, with or without the repeats.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from antiphon.io.notes import Notes

NEAR_S = 0.25
"""How near to its true time a beat must be."""
RIGHT_SHARE = 0.9
"""An unfolding is right where this share of the beats of each segment is right."""
LEAST_BEATS = 8
Kind = Literal["neither", "recording twice", "score twice", "both twice"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_SECTION_S = (12.0, 40.0)

Seconds = NDArray[np.float64]


@dataclass(frozen=True)
class Expected:
    """A beat: at which seconds of the notes it is written, and at which seconds of the recording it is played.

    A beat written twice and played once may be found at either place of the notes, but not at both.
    """

    segment: str
    written_s: tuple[float, ...]
    played_s: tuple[float, ...]


def is_right(onset_s: Seconds, recording_s: Seconds, expected: Iterable[Expected]) -> bool:
    """Whether rows of notes, at `onset_s` [N] in the notes and `recording_s` [N] (NaN: missing), unfold as expected."""
    order = np.argsort(onset_s, kind="stable")
    begins_s, times_s = onset_s[order], recording_s[order]
    hits: dict[str, list[bool]] = defaultdict(list)
    for beat in expected:
        found = [_times(begins_s, times_s, at) for at in beat.written_s]
        with_times = [one for one in found if len(one)]
        at_once = len(beat.written_s) > len(beat.played_s) and len(with_times) > len(beat.played_s)
        every = np.concatenate(with_times) if with_times else np.zeros(0)
        away_s = np.abs(every[:, None] - np.array(beat.played_s))  # [rows, times played]
        complete = len(every) > 0 and bool((away_s.min(axis=0) <= NEAR_S).all())
        alone = complete and bool((away_s.min(axis=1) <= 4 * NEAR_S).mean() >= RIGHT_SHARE)
        hits[beat.segment].append(complete and alone and not at_once)
    return bool(hits) and all(np.mean(one) >= RIGHT_SHARE for one in hits.values())


def _times(begins_s: Seconds, times_s: Seconds, at_s: float) -> Seconds:
    first, last = np.searchsorted(begins_s, [at_s - 1e-3, at_s + 1e-3])
    times = times_s[first:last]
    return times[np.isfinite(times)]


def choose_section(performance_s: Seconds, rng: np.random.Generator) -> tuple[int, int] | None:
    """First and last beat (excluded) of a random section of 12 to 40 s, at least 8 beats from both ends; or None."""
    beats = len(performance_s)
    pairs = [
        (first, last)
        for first in range(LEAST_BEATS, beats - LEAST_BEATS)
        for last in (first + 16, first + 24, first + 32, first + 64)
        if last < beats - LEAST_BEATS and _SECTION_S[0] <= performance_s[last] - performance_s[first] <= _SECTION_S[1]
    ]
    return pairs[int(rng.integers(len(pairs)))] if pairs else None


def doubled(notes: Notes, begin_s: float, end_s: float) -> Notes:
    """The notes with those of [begin_s, end_s) twice; later ones begin end_s - begin_s later. Notes end at the joint.

    >>> doubled(Notes.of([0.0, 1.0, 2.0], [0.5] * 3, [60, 62, 64], [80] * 3), 1.0, 2.0).onset_s.tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    once, again = notes.within(-np.inf, end_s), notes.within(begin_s, np.inf)
    return Notes.of(
        np.concatenate([once.onset_s, again.onset_s + (end_s - begin_s)]),
        np.concatenate([once.duration_s, again.duration_s]),
        np.concatenate([once.pitch, again.pitch]),
        np.concatenate([once.velocity, again.velocity]),
    )


def expected_of(kind: Kind, score_s: Seconds, performance_s: Seconds, section: tuple[int, int]) -> list[Expected]:
    """The right unfolding of a made case at every beat, in seconds of its score and of its recording."""
    first, last = section
    written_more_s = float(score_s[last] - score_s[first]) if kind in ("score twice", "both twice") else 0.0
    played_more_s = (
        float(performance_s[last] - performance_s[first]) if kind in ("recording twice", "both twice") else 0.0
    )
    beats = []
    for beat, (at, played) in enumerate(zip(score_s.tolist(), performance_s.tolist(), strict=True)):
        if beat < first:
            beats.append(Expected("before", (at,), (played,)))
        elif beat >= last:
            beats.append(Expected("after", (at + written_more_s,), (played + played_more_s,)))
        elif kind == "both twice":
            beats.append(Expected("first time", (at,), (played,)))
            beats.append(Expected("second time", (at + written_more_s,), (played + played_more_s,)))
        else:
            written = (at, at + written_more_s) if written_more_s else (at,)
            beats.append(Expected("section", written, (played, played + played_more_s) if played_more_s else (played,)))
    return beats


def expected_of_variants(own: Notes, other: Notes, score_s: Seconds, performance_s: Seconds) -> list[Expected]:
    """The right unfolding of a performance of the score `own` with the score `other`, at the beats that both have.

    Chords of both scores are matched in order. Stretches that only one of them has are then looked up in the whole
    other score: they are repeats that are played and not written, or written and not played.
    """
    own_s, own_chords = chords(own)
    other_s, other_chords = chords(other)
    place = _matched(own_chords, other_chords)
    twice: dict[int, list[int]] = defaultdict(list)  # further chords of `own` that are chords of `other`
    for stretch in _unmatched(len(own_chords), set(place)):
        for mine, its in _matched(own_chords[stretch[0] : stretch[1]], other_chords).items():
            twice[its].append(stretch[0] + mine)
    written: dict[int, list[int]] = defaultdict(list)  # further places of `other` of the same music
    for stretch in _unmatched(len(other_chords), set(place.values())):
        rest = [*other_chords[: stretch[0]], (), *other_chords[stretch[1] :]]
        for its, same in _matched(other_chords[stretch[0] : stretch[1]], rest).items():
            elsewhere = same if same < stretch[0] else same - stretch[0] - 1 + stretch[1]
            written[elsewhere].append(stretch[0] + its)
    beat_of = {int(chord): beat for beat, chord in enumerate(_nearest(own_s, score_s)) if chord >= 0}
    beats = []
    for mine, its in place.items():
        if mine not in beat_of:
            continue
        again = [beat_of[one] for one in twice[its] if one in beat_of]
        if len(again) < len(twice[its]):
            continue  # the other time has no true time
        played = tuple(float(performance_s[beat]) for beat in (beat_of[mine], *again))
        places = tuple(float(other_s[one]) for one in (its, *written[its]))
        beats.append(Expected("repeated" if len(played) > 1 or len(places) > 1 else "once", places, played))
    return beats


def chords(notes: Notes) -> tuple[Seconds, list[tuple[int, ...]]]:
    """The distinct onsets of notes in seconds, and the pitches that begin at each."""
    begins_s = notes.onset_s
    first = np.flatnonzero(np.diff(begins_s, prepend=-np.inf) > 1e-3)
    pitches = np.split(notes.pitch, first[1:])
    return begins_s[first], [tuple(sorted(set(one.tolist()))) for one in pitches]


def recurs(notes: Notes, begin_s: float, end_s: float) -> bool:
    """Whether 8 consecutive chords of [begin_s, end_s) also stand elsewhere in the notes."""
    begins_s, found = chords(notes)
    first, last = np.searchsorted(begins_s, [begin_s - 1e-3, end_s - 1e-3])
    return bool(_matched(found[first:last], [*found[:first], (), *found[last:]]))


def _matched(mine: Sequence[tuple[int, ...]], its: Sequence[tuple[int, ...]]) -> dict[int, int]:
    blocks = SequenceMatcher(None, mine, its, autojunk=False).get_matching_blocks()
    return {one.a + step: one.b + step for one in blocks if one.size >= LEAST_BEATS for step in range(one.size)}


def _unmatched(count: int, matched: set[int]) -> list[tuple[int, int]]:
    """Stretches [first, last) of at least 8 chords without a match."""
    free = np.array([chord not in matched for chord in range(count)] + [False])
    edges = np.flatnonzero(np.diff(free.astype(np.int8), prepend=0))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2) if b - a >= LEAST_BEATS]


def _nearest(begins_s: Seconds, at_s: Seconds) -> NDArray[np.int64]:
    """The chord at each time, -1 where none begins within 1 ms."""
    after = np.clip(np.searchsorted(begins_s, at_s - 1e-3), 0, len(begins_s) - 1)
    return np.where(np.abs(begins_s[after] - at_s) <= 1e-3, after, -1)
