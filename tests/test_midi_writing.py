"""Notes that are written as MIDI are the same when we, pretty_midi and mido read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes, write_midi

Rows = list[tuple[float, float, int, int]]


def by_ours(path: Path) -> Rows:
    notes = read_notes(path)
    return list(zip(notes.onset_s, notes.offset_s, notes.pitch, notes.velocity, strict=True))


def by_pretty_midi(path: Path) -> Rows:
    instruments = pretty_midi.PrettyMIDI(str(path)).instruments
    found = [one for instrument in instruments if not instrument.is_drum for one in instrument.notes]
    return [(one.start, one.end, one.pitch, one.velocity) for one in found]


def by_mido(path: Path) -> Rows:
    """As a player has it: all tracks together, a note-off ends the oldest note of its channel and pitch."""
    now_s, found = 0.0, []
    sounding: defaultdict[tuple[int, int], Rows] = defaultdict(list)
    for message in mido.MidiFile(path):
        now_s += message.time
        if message.type == "note_on" and message.velocity > 0 and message.channel != 9:
            sounding[message.channel, message.note].append((now_s, 0.0, message.note, message.velocity))
        elif message.type == "note_off" and message.channel != 9:
            onset_s, _, *others = sounding[message.channel, message.note].pop(0)
            found.append((onset_s, now_s, *others))
    assert not any(sounding.values())
    return found


def assert_read_back(
    notes: Notes,
    path: Path,
    error_s: float = 1e-4,
    readers: tuple[Callable[[Path], Rows], ...] = (by_ours, by_pretty_midi, by_mido),
) -> None:
    """Every reader finds each note once, with its pitch and velocity, and its times within `error_s`."""
    write_midi(notes, path)
    expected = list(zip(notes.onset_s, notes.offset_s, notes.pitch, np.maximum(notes.velocity, 1), strict=True))
    for read in readers:
        unmatched = defaultdict(list)
        for onset_s, offset_s, pitch, velocity in read(path):
            unmatched[int(pitch), int(velocity)].append((onset_s, offset_s))
        for onset_s, offset_s, pitch, velocity in expected:
            near = unmatched[int(pitch), int(velocity)]
            wrong_s = [max(abs(a - onset_s), abs(b - offset_s)) for a, b in near]
            assert wrong_s, f"{read.__name__} does not find {onset_s, offset_s, pitch, velocity}"
            assert min(wrong_s) <= error_s, f"{read.__name__} finds {onset_s, offset_s} {min(wrong_s)} s off"
            near.pop(int(np.argmin(wrong_s)))
        assert not any(unmatched.values())


times_s = st.one_of(st.floats(0.0, 90.0), st.sampled_from([0.0, 0.5, 1.0, 1.5, 1.50005]))
lengths_s = st.one_of(st.floats(0.0, 60.0), st.sampled_from([0.0, 1e-6, 1e-4, 0.5, 1.0]))
one_note = st.tuples(times_s, lengths_s, st.one_of(st.integers(0, 127), st.just(60)), st.integers(0, 127))


@settings(max_examples=40)
@given(st.lists(one_note, min_size=1, max_size=15))
@example([(0.0, 4.0, 60, 80), (1.0, 1.0, 60, 81), (1.0, 0.0, 60, 82), (2.0, 3.0, 60, 0), (5.0, 1.0, 60, 83)])
@example([(1.5, 0.0, 60, 80)] * 15)
def test_written_notes_are_read_back_equal(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[float, float, int, int]]
) -> None:
    """Notes of one pitch may overlap, have no length, or the velocity 0."""
    notes = Notes.of(*map(list, zip(*written, strict=True)))
    assert_read_back(notes, tmp_path_factory.getbasetemp() / "written.mid", 1e-4 * 1.01)


@pytest.mark.parametrize(("hours", "error_s"), [(0.25, 1e-4), (1.0, 2e-4), (2.5, 5e-4)])
def test_long_files_are_coarser_so_that_others_read_them(tmp_path: Path, hours: float, error_s: float) -> None:
    onset_s = np.linspace(0.0, hours * 3600 - 1, 500) + 0.0123
    assert_read_back(Notes.of(onset_s, np.full(500, 0.7), [60] * 500, [80] * 500), tmp_path / "long.mid", error_s)


def test_ten_hours_and_days_are_read_back(tmp_path: Path) -> None:
    assert_read_back(
        Notes.of([0.5, 35_999.1], [35_998.0, 0.9], [60, 60], [80, 1]), tmp_path / "hours.mid", 5e-4, (by_ours, by_mido)
    )
    with pytest.warns(UserWarning, match="over a day"):
        assert_read_back(
            Notes.of([0.0, 0.5, 2e6], [1, 1, 1], [60] * 3, [80] * 3), tmp_path / "days.mid", 0.02, (by_ours, by_mido)
        )
    with pytest.raises(ValueError, match="MIDI holds 134217728 s"):
        write_midi(Notes.of([2e8], [1], [60], [80]), tmp_path / "years.mid")


def test_notes_before_0_begin_at_0(tmp_path: Path) -> None:
    Notes.of([-1.0, 0.5], [2.0, 1.0], [60, 62], [80, 80]).save(tmp_path / "window.mid")
    notes = read_notes(tmp_path / "window.mid")
    assert (notes.onset_s.tolist(), notes.offset_s.tolist()) == ([0.0, 0.5], [1.0, 1.5])


def test_drums_are_written_on_their_channel(tmp_path: Path) -> None:
    drums = Notes.of([0.0, 0.5, 0.5], [0.1, 0.1, 0.3], [36, 38, 38], [100, 90, 80])
    notes = Notes.of([0.25], [1.0], [60], [70], drums=drums)
    assert_read_back(notes, tmp_path / "band.mid")
    found = read_notes(tmp_path / "band.mid").drums
    assert found is not None
    assert found.onset_s.tolist() == [0.0, 0.5, 0.5]
    assert found.pitch.tolist() == [36, 38, 38]
    channels = {message.channel for message in mido.MidiFile(tmp_path / "band.mid") if message.type == "note_on"}
    assert channels == {0, 9}


def test_pedal_holds_overlapping_notes(tmp_path: Path) -> None:
    """Two notes of one pitch, on two channels, are both held."""
    notes = Notes.of([0.0, 0.5], [2.0, 0.5], [60, 60], [80, 90])
    write_midi(notes, tmp_path / "pedal.mid", np.array([[0.1, 3.0]]))
    assert read_notes(tmp_path / "pedal.mid").offset_s.tolist() == [2.0, 1.0]
    assert read_notes(tmp_path / "pedal.mid", sustain=True).offset_s.tolist() == [3.0, 3.0]


def test_written_again_the_same(tmp_path: Path) -> None:
    """What was read from a file of ours is written with the same times."""
    notes = Notes.of([0.1, 0.2], [1.0, 3.0], [60, 60], [80, 81])
    write_midi(notes, tmp_path / "once.mid")
    write_midi(replace(read_notes(tmp_path / "once.mid"), drums=None), tmp_path / "twice.mid")
    assert (tmp_path / "twice.mid").read_bytes() == (tmp_path / "once.mid").read_bytes()
