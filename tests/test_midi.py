"""MIDI files give the right notes: by hand, and as other readers have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from benchmarks.midi_fuzz import mutated, seeds

from antiphon.corpora import Corpus
from antiphon.errors import UnreadableInput
from antiphon.io.drums import drum_name
from antiphon.io.midi_events import read_sequences
from antiphon.io.midi_plain import DRUM_CHANNEL, Sequence, read_plain
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes, write_midi
from helpers import END_OF_TRACK, event, midi, note, note_rows, read_midi_bytes, tempo

TICK_S = 1e-4  # resolution of the files that we write
SUSTAIN = 64
SCALE = b"".join(note(60 + step) for step in range(10)) + END_OF_TRACK


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
    found = read_midi_bytes(tmp_path, midi(conductor, played, across))
    assert note_rows(found) == [
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
    assert read_midi_bytes(tmp_path, midi(played), sustain=True).offset_s.tolist() == [1.5, 1.5]


@pytest.mark.parametrize(("value", "held"), [(63, False), (64, True)])
def test_pedal_is_down_from_64_on(tmp_path: Path, value: int, held: bool) -> None:
    played = event(0, 0xB0, SUSTAIN, value) + note(60) + event(480, 0xB0, SUSTAIN, 0) + END_OF_TRACK
    assert read_midi_bytes(tmp_path, midi(played), sustain=True).end_s == (1.0 if held else 0.5)


def test_other_controllers_do_not_extend_notes(tmp_path: Path) -> None:
    played = event(0, 0xB0, 67, 127) + note(60) + event(480, 0xB0, 67, 0) + END_OF_TRACK
    assert read_midi_bytes(tmp_path, midi(played), sustain=True).end_s == 0.5


def test_notes_are_sorted_by_onset_then_pitch(tmp_path: Path) -> None:
    chord = b"".join(event(0, 0x90, pitch, 64) for pitch in (67, 60, 64))
    released = b"".join(event(480 if pitch == 64 else 0, 0x80, pitch, 0) for pitch in (64, 67, 60))
    found = read_midi_bytes(tmp_path, midi(note(72, delta=480) + END_OF_TRACK, chord + released + END_OF_TRACK))
    assert found.pitch.tolist() == [60, 64, 67, 72]


PEDAL = event(0, 0xB0, SUSTAIN, 127), event(960, 0xB0, SUSTAIN, 0)
SHORT = note(60, duration=100)


@pytest.mark.parametrize(
    ("tracks", "ends"),
    [
        ([PEDAL[0] + SHORT + event(0, 0xC0, 5) + event(860, 0xB0, SUSTAIN, 0)], 960),
        ([PEDAL[0] + event(0, 0xC0, 5) + SHORT + event(860, 0xB0, SUSTAIN, 0)], 960),
        ([SHORT, event(0, 0xB1, SUSTAIN, 127) + event(960, 0xB1, SUSTAIN, 0)], 100),
        ([SHORT + note(61, channel=1, duration=50), PEDAL[0] + PEDAL[1]], 960),
        ([SHORT, note(61, channel=1, duration=50), PEDAL[0] + PEDAL[1]], 960),
        ([SHORT + event(0, 0xFF, 1, 1, 255), PEDAL[0] + event(960, SUSTAIN, 0)], 960),
    ],
    ids=["program after", "program before", "other channel", "two channels", "three tracks", "running status"],
)
def test_pedal_over_tracks_and_programs(tmp_path: Path, tracks: list[bytes], ends: int) -> None:
    notes = read_midi_bytes(tmp_path, midi(*(track + END_OF_TRACK for track in tracks)), sustain=True)
    assert notes.offset_s[notes.pitch == 60] == pytest.approx([ends / 960])


def test_drums_are_apart(tmp_path: Path) -> None:
    struck = b"".join(note(key, channel=9, duration=60) for key in (36, 38, 42)) + END_OF_TRACK
    notes = read_midi_bytes(tmp_path, midi(note(60) + END_OF_TRACK, struck))
    assert notes.pitch.tolist() == [60]
    assert notes.drums is not None
    assert [drum_name(int(key)) for key in notes.drums.pitch] == ["bass drum 1", "acoustic snare", "closed hi-hat"]
    assert notes.drums.onset_s.tolist() == [0.0, 0.0625, 0.125]
    assert len(notes.window(0.06, 0.1).drums or ()) == 3
    assert read_midi_bytes(tmp_path, midi(SCALE)).drums is None


def test_drums_alone_are_refused(tmp_path: Path) -> None:
    beat = b"".join(note(key, channel=9, duration=120) for key in [36, 42, 38, 42] * 8)
    with pytest.raises(UnreadableInput, match="it holds drums only, no pitched notes"):
        read_midi_bytes(tmp_path, midi(beat + END_OF_TRACK))


def test_guessed_tempo_is_remembered(tmp_path: Path) -> None:
    assert read_midi_bytes(tmp_path, midi(SCALE)).tempo_is_guessed
    assert not read_midi_bytes(tmp_path, midi(tempo(0, 500_000) + SCALE)).tempo_is_guessed
    assert not read_midi_bytes(tmp_path, midi(SCALE, division=0xE728)).tempo_is_guessed


def test_29_97_frames_a_second(tmp_path: Path) -> None:
    """−29 frames of 100 ticks: the first of ten notes of 480 ticks ends after 4.8 frames of 1.001/30 s."""
    notes = read_midi_bytes(tmp_path, midi(SCALE, division=0xE364))
    assert notes.offset_s[[0, -1]] == pytest.approx([4.8 * 1.001 / 30, 48 * 1.001 / 30])


def columns(sequence: Sequence) -> np.ndarray:
    """All that a sequence says, in an order of its own; channels where they are told apart."""
    channel = sequence.channel if len(sequence.pedal) else sequence.channel == DRUM_CHANNEL
    found = np.stack([sequence.onset, sequence.end, sequence.pitch, sequence.velocity, channel], axis=1)
    return found[np.lexsort(found.T)]


def assert_readers_agree(data: bytes) -> bool:
    """Whether the fast reader takes the file; it then gives what the lenient one gives."""
    plain = read_plain(data, sustain=True)
    if plain is None:
        return False
    sequences, _, is_cut = read_sequences(data)
    assert (len(sequences), is_cut) == (1, False)
    np.testing.assert_array_equal(columns(plain), columns(sequences[0]))
    np.testing.assert_array_equal(plain.tempo, sequences[0].tempo)
    if len(plain.pedal):
        assert sorted(map(tuple, plain.pedal)) == sorted(map(tuple, sequences[0].pedal))
    return True


def test_readers_agree_on_made_files(demo: Corpus) -> None:
    made = [recording.notes_path.read_bytes() for recording in demo.recordings[::6]]
    again = event(0, 0x90, 60, 64) + event(10, 0x90, 60, 65) + event(0, 0x80, 60, 0) + event(10, 0x90, 60, 0)
    made += [midi(tempo(0, 400_000) + tempo(0, 300_000) + again * 3 + event(5, 0xD0, 3) + event(5, 9) + SCALE)]
    made += [midi(event(0x7F10, 0x90, 60, 9) + event(0x3FFF, 60, 0) + event(0, 0xF0, 2, 1, 0xF7) + SCALE)]
    for data in made:
        assert assert_readers_agree(data)


def test_readers_agree_on_damaged_files() -> None:
    """What the fast reader's check lets through is not misread."""
    healthy = [data for data in seeds() if read_plain(data, sustain=True) is not None]
    assert sum(map(assert_readers_agree, mutated(healthy, 2000, seed=2))) > 50


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "source", ["maestro-v3.0.0", "openscore", "freedoom", "pop909", "supra", "asap", "giantmidi-preview", "vienna4x22"]
)
def test_readers_agree_on_real_files(shared_data: Path, source: str) -> None:
    files = sorted(path for path in (shared_data / source).rglob("*.mid*"))
    taken = 0
    for path in files[:: max(1, len(files) // 12)]:
        data = path.read_bytes()
        taken += read_plain(data, sustain=False) is not None
        assert_readers_agree(data)
    assert taken >= 12  # speed is lost where the fast reader refuses ordinary files
