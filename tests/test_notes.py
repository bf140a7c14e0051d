"""Notes read from MIDI files and tables have the right times and order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.corpora import Corpus
from antiphon.errors import UnreadableInput
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes, write_midi
from helpers import END_OF_TRACK, event, midi, note, scale, tempo

TICK_S = 1e-4  # resolution of the files that we write
SUSTAIN = 64


def read_bytes(folder: Path, data: bytes, sustain: bool = False) -> Notes:
    (folder / "file.mid").write_bytes(data)
    return read_notes(folder / "file.mid", sustain=sustain)


def rows(notes: Notes) -> list[tuple[float, float, int, int]]:
    columns = (notes.onset_s.round(6), notes.duration_s.round(6), notes.pitch, notes.velocity)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def pretty_rows(path: Path) -> list[tuple[float, float, int, int]]:
    """Oracle: the notes of a file as read by pretty_midi, without drums."""
    file = pretty_midi.PrettyMIDI(str(path))
    kept = [one for instrument in file.instruments if not instrument.is_drum for one in instrument.notes]
    found = [(one.start, one.end - one.start, one.pitch, one.velocity) for one in kept]
    return sorted(found, key=lambda row: (round(row[0], 6), row[2]))


def assert_agrees_with_pretty_midi(path: Path) -> None:
    notes = read_notes(path)
    ours = np.stack([notes.onset_s, notes.duration_s, notes.pitch, notes.velocity], axis=1)
    ours = ours[notes.duration_s > 0]  # pretty_midi drops notes of length 0; we keep them
    np.testing.assert_allclose(ours, np.array(pretty_rows(path)), atol=1e-6)


def test_tempo_changes(tmp_path: Path) -> None:
    """A quarter at 120 per minute (the default), two at 60, then 240: times computed by hand."""
    conductor = tempo(480, 1_000_000) + tempo(960, 250_000) + END_OF_TRACK
    played = note(60, duration=480) + note(62, duration=960) + note(64, duration=480) + END_OF_TRACK
    across = note(40, delta=240, duration=1440) + END_OF_TRACK  # half a quarter of each outer tempo
    found = read_bytes(tmp_path, midi(conductor, played, across))
    assert rows(found) == [
        (0.0, 0.5, 60, 64),
        (0.25, 0.25 + 2.0 + 0.125, 40, 64),
        (0.5, 2.0, 62, 64),
        (2.5, 0.25, 64, 64),
    ]


def test_agrees_with_pretty_midi_on_the_demo_corpus(demo: Corpus) -> None:
    for recording in demo.recordings[::10]:
        assert_agrees_with_pretty_midi(recording.notes_path)


def test_agrees_with_pretty_midi_on_many_tempi(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    conductor = b"".join(tempo(int(rng.integers(1, 900)), int(rng.integers(2e5, 2e6))) for _ in range(200))
    played = b"".join(note(int(rng.integers(128)), duration=int(rng.integers(1, 700))) for _ in range(300))
    path = tmp_path / "rubato.mid"
    path.write_bytes(midi(conductor + END_OF_TRACK, played + END_OF_TRACK))
    assert_agrees_with_pretty_midi(path)


@pytest.mark.shared_data
@pytest.mark.filterwarnings("ignore:Tempo, Key or Time:RuntimeWarning")
@pytest.mark.parametrize("piece", ["Bach/Fugue/bwv_848", "Schumann/Kreisleriana/4"])
def test_agrees_with_pretty_midi_on_printed_scores(shared_data: Path, piece: str) -> None:
    assert_agrees_with_pretty_midi(shared_data / "asap" / piece / "midi_score.mid")


@pytest.mark.parametrize(
    ("pedal_s", "expected_end_s"),
    [
        pytest.param([(0.5, 3.0)], 3.0, id="held to the pedal's release"),
        pytest.param([(0.5, 0.9)], 1.0, id="pedal up before the key"),
        pytest.param([(1.5, 3.0)], 1.0, id="pedal down after the key"),
        pytest.param([(0.5, 1.5), (1.6, 3.0)], 1.5, id="pedal changed"),
        pytest.param([(0.5, 6.0)], 5.0, id="cut by the next stroke of the key"),
        pytest.param([], 1.0, id="no pedal"),
    ],
)
def test_sustain_pedal(tmp_path: Path, pedal_s: list[tuple[float, float]], expected_end_s: float) -> None:
    played = Notes.of([0.0, 2.0, 5.0], [1.0, 0.5, 0.5], [60, 64, 60], [80, 80, 80])
    path = tmp_path / "pedal.mid"
    write_midi(played, path, np.array(pedal_s).reshape(-1, 2))
    assert read_notes(path, sustain=True).offset_s[0] == pytest.approx(expected_end_s, abs=TICK_S)
    assert read_notes(path).offset_s[0] == pytest.approx(1.0, abs=TICK_S)  # off by default


def test_pedal_that_is_never_released_holds_to_the_last_event(tmp_path: Path) -> None:
    played = event(0, 0xB0, SUSTAIN, 127) + note(60) + note(64, delta=480) + END_OF_TRACK
    assert read_bytes(tmp_path, midi(played), sustain=True).offset_s.tolist() == [1.5, 1.5]


@pytest.mark.parametrize(("value", "held"), [(63, False), (64, True)])
def test_pedal_is_down_from_64_on(tmp_path: Path, value: int, held: bool) -> None:
    played = event(0, 0xB0, SUSTAIN, value) + note(60) + event(480, 0xB0, SUSTAIN, 0) + END_OF_TRACK
    assert read_bytes(tmp_path, midi(played), sustain=True).end_s == (1.0 if held else 0.5)


def test_other_controllers_do_not_extend_notes(tmp_path: Path) -> None:
    played = event(0, 0xB0, 67, 127) + note(60) + event(480, 0xB0, 67, 0) + END_OF_TRACK
    assert read_bytes(tmp_path, midi(played), sustain=True).end_s == 0.5


def test_drums_are_left_out(tmp_path: Path) -> None:
    played = note(60) + END_OF_TRACK, note(36, channel=9) + END_OF_TRACK
    assert read_bytes(tmp_path, midi(*played)).pitch.tolist() == [60]


def test_notes_are_sorted_by_onset_then_pitch(tmp_path: Path) -> None:
    chord = b"".join(event(0, 0x90, pitch, 64) for pitch in (67, 60, 64))
    released = b"".join(event(480 if pitch == 64 else 0, 0x80, pitch, 0) for pitch in (64, 67, 60))
    found = read_bytes(tmp_path, midi(note(72, delta=480) + END_OF_TRACK, chord + released + END_OF_TRACK))
    assert found.pitch.tolist() == [60, 64, 67, 72]


def test_window_contains_the_notes_that_sound_in_it() -> None:
    notes = Notes.of([0.0, 1.0, 1.5, 2.0, 4.0], [2.0, 0.9, 9.0, 1.0, 1.0], [60, 61, 62, 63, 64], [1, 2, 3, 4, 5])
    window = notes.window(2.0, 2.0)
    # 60 and 61 have ended when it starts, 64 starts when it ends.
    assert window.pitch.tolist() == [62, 63]
    assert window.onset_s.tolist() == [-0.5, 0.0]
    assert window.duration_s.tolist() == [9.0, 1.0]
    assert window.velocity.tolist() == [3, 4]


def test_window_without_notes_is_empty() -> None:
    assert len(scale().window(100.0, 4.0)) == 0
    assert scale().window(100.0, 4.0).end_s == 0.0


note_strategy = st.tuples(
    st.floats(0.0, 3600.0), st.floats(1e-3, 60.0), st.integers(0, 127), st.integers(1, 127)
)  # onset, duration, pitch, velocity


@settings(max_examples=50)
@given(st.lists(note_strategy, min_size=1, max_size=40, unique_by=lambda one: one[2]))
def test_written_notes_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[float, float, int, int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.mid"
    write_midi(Notes.of(*map(list, zip(*written, strict=True))), path)
    found = read_notes(path)
    by_pitch, expected = np.argsort(found.pitch), sorted(written, key=lambda one: one[2])
    onset, duration, pitch, velocity = map(np.array, zip(*expected, strict=True))
    np.testing.assert_array_equal(found.pitch[by_pitch], pitch)
    np.testing.assert_array_equal(found.velocity[by_pitch], velocity)
    np.testing.assert_allclose(found.onset_s[by_pitch], onset, atol=TICK_S / 2 + 1e-9)
    np.testing.assert_allclose(found.offset_s[by_pitch], onset + duration, atol=TICK_S / 2 + 1e-9)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("onset,offset,note,velocity\n0.5,1.25,60,90\n0.1,0.2,61,1\n", id="commas"),
        pytest.param("onset\toffset\tnote\tvelocity\n0.5\t1.25\t60\t90\n0.1\t0.2\t61\t1\n", id="tabs"),
        pytest.param("# onset,offset,note,velocity\n0.5,1.25,60,90\n0.1,0.2,61,1", id="header as a comment"),
        pytest.param("\ufeffOnset, Offset, Note, Velocity\r\n0.5, 1.25, 60, 90\r\n\r\n.1,.2,61,1\r\n", id="Windows"),
        pytest.param("velocity,note,hand,offset,onset\n90,60,L,1.25,0.5\n1,61,R,0.2,0.1\n", id="other columns"),
    ],
)
def test_tables_of_notes(tmp_path: Path, text: str) -> None:
    (tmp_path / "table.tsv").write_bytes(text.encode())
    assert rows(read_notes(tmp_path / "table.tsv", sustain=True)) == [(0.1, 0.1, 61, 1), (0.5, 0.75, 60, 90)]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (([0, 1], [1], [60], [64]), "unequal lengths: 2, 1, 1, 1"),
        (([float("nan")], [1], [60], [64]), "not finite"),
        (([0], [float("inf")], [60], [64]), "not finite"),
        (([0, 0], [1, -0.1], [60, 60], [64, 64]), "note 1 ends before it begins"),
        (([0], [1], [128], [64]), "pitch 128 is outside 0–127"),
        (([0], [1], [-1], [64]), "pitch -1 is outside 0–127"),
        (([0], [1], [60], [200]), "velocity 200 is outside 0–127"),
    ],
)
def test_impossible_notes_are_refused(columns: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Notes.of(*columns)


@pytest.mark.parametrize(("name", "words"), [("gone.mid", "no such file"), ("take.wav", "expected one of .*, .mid, ")])
def test_unreadable_note_files_are_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "take.wav").write_bytes(b"RIFF")
    with pytest.raises(UnreadableInput, match=f"{name}: .*{words}"):
        read_notes(tmp_path / name)
