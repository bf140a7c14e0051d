"""The span of an alignment: from where to where a recording and its notes are the same music; and its notes as MIDI."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.alignment.aligning import Side, align_sides
from antiphon.alignment.dtw import Warp
from antiphon.errors import AntiphonError
from antiphon.index.whole_match import Span, span_of
from antiphon.io.notes import Notes
from antiphon.models.note_onsets import predicted_onsets_of
from builders import alignment_of

NOTES = Notes.of([1.0, 2.0, 3.0, 5.0], [0.5, 0.5, 0.5, 3.0], [60, 62, 127, 65], [80] * 4)
LATER_S = 10.0


def line(first_s: float, last_s: float, later_s: float = LATER_S, tempo: float = 1.0) -> Warp:
    """From `first_s` to `last_s` of the notes, in a recording that plays `tempo` seconds of notes a second."""
    query_s = np.array([first_s, last_s])
    return Warp(query_s, later_s + query_s / tempo)


def span(notes: Notes, *path: Warp, duration_s: float = 60.0) -> Span:
    return span_of(alignment_of(notes, path), duration_s)


def test_the_span_has_all_notes_and_the_last_ones_until_they_end() -> None:
    assert span(NOTES, line(1.0, 5.0)) == Span(11.0, 18.0, 1.0, 8.0, 1.0)
    assert span(NOTES, line(1.0, 5.0, tempo=2.0)) == Span(10.5, 14.0, 1.0, 8.0, 2.0)


def test_the_recording_may_end_while_notes_sound() -> None:
    assert span(NOTES, line(1.0, 5.0), duration_s=16.0) == Span(11.0, 16.0, 1.0, 6.0, 1.0)


def test_the_span_ends_where_a_note_should_begin_that_does_not() -> None:
    held = Notes.of(NOTES.onset_s, [9.0] * 4, NOTES.pitch, NOTES.velocity)
    assert span(held, line(1.0, 2.0)) == Span(11.0, 13.0, 1.0, 3.0, 1.0)
    assert span(NOTES, line(1.0, 2.0)) == Span(11.0, 12.5, 1.0, 2.5, 1.0)


def test_a_recording_that_is_cut_off_begins_with_the_notes_that_sound() -> None:
    held = Notes.of([0.5, 2.0, 3.0], [3.0] * 3, [60, 62, 64], [80] * 3)
    assert span(held, line(2.0, 3.0, later_s=-1.0)) == Span(0.0, 5.0, 1.0, 6.0, 1.0)
    # A note that should begin in between does not: so the music begins with the first that does.
    assert span(held, line(3.0, 3.1, later_s=-1.0)).query_start_s == 2.0
    # Nothing sounds before the first note.
    assert span(NOTES, line(2.0, 3.0, later_s=-1.6)).query_start_s == pytest.approx(0.4)


def test_notes_that_sound_where_a_recording_is_cut_off_do_not_begin_there() -> None:
    """The first event of the path lies a second before the cut, the last one a second after the other."""
    query_s = np.arange(11.0)
    library_s = np.array([0.0, 0.25, *np.arange(1.25, 9.0), 8.5])
    notes = Notes.of(query_s, [0.5] * 11, [60] * 11, [80] * 11)
    found = span(notes, Warp(query_s, library_s), duration_s=8.6)
    assert (found.query_start_s, found.query_end_s) == (0.0, 8.6)
    tempo = 10.0 / 8.5
    assert (found.start_s, found.end_s) == pytest.approx((1.0 - 0.25 * tempo, 9.0 + 0.35 * tempo))


def test_repeats_count_once_in_the_span_and_twice_in_the_tempo() -> None:
    again = span(NOTES, line(1.0, 3.0, 10.0, 2.0), line(1.0, 5.0, 20.0, 2.0))
    assert again == Span(10.5, 24.0, 1.0, 8.0, 2.0)
    # From the end back to the beginning.
    assert span(NOTES, line(3.0, 5.0, 10.0), line(1.0, 2.0, 20.0)) == Span(13.0, 22.5, 1.0, 8.0, 1.0)


def test_midi_has_the_notes_with_a_time_in_the_key_of_the_recording() -> None:
    notes = alignment_of(NOTES, (line(1.0, 5.0),), semitones=1, reached=slice(1, 4)).to_midi()
    assert notes.pitch.tolist() == [63, 66]
    np.testing.assert_allclose(notes.onset_s, [12.0, 15.0])
    np.testing.assert_allclose(notes.duration_s, [0.5, 3.0])
    with pytest.raises(AntiphonError, match=r"take\.wav: no note of take\.mid was found in it"):
        alignment_of(NOTES, (), reached=slice(0)).to_midi()


def chords(count: int) -> Notes:
    """A chord each second; the first two are equal, and so are the last two."""
    roots = [50, 50, *(52 + (5 * number) % 13 for number in range(count - 4)), 70, 70]
    onset_s = np.repeat(np.arange(float(count)), 3)
    pitch = np.repeat(roots, 3) + np.tile([0, 4, 7], count)
    return Notes.of(onset_s, np.full(3 * count, 0.9), pitch, np.full(3 * count, 80))


def test_a_recording_that_begins_and_ends_between_equal_chords_has_one_of_each() -> None:
    notes = chords(14)
    part = notes.window(0.95, 12.0)
    assert (part.onset_s[0], part.onset_s[-1]) == pytest.approx((0.05, 11.05))
    alignment = align_sides(Side(part, predicted_onsets_of(part)), notes, "take.mid", "whole.mid")
    (path,) = alignment.path
    assert (path.query_s[0], path.query_s[-1]) == (1.0, 12.0)
    np.testing.assert_allclose(path.library_s, path.query_s - 0.95, atol=0.01)
    assert (alignment.state == "missing").sum() == 6
    assert len(alignment.to_midi()) == len(part)
