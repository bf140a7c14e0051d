"""Alignment of notes with onset maps: paths, repeats, cuts, pauses, anchors and states, without sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from antiphon.alignment.aligning import Side, align, align_sides
from antiphon.alignment.alignment_table import Alignment
from antiphon.alignment.events import Events
from antiphon.alignment.note_alignment import Anchors
from antiphon.io.notes import Notes
from antiphon.models.note_onsets import (
    FRAME_HZ,
    KEYS,
    SAMPLE_RATE_HZ,
    detected_onsets,
    log_frequency_magnitudes,
    predicted_onsets_of,
)

_EVENTS, _STEP_S = 120, 0.4


def _piece(seed: int = 0, events: int = _EVENTS) -> Notes:
    """Chords of one to three keys, 0.4 s apart."""
    rng = np.random.default_rng(seed)
    onset_s, pitch = [], []
    for number in range(events):
        for key in rng.choice(np.arange(40, 90), int(rng.integers(1, 4)), replace=False):
            onset_s.append(number * _STEP_S)
            pitch.append(int(key))
    return Notes.of(onset_s, [0.3] * len(pitch), pitch, [64] * len(pitch))


def _played(notes: Notes, at_s: np.ndarray) -> Notes:
    return Notes.of(at_s, notes.duration_s, notes.pitch, notes.velocity)


def _together(*parts: Notes) -> Notes:
    columns = ("onset_s", "duration_s", "pitch", "velocity")
    return Notes.of(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))


def _aligned(recording: Notes, notes: Notes, anchors: Anchors = ()) -> Alignment:
    return align_sides(Side(recording, predicted_onsets_of(recording)), notes, "recording", "notes", (0,), anchors)


def _times(alignment: Alignment, onset_s: float) -> list[float]:
    """The times of the first note at a moment of the notes, once for each time that it is played."""
    rows = np.flatnonzero((np.abs(alignment.onset_s - onset_s) < 1e-6) & np.isfinite(alignment.recording_s))
    return sorted({round(float(time), 2) for time in alignment.recording_s[rows]})


def test_every_note_is_found_between_frames_in_a_free_tempo():
    notes = _piece()
    player_s = notes.onset_s * 1.3 + 0.3 * np.sin(notes.onset_s / 3) + 2.0043
    alignment = _aligned(_played(notes, player_s), notes)
    assert len(alignment) == len(notes)
    assert set(alignment.state) == {"played"}
    order = np.argsort(alignment.note.astype(int))
    assert np.abs(alignment.recording_s[order] - player_s).max() < 0.003
    assert alignment.confidence > 0.9
    assert alignment.path_confidence > 0.9
    assert alignment.lost == ()


def test_a_repeat_that_the_notes_do_not_have_gives_a_second_row():
    notes = _piece()
    middle_s = 24.0
    first = notes.within(0.0, middle_s)
    again = _played(notes, notes.onset_s + middle_s)
    alignment = _aligned(_together(first, again), notes)
    assert len(alignment.path) == 2
    assert _times(alignment, 8.0) == pytest.approx([8.0, 32.0], abs=0.01)
    assert _times(alignment, 32.0) == pytest.approx([56.0], abs=0.01)


def test_a_skip_leaves_its_notes_missing_at_their_place():
    notes = _piece()
    kept = _together(notes.within(0.0, 12.0), _played(late := notes.within(36.0, 99.0), late.onset_s - 24.0))
    alignment = _aligned(kept, notes)
    skipped = (alignment.onset_s >= 12.0) & (alignment.onset_s < 36.0)
    assert set(alignment.state[skipped]) == {"missing"}
    assert set(alignment.state[~skipped]) == {"played"}
    assert np.isnan(alignment.recording_s[skipped]).all()
    places = np.flatnonzero(skipped)
    assert (np.diff(places) == 1).all()
    assert alignment.onset_s[places[0] - 1] < 12.0


def test_a_recording_that_begins_and_ends_within_the_piece():
    notes = _piece()
    part = notes.within(14.0, 30.0)
    alignment = _aligned(_played(part, part.onset_s - 14.0), notes)
    inside = (alignment.onset_s >= 14.0) & (alignment.onset_s < 30.0)
    assert set(alignment.state[inside]) == {"played"}
    assert set(alignment.state[~inside]) == {"missing"}


def test_a_pause_stops_the_path_and_no_note_is_lost():
    notes = _piece()
    player_s = notes.onset_s + np.where(notes.onset_s >= 20.0, 30.0, 0.0)
    alignment = _aligned(_played(notes, player_s), notes)
    order = np.argsort(alignment.note.astype(int))
    assert np.abs(alignment.recording_s[order] - player_s).max() < 0.005


def test_other_music_before_and_after_is_no_part_of_the_path():
    notes = _piece()
    around = _together(
        _piece(1), _played(notes, notes.onset_s + 60.0), _played(other := _piece(2), other.onset_s + 120.0)
    )
    alignment = _aligned(around, notes)
    order = np.argsort(alignment.note.astype(int))
    rows = order[alignment.state[order] != "extra"]
    assert np.abs(alignment.recording_s[rows] - notes.onset_s - 60.0).max() < 0.003


def test_a_passage_that_is_written_otherwise_is_bridged_and_lost():
    notes = _piece()
    player_s = notes.onset_s * 1.2 + 1.0
    inside = (notes.onset_s >= 16.0) & (notes.onset_s < 28.0)
    transposed_there = Notes.of(notes.onset_s, notes.duration_s, notes.pitch + np.where(inside, 6, 0), notes.velocity)
    alignment = _aligned(_played(notes, player_s), transposed_there)
    assert len(alignment.path) == 1
    assert alignment.path[0].at(np.array([22.0])) == pytest.approx(22.0 * 1.2 + 1.0, abs=1.0)
    begin_s, end_s = 16.0 * 1.2 + 1.0, 28.0 * 1.2 + 1.0
    assert sum(to_s - from_s for from_s, to_s in alignment.lost) > 0.5 * (end_s - begin_s)
    assert begin_s - 2.0 < alignment.lost[0][0] < alignment.lost[-1][1] < end_s + 2.0


def test_music_between_stretches_is_lost_and_silence_is_not():
    notes = _piece()
    first, last = notes.within(0.0, 20.0), notes.within(20.0, 48.0)
    after_pause = _played(last, last.onset_s + 40.0)
    foreign = _piece(1, 60)
    alignment = _aligned(_together(first, _played(foreign, foreign.onset_s + 26.0), after_pause), notes)
    (begin_s, end_s), *more = alignment.lost
    assert not more
    assert begin_s == pytest.approx(20.0, abs=1.0)
    assert end_s == pytest.approx(60.0, abs=1.0)
    assert alignment.path_confidence < 0.7
    assert _aligned(_together(first, after_pause), notes).lost == ()


def test_other_music_at_the_ends_is_lost_only_where_notes_are_left():
    notes = _piece()
    foreign = _piece(1, 60)
    before = _together(foreign, _played(notes, notes.onset_s + 30.0))
    assert _aligned(before, notes).lost == ()
    part = notes.within(20.0, 48.0)
    (begin_s, end_s), *more = _aligned(_together(foreign, _played(part, part.onset_s + 10.0)), notes).lost
    assert not more
    assert (begin_s, end_s) == pytest.approx((0.0, 30.0), abs=0.5)


def test_a_path_ends_where_the_recording_goes_on_with_other_music():
    notes = _piece()
    player_s = notes.onset_s * 1.1
    talk = _played(foreign := _piece(4, 40), foreign.onset_s + 20.0 * 1.1)
    alignment = _aligned(_together(_played(notes.within(0.0, 20.0), player_s[notes.onset_s < 20.0]), talk), notes)
    last_s = max(float(warp.library_s[-1]) for warp in alignment.path)
    assert last_s == pytest.approx(19.6 * 1.1, abs=1.5)


def test_other_music_has_no_confidence():
    alignment = _aligned(_piece(1, 300), _piece(2, 300))
    assert alignment.confidence < 0.5


def test_notes_that_are_not_played_and_notes_that_are_not_written():
    notes = _piece()
    silent = np.zeros(len(notes), bool)
    silent[20::15] = True
    recording = Notes.of(
        notes.onset_s[~silent], notes.duration_s[~silent], notes.pitch[~silent], [64] * (~silent).sum()
    )
    recording = _together(recording, Notes.of([10.2, 20.2], [0.1, 0.1], [95, 96], [64, 64]))
    alignment = _aligned(recording, notes)
    states = dict(zip(alignment.note.tolist(), alignment.state.tolist(), strict=True))
    undetected = {number for number, state in states.items() if state in ("missing", "unsure")}
    assert undetected == {str(number) for number in np.flatnonzero(silent)}
    extra = alignment.state == "extra"
    assert alignment.pitch[extra].tolist() == [95, 96]
    assert alignment.recording_s[extra] == pytest.approx([10.2, 20.2], abs=0.02)
    assert np.isnan(alignment.onset_s[extra]).all()
    assert (alignment.note[extra] == "").all()


def test_a_transposed_recording_is_found_when_asked_for():
    notes = _piece()
    higher = Notes.of(notes.onset_s, notes.duration_s, notes.pitch.astype(int) + 3, notes.velocity)
    side = Side(higher, predicted_onsets_of(higher))
    alignment = align_sides(side, notes, "recording", "notes", range(-6, 7))
    assert alignment.semitones == 3
    assert set(alignment.state) == {"played"}


def test_anchors_hold_the_path():
    steady = Notes.of(np.arange(100) * 0.5, [0.3] * 100, [60] * 100, [64] * 100)  # every note could be any other
    recording = _played(steady, steady.onset_s + 2.0)
    anchors = ((10.0, 13.0), (30.0, 33.0))
    alignment = _aligned(recording, steady, anchors)
    at = {
        round(float(onset), 3): float(time)
        for onset, time in zip(alignment.onset_s, alignment.recording_s, strict=True)
    }
    assert at[10.0] == pytest.approx(13.0, abs=0.02)
    assert at[20.0] == pytest.approx(23.0, abs=0.3)
    assert at[30.0] == pytest.approx(33.0, abs=0.02)


def test_anchors_of_a_repeat_go_through_the_notes_twice():
    notes = _piece()
    recording = _together(notes.within(0.0, 24.0), _played(notes, notes.onset_s + 24.0))
    alignment = _aligned(recording, notes, ((4.0, 4.0), (20.0, 20.0), (4.0, 28.0), (40.0, 64.0)))
    assert _times(alignment, 8.0) == pytest.approx([8.0, 32.0], abs=0.01)
    assert _times(alignment, 44.0) == pytest.approx([68.0], abs=0.01)


@pytest.mark.parametrize("empty", ["recording", "notes", "both"])
def test_a_side_without_notes_gives_rows_without_times(empty: str):
    nothing = Notes.of([], [], [], [])
    recording, notes = (nothing if empty in (side, "both") else _piece() for side in ("recording", "notes"))
    alignment = _aligned(recording, notes)
    assert len(alignment) == len(notes)
    assert alignment.confidence < 0.5
    assert np.isnan(alignment.recording_s).all()
    assert set(alignment.state) <= {"missing"}


def test_notes_beyond_the_keyboard_take_their_time_from_the_path():
    notes = _piece()
    low = Notes.of([8.0], [0.3], [10], [64])
    alignment = _aligned(notes, _together(notes, low))
    row = int(np.flatnonzero(alignment.pitch == 10)[0])
    assert alignment.state[row] in ("unsure", "missing")


def test_events_group_chords_and_split_long_chains():
    onset_s = np.array([0.0, 0.02, 0.04, 0.06, 1.0])
    assert Events.of(onset_s, np.array([60, 62, 64, 65, 67])).event.tolist() == [0, 0, 1, 1, 2]


def test_sound_and_notes_of_the_demo_agree(tmp_path: Path):
    import antiphon

    one = antiphon.open_corpus("demo").recordings[0]
    alignment = align(one.audio_path, one.notes_path)
    error_s = alignment.recording_s - alignment.onset_s
    error_s = error_s[np.isfinite(error_s)]
    assert np.median(np.abs(error_s - np.median(error_s))) < 0.005
    assert len(error_s) >= len(antiphon.read_notes(one.notes_path))
    assert alignment.confidence > 0.9


def test_blocks_of_any_length_give_the_same_map():
    rng = np.random.default_rng(0)
    samples = (0.1 * rng.standard_normal(75 * SAMPLE_RATE_HZ // 2)).astype(np.float32)
    whole = detected_onsets([samples])
    parts = detected_onsets(np.array_split(samples, 23))
    assert whole.shape == (KEYS, len(samples) * FRAME_HZ // SAMPLE_RATE_HZ + 1)
    assert np.array_equal(whole, parts)


def test_magnitudes_of_a_sine_peak_at_its_pitch():
    import torch

    time_s = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    for cents in (0.0, 30.0):
        sine = np.sin(2 * np.pi * 440.0 * 2 ** (cents / 1200) * time_s).astype(np.float32)
        bands = log_frequency_magnitudes(torch.from_numpy(sine)[None], cents)[0, 0, :, 50]
        assert int(bands.argmax()) == (69 - 21 + 12) * 3 + 1
