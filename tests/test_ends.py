"""A match ends where the common music ends, whatever lies around it on either side."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.alignment.dtw import Anchor, Warp, warp_through
from antiphon.alignment.ends import Side, ends_of_match
from antiphon.alignment.onset_features import note_frames, sound_frames
from antiphon.alignment.sound_levels import note_levels, sound_levels
from antiphon.io.notes import Notes
from antiphon.rendering.additive import AdditivePiano
from builders import RATE_HZ, random_notes

NEAR_S = 0.5
LENGTH_S = 24.0
FRONT_S, BEHIND_S = 7.3, 6.1
AROUND = ["silence", "hiss", "noise", "applause", "music"]


@pytest.fixture(scope="module")
def notes() -> Notes:
    found = random_notes(np.random.default_rng(1), 120, LENGTH_S - 1.0)
    return Notes.of(found.onset_s - found.onset_s[0], found.duration_s, found.pitch, found.velocity)


@pytest.fixture(scope="module")
def samples(notes: Notes) -> NDArray[np.float32]:
    return AdditivePiano(RATE_HZ).render(notes, notes.end_s + 0.3)


def surroundings(kind: str, length_s: float, seed: int) -> NDArray[np.float32]:
    rng, count = np.random.default_rng(seed), round(length_s * RATE_HZ)
    noise = rng.standard_normal(count)
    if kind == "music":
        return AdditivePiano(RATE_HZ).render(random_notes(rng, round(5 * length_s), length_s - 0.5), length_s)
    if kind == "applause":
        claps = np.zeros(count)
        claps[rng.integers(0, count, round(25 * length_s))] = 1.0
        clap = np.exp(-np.arange(RATE_HZ // 30) / (0.006 * RATE_HZ))
        return (0.2 * noise * np.convolve(claps, clap)[:count]).astype(np.float32)
    level = {"silence": 0.0, "hiss": 0.0005, "noise": 0.1}[kind]
    return (level * noise).astype(np.float32)


def sound_side(samples: NDArray[np.float32], begin_s: float, end_s: float) -> Side:
    where = samples, RATE_HZ, begin_s, end_s
    return Side(sound_frames(*where), sound_levels(*where), begin_s)


def note_side(notes: Notes, begin_s: float, end_s: float) -> Side:
    return Side(note_frames(notes, begin_s, end_s), note_levels(notes.onset_s, notes.end_s, begin_s, end_s), begin_s)


def found(
    query: Side, library: Side, start_s: float, inner_s: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Both ends in the query and in the library, at tempo 1 from `start_s` of the library on."""
    middle_s = sum(inner_s) / 2
    path = warp_through(query.frames, library.frames, library.begin_s, [Anchor(middle_s, middle_s + start_s, 1.0)])
    ends_s = ends_of_match(query, library, path, inner_s)
    return *ends_s, *path.at(np.array(ends_s)).tolist()


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("inner_s", [(12.0, 24.0), (0.0, 38.0)])
def test_what_surrounds_the_music_in_a_sound_is_left_out(
    notes: Notes, samples: NDArray[np.float32], around: str, inner_s: tuple[float, float]
):
    front, behind = surroundings(around, FRONT_S, 2), surroundings(around, BEHIND_S, 3)
    query = np.concatenate([front, samples, behind])
    sides = sound_side(query, 0.0, len(query) / RATE_HZ), note_side(notes, -15.0, 45.0)
    true = FRONT_S, FRONT_S + notes.end_s, 0.0, notes.end_s
    assert found(*sides, -FRONT_S, inner_s) == pytest.approx(true, abs=NEAR_S)
    # The other way round, from the middle of the notes.
    sides = note_side(notes, 0.0, notes.end_s), sound_side(query, -15.0, 60.0)
    true = 0.0, notes.end_s, FRONT_S, FRONT_S + notes.end_s
    assert found(*sides, FRONT_S, (6.0, 18.0)) == pytest.approx(true, abs=NEAR_S)


def test_rests_of_the_notes_are_left_out(notes: Notes, samples: NDArray[np.float32]):
    late = Notes.of(notes.onset_s + 5.0, notes.duration_s, notes.pitch, notes.velocity)
    query = sound_side(np.concatenate([surroundings("noise", 8.0, 4), samples]), 0.0, 8.0 + notes.end_s)
    true = 8.0, 8.0 + notes.end_s, 5.0, late.end_s
    assert found(query, note_side(late, -9.0, 45.0), -3.0, (10.0, 24.0)) == pytest.approx(true, abs=NEAR_S)


def test_a_part_reaches_its_own_ends(notes: Notes, samples: NDArray[np.float32]):
    """Also where it is cut off within notes, and though the library goes on."""
    for first_s in (4.2, 5.9, 7.7):
        part = samples[round(first_s * RATE_HZ) : round((first_s + 10.0) * RATE_HZ)]
        ends = found(sound_side(part, 0.0, 10.0), note_side(notes, -5.0, 40.0), first_s, (0.0, 10.0))
        assert ends == pytest.approx((0.0, 10.0, first_s, first_s + 10.0), abs=0.15)


def test_a_last_chord_belongs_to_the_match_as_long_as_it_sounds(samples: NDArray[np.float32]):
    chord = Notes.of([0.0, 0.5, 1.0, 1.5, 2.0, 2.0, 2.0], [0.5] * 4 + [4.0] * 3, [60, 62, 64, 65, 48, 55, 64], [80] * 7)
    sound = AdditivePiano(RATE_HZ).render(chord, 6.5)
    ends = found(sound_side(sound, 0.0, 6.5), note_side(chord, -2.0, 9.0), 0.0, (0.0, 6.5))
    assert ends[1] == pytest.approx(6.0, abs=0.1)


def test_a_match_without_common_sound_keeps_its_inner_part():
    nothing = Notes.of([], [], [], [])
    side = note_side(nothing, 0.0, 10.0)
    assert ends_of_match(side, side, Warp(np.array([0.0, 10.0]), np.array([0.0, 10.0])), (2.0, 8.0)) == (2.0, 8.0)
