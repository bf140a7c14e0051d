"""Augmented notes: each change equals its formula, and the result is still a valid window."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from antiphon.augmentation import (
    NoteAugmentation,
    augment_notes,
)
from antiphon.io.notes import Notes
from builders import random_notes

UNCHANGED_NOTES = NoteAugmentation(
    clean=0, velocities=0, constant=0, dropped=0, added=0, jittered=0, scaled=0, pedalled=0, cut=0
)
Row = tuple[float, float, int, int]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def rows_of(notes: Notes) -> list[Row]:
    columns = (notes.onset_s, notes.duration_s, notes.pitch, notes.velocity)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def augment_one(window: Notes, seed: int = 0, **changes: Any) -> Notes:
    return augment_notes([window], replace(UNCHANGED_NOTES, **changes), rng(seed))[0]


def test_notes_depend_only_on_the_generator() -> None:
    windows = [random_notes(rng(seed), 30) for seed in range(20)]
    before = [rows_of(window) for window in windows]
    once, again, other = (
        [rows_of(notes) for notes in augment_notes(windows, NoteAugmentation(), rng(seed))] for seed in (1, 1, 2)
    )
    assert once == again
    assert once != other
    assert [rows_of(window) for window in windows] == before, "the input was changed"


def test_clean_and_empty_windows_are_returned_as_they_are() -> None:
    windows = [random_notes(rng(seed), 30) for seed in range(1000)]
    found = augment_notes(windows, NoteAugmentation(jittered=1), rng())
    same = np.mean([new is old for new, old in zip(found, windows, strict=True)])
    assert same == pytest.approx(0.25, abs=0.05)
    assert all(new is old for new, old in zip(augment_notes(windows, UNCHANGED_NOTES, rng()), windows, strict=True))
    empty = Notes.of([], [], [], [])
    assert augment_notes([empty], NoteAugmentation(clean=0), rng())[0] is empty


def test_augmented_windows_are_valid_windows() -> None:
    whole = random_notes(rng(), 4000, 400.0)
    windows = [whole.window(start_s, 4.0) for start_s in rng(1).uniform(0, 390, 400)]
    windows += [random_notes(rng(seed), 1) for seed in range(100)]
    settings = NoteAugmentation(clean=0, dropped=1, added=1, jittered=1, jitter_s=(0.025, 0.025))
    for window, notes in zip(windows, augment_notes(windows, settings, rng(2)), strict=True):
        assert len(notes) > 0
        assert (np.diff(notes.onset_s) >= 0).all()
        assert all(a[:1] + a[2:3] <= b[:1] + b[2:3] for a, b in zip(rows_of(notes), rows_of(notes)[1:], strict=False))
        assert notes.onset_s.dtype == notes.duration_s.dtype == np.float64
        assert notes.pitch.dtype == notes.velocity.dtype == np.uint8
        assert notes.velocity.min() >= 1
        assert max(notes.velocity.max(), notes.pitch.max()) <= 127
        assert (notes.duration_s >= 0).all()
        assert (notes.offset_s > 0).all()
        assert notes.onset_s.max() <= window.onset_s.max() + 1e-12
        assert 0.85 * len(window) - 1 - (window.onset_s < 0.5).sum() < len(notes) < 1.1 * len(window) + 1


@pytest.mark.parametrize(("scale", "gamma"), [(0.4, 1.0), (1.6, 1.0), (1.0, 2.0), (0.7, 0.5)])
def test_velocities_are_scaled_and_raised_to_a_power(scale: float, gamma: float) -> None:
    window = random_notes(rng(), 60)
    found = augment_one(window, velocities=1, velocity_scale=(scale, scale), velocity_gamma=(gamma, gamma))
    expected = [(o, d, p, min(127, max(1, round(scale * 127 * (v / 127) ** gamma)))) for o, d, p, v in rows_of(window)]
    assert rows_of(found) == expected


def test_a_constant_velocity_applies_to_all_notes() -> None:
    window = random_notes(rng(), 60)
    found = [augment_one(window, seed, constant=1) for seed in range(20)]
    assert all(np.ptp(notes.velocity) == 0 and 40 <= notes.velocity[0] <= 110 for notes in found)
    assert len({int(notes.velocity[0]) for notes in found}) > 5
    assert [row[:3] for row in rows_of(found[0])] == [row[:3] for row in rows_of(window)]


def test_the_set_share_of_notes_is_dropped() -> None:
    window = random_notes(rng(), 50)
    found = [rows_of(augment_one(window, seed, dropped=1, dropped_share=(0.1, 0.1))) for seed in range(30)]
    everything = rows_of(window)
    assert {len(rows) for rows in found} == {45}
    assert all([row for row in everything if row in rows] == rows for rows in found)
    assert set(everything) == set().union(*found), "some note is never kept"
    assert all(any(row not in rows for rows in found) for row in everything[:3]), "some note is never dropped"
    few = random_notes(rng(), 3)
    counts = [len(augment_one(few, seed, dropped=1, dropped_share=(0.1, 0.1))) for seed in range(200)]
    assert np.mean(counts) == pytest.approx(2.7, abs=0.12)
    assert len(augment_one(few, dropped=1, dropped_share=(1.0, 1.0))) == 1


def test_added_notes_are_within_an_octave_of_existing_notes() -> None:
    window = random_notes(rng(), 50)
    everything = set(rows_of(window))
    added = []
    for seed in range(20):
        found = rows_of(augment_one(window, seed, added=1, added_share=(0.1, 0.1)))
        assert everything <= set(found)
        assert len(found) == 55
        added += [row for row in found if row not in everything]
    assert len(added) == 100
    for onset_s, duration_s, pitch, velocity in added:
        assert window.onset_s[0] <= onset_s <= window.onset_s[-1]
        alike = [p for _, d, p, v in everything if (d, v) == (duration_s, velocity)]
        assert len(alike) == 1
        assert abs(alike[0] - pitch) <= 12
    top = Notes.of([0.0] * 30, [1.0] * 30, [108] * 30, [60] * 30)
    assert augment_one(top, added=1, added_share=(1.0, 1.0)).pitch.max() == 108


def test_onset_shifts_have_the_set_standard_deviation() -> None:
    window = Notes.of(np.linspace(0.1, 3.9, 80), np.linspace(0.2, 1.0, 80), np.arange(20, 100), np.arange(20, 100))
    shifts = []
    for seed in range(50):
        found = augment_one(window, seed, jittered=1, jitter_s=(0.02, 0.02))
        assert sorted(found.pitch) == sorted(window.pitch)
        assert found.onset_s[-1] <= window.onset_s[-1]
        by_key = np.argsort(found.pitch)
        np.testing.assert_array_equal(found.duration_s[by_key], window.duration_s)
        np.testing.assert_array_equal(found.velocity[by_key], window.velocity)
        shifts.append((found.onset_s[by_key] - window.onset_s)[:-2])
    assert np.std(shifts) == pytest.approx(0.02, rel=0.05)
    assert np.mean(shifts) == pytest.approx(0.0, abs=0.001)


def test_durations_are_scaled() -> None:
    window = random_notes(rng(), 60)
    found = augment_one(window, scaled=1, duration_scale=(0.5, 0.5))
    assert rows_of(found) == [(o, d * 0.5, p, v) for o, d, p, v in rows_of(window)]


def held(window: Notes, seconds: float | None) -> list[float]:
    """Oracle: note ends under a pedal, note by note."""
    rows, ends = rows_of(window), []
    for onset_s, duration_s, pitch, _ in rows:
        end_s = onset_s + duration_s
        release_s = end_s + seconds if seconds is not None else end_s
        while seconds is None and (later := [o + d for o, d, *_ in rows if o <= release_s < o + d]):
            release_s = max(later)
        strokes = [o for o, _, p, _ in rows if p == pitch and o > onset_s]
        ends.append(max(end_s, min([release_s, *strokes])))
    return ends


def test_a_pedal_extends_notes_by_a_time_or_to_the_next_silence() -> None:
    both = [0, 0]
    for seed in range(30):
        generator = rng(seed)
        onset_s = np.sort(generator.uniform(-0.5, 4.0, 25))
        window = Notes.of(onset_s, generator.uniform(0.5, 0.8, 25), generator.integers(60, 70, 25), [64] * 25)
        # Half the windows have silences.
        window = (
            window
            if seed % 2
            else Notes.of(onset_s, window.duration_s / 4 + 0.5 * (onset_s < 0), window.pitch, window.velocity)
        )
        found = augment_one(window, seed, pedalled=1, pedal_s=(0.7, 0.7)).offset_s
        equal = [np.allclose(found, held(window, seconds)) for seconds in (0.7, None)]
        assert any(equal), seed
        both = [count + hit for count, hit in zip(both, equal, strict=True)]
    assert min(both) >= 8


def test_notes_are_shortened_and_removed_when_they_end_before_the_window() -> None:
    window = Notes.of([-0.5, -0.1, 0.0, 1.0], [2.0, 2.0, 0.1, 3.0], [60, 61, 62, 63], [64] * 4)
    found = augment_one(window, cut=1, longest_s=(0.3, 0.3))
    assert rows_of(found) == [(-0.1, 0.3, 61, 64), (0.0, 0.1, 62, 64), (1.0, 0.3, 63, 64)]
    alone = Notes.of([-0.5], [2.0], [60], [64])
    assert augment_one(alone, cut=1, longest_s=(0.3, 0.3)) is alone


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scaled": 0.5, "pedalled": 0.5, "cut": 0.5}, "at most one of scaled, pedalled and cut happens.* 1.5"),
        ({"dropped_share": (0.0, 15.0)}, "dropped_share"),
        ({"constant_velocity": (0, 10)}, "constant_velocity"),
        ({"clean": -0.1}, "clean is a probability"),
    ],
)
def test_note_settings_are_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NoteAugmentation(**changes)
