"""MIDI files that are unusual or damaged are read as far as they go, or refused with their fault in one line."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from benchmarks.midi_fuzz import fuzz, seeds

from antiphon.errors import InputWarning, UnreadableInput
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from helpers import END_OF_TRACK, event, midi, note, note_rows, read_midi_bytes, tempo

CASES = Path(__file__).parent / "cases" / "midi"
SCALE = b"".join(note(60 + step) for step in range(10)) + END_OF_TRACK


class Right(NamedTuple):
    """What a problem file holds, and the words of the warning that it gives."""

    notes: int = 90
    first_s: float = 0.0
    last_onset_s: float = 16.625
    last_end_s: float = 16.865
    warns: str = ""


SAME = Right()
RIGHT = {
    "00-good.mid": SAME,
    "01-running-status-after-sysex.mid": SAME,
    "01b-running-status-after-meta.mid": SAME,
    "01c-running-status-plain.mid": SAME,
    "02-smpte-25x40.mid": SAME,
    # The first sequence ends at 15.740 s; the second alone ends at 32.979 s.
    "03-type2.mid": Right(
        180, 0.0, 15.740 + 32.0, 15.740 + 32.979, "2 independent sequences, read one after the other"
    ),
    "04-rmid.rmi": SAME,
    "05-karaoke.kar": SAME,
    # The notes without an end begin with the last event of the track, so they have no length.
    "06-last-chord-hangs.mid": SAME._replace(last_end_s=16.625, warns="without an end, closed .* their track ends: 2"),
    "07-overlap.mid": Right(92, 0.0, 18.625, 18.865),
    "08-zero-length.mid": Right(20, 0.5, 10.0, 10.0),
    "09-one-byte-behind.mid": SAME,
    "09b-garbage-behind.mid": SAME,
    "09c-id3v1-behind.mid": SAME,
    "09d-xfih-chunk.mid": SAME,
    "10-late-end-of-track.mid": SAME,
    "10b-a-stray-note-next-week.mid": Right(91, 0.0, 262144.0, 262144.267, "over a day .a stray note"),
    "11-mtrk-longer-than-file.mid": SAME,
    "11b-mtrk-length-0xffffffff.mid": SAME,
    "11c-mtrk-shorter-than-events.mid": SAME,
    "11d-cut-in-the-middle.mid": Right(60, 0.0, 10.75, 10.75, "cut off: 60 notes of its first 10.8 s are read"),
    "11f-cut-last-track.mid": SAME._replace(notes=158, warns="cut off: 158 notes of its first 16.9 s are read"),
    "11g-length-5-too-long-then-next-track.mid": SAME._replace(notes=180),
    "11h-length-5-too-short-then-next-track.mid": SAME._replace(notes=180),
    "12-pedal-on-another-track.mid": Right(2, 0.0, 2.0, 2.083),
    "12b-pedal-same-track.mid": Right(2, 0.0, 2.0, 2.083),
    "13-controller-value-128.mid": SAME._replace(warns="damaged events: 1"),
    "13b-velocity-200.mid": SAME._replace(notes=91, warns="damaged events: 1"),
    "13d-pitch-200.mid": SAME._replace(warns="damaged events: 1"),
    "13e-noteoff-velocity-200.mid": SAME._replace(warns="damaged events: 1"),
    "13g-keysig-9.mid": SAME,
    "13h-timesig-2-bytes.mid": SAME,
    "13i-tempo-4-bytes.mid": Right(90, 0.0, 0.070, 0.071, "its tempo is over 3000 quarter notes a minute"),
    "13j-tempo-0.mid": SAME._replace(warns="tempi of 0 .* left out: 1"),
    "13k-status-f4.mid": SAME,
    "13l-realtime-f8.mid": SAME,
    "13m-active-sensing-fe.mid": SAME,
    "13n-tune-request-f6.mid": SAME,
    "14-type0-two-tracks.mid": SAME,
    "14c-header-says-9-of-2.mid": SAME._replace(warns="states 9 tracks, it holds 2"),
    "14d-format-3.mid": SAME,
    "14e-junk-chunk-between.mid": SAME,
    "14f-junk-byte-between.mid": SAME,
    "14g-header-says-2-of-3.mid": SAME._replace(notes=180),
    "15a-track-name-shift_jis.mid": SAME,
    "15b-track-name-latin-1.mid": SAME,
    "15c-track-name-gbk.mid": SAME,
    "15d-track-name-utf-16.mid": SAME,
    "16-macbinary.mid": SAME,
    "16c-bom-in-front.mid": SAME,
    "17-header-of-8.mid": SAME,
    "18-tempo-change-within-a-note.mid": Right(92, 0.0, 35.75, 36.229),
    "18b-tempo-on-second-track.mid": Right(90, 0.0, 8.312, 8.432),
    "19-no-end-of-track.mid": SAME,
    "20-piano-on-channel-10.mid": SAME._replace(warns="on the channel of drums.* read as notes"),
    "21-unison-on-two-channels.mid": Right(92, 0.0, 18.625, 18.865),
    "22-begins-after-20-min.mid": Right(90, 1200.0, 1216.625, 1216.865),
    "23-repeated-note-on-before-off.mid": Right(41, 0.0, 10.0, 10.25),
    "24-division-1.mid": Right(90, 0.0, 16.614, 16.854),
    "24c-division-32767.mid": SAME,
    "25-vlq-5-bytes.mid": Right(91, 0.0, 17.125, 17.365),
    "26-sysex-continuation-f7.mid": SAME,
    "27-f7-escape-4.mid": SAME,
    "27c-f7-escape-realtime.mid": SAME,
    "27d-f7-song-select.mid": SAME,
    "27f-f0-only.mid": SAME,
    "27g-f0-without-f7.mid": SAME,
}
REFUSED = {"24b-division-0.mid": "its header gives 0 ticks per quarter note, so nothing has a time"}


def read_warned(folder: Path, data: bytes, words: str, sustain: bool = False) -> Notes:
    """The notes of a file that is read with one warning."""
    with pytest.warns(InputWarning, match=words) as caught:
        notes = read_midi_bytes(folder, data, sustain)
    assert len(caught) == 1
    return notes


def test_table_has_every_problem_file() -> None:
    assert {path.name for path in CASES.iterdir()} == set(RIGHT) | set(REFUSED)


@pytest.mark.parametrize("name", RIGHT)
def test_problem_file_has_its_right_value(tmp_path: Path, name: str) -> None:
    right, data = RIGHT[name], (CASES / name).read_bytes()
    notes = read_warned(tmp_path, data, right.warns) if right.warns else read_midi_bytes(tmp_path, data)
    assert len(notes) == right.notes
    found_s = (notes.onset_s[0], notes.onset_s[-1], notes.end_s)
    assert found_s == pytest.approx(right[1:4], abs=6e-4)


@pytest.mark.parametrize("name", REFUSED)
def test_problem_file_is_refused(name: str) -> None:
    with pytest.raises(UnreadableInput, match=REFUSED[name]):
        read_notes(CASES / name)


def test_pedal_belongs_to_the_channel() -> None:
    """On another track, after a change of program, and never of another channel."""
    for name in ("12-pedal-on-another-track.mid", "12b-pedal-same-track.mid"):
        notes = read_notes(CASES / name, sustain=True)
        assert notes.offset_s.tolist() == pytest.approx([1.0, 2.0833], abs=1e-4)


def chunk(body: bytes, size: int | None = None, name: bytes = b"MTrk") -> bytes:
    return name + struct.pack(">I", len(body) if size is None else size) + body


HEADER_OF_2 = midi(count=2)
OTHER = b"".join(note(40 + step, channel=1) for step in range(10)) + END_OF_TRACK
NO_END = b"".join(note(60 + step) for step in range(10))


@pytest.mark.parametrize(
    "data",
    [
        *(HEADER_OF_2 + chunk(SCALE, len(SCALE) + by) + chunk(OTHER) for by in (-80, -40, -9, -8, -4, -1, 1, 4, 8, 30)),
        HEADER_OF_2 + chunk(SCALE, 0) + chunk(OTHER),
        HEADER_OF_2 + chunk(SCALE, 2**31) + chunk(OTHER, 2**32 - 1),
        HEADER_OF_2 + chunk(SCALE, len(SCALE + OTHER) + 8) + chunk(OTHER),
        HEADER_OF_2 + chunk(NO_END) + chunk(OTHER),
        HEADER_OF_2 + chunk(NO_END, 2**32 - 1) + chunk(OTHER),
        HEADER_OF_2 + chunk(SCALE) + b"\0\r\n" + chunk(OTHER) + b"\x1a",
        HEADER_OF_2 + chunk(b"MTrk", name=b"XFIH") + chunk(SCALE) + chunk(b"", name=b"XFKM") + chunk(OTHER),
        HEADER_OF_2 + chunk(SCALE + NO_END) + chunk(OTHER),
        midi(SCALE, OTHER, kind=0),
        midi(SCALE, OTHER, kind=9, count=0),
        midi(SCALE, OTHER, count=1),
        b"HTTP/1.0 200 OK\r\n\r\n" + midi(SCALE, OTHER),
        b"MThd\0\0" + midi(SCALE, OTHER),
        b"\0" * 128 + midi(SCALE, OTHER) + b"\0" * 100,
        HEADER_OF_2.replace(b"\0\0\0\6", b"\0\0\0\4") + chunk(SCALE) + chunk(OTHER),
        HEADER_OF_2.replace(b"\0\0\0\6", b"\0\0\1\0") + chunk(SCALE) + chunk(OTHER),
    ],
)
def test_chunks_that_are_wrong_lose_nothing(tmp_path: Path, data: bytes) -> None:
    notes = read_midi_bytes(tmp_path, data)
    assert note_rows(notes) == note_rows(read_midi_bytes(tmp_path, midi(SCALE, OTHER)))


LATER = b"".join(event(60, pitch, velocity) for pitch in (60, 62, 64) for velocity in (90, 0))
THREE = event(60, 0x90, 60, 90) + LATER[3:]


@pytest.mark.parametrize(
    "between",
    [
        event(0, 0xF0, 5, 0x7E, 0x7F, 6, 1, 0xF7),
        event(0, 0xF0, 2, 0x43, 0x12) + event(0, 0xF7, 3, 1, 2, 3) + event(0, 0xF7, 2, 4, 0xF7),
        event(0, 0xF7, 2, 0xF3, 1),
        event(0, 0xFF, 1, 3, 0x90, 0xF7, 0xFF),
        event(0, 0xFF, 0x7F, 0),
        event(0, 0xF8),
        event(0, 0xFE) + event(0, 0xF6) + event(0, 0xF4),
        event(0, 0xF1, 5) + event(0, 0xF2, 1, 2) + event(0, 0xF3, 7),
    ],
    ids=["SysEx", "packets", "escape", "text", "own data", "clock", "sensing", "common"],
)
@pytest.mark.parametrize("at", [3, 6, 9])
def test_running_status_stays_in_force(tmp_path: Path, between: bytes, at: int) -> None:
    """Whatever stands between notes, the data bytes behind it belong to the status before it."""
    whole = note_rows(read_midi_bytes(tmp_path, midi(THREE + END_OF_TRACK)))
    at += 1
    assert note_rows(read_midi_bytes(tmp_path, midi(THREE[:at] + between + THREE[at:] + END_OF_TRACK))) == whole


@pytest.mark.parametrize(
    "message",
    [(0xA0, 60, 200), (0xB0, 7, 128), (0xB0, 200, 1), (0xC0, 128), (0xD0, 255), (0xE0, 0, 200), (0xE0, 200, 0)],
)
def test_byte_above_127_spoils_one_event(tmp_path: Path, message: tuple[int, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        notes = read_midi_bytes(tmp_path, midi(event(0, *message) + SCALE))
    assert note_rows(notes) == note_rows(read_midi_bytes(tmp_path, midi(SCALE)))


def test_cut_files_keep_what_was_read(tmp_path: Path) -> None:
    whole = midi(SCALE)
    for size in range(30, len(whole) - 3):
        notes = read_warned(
            tmp_path, whole[:size], f"it is cut off: {(size - 26 + 4) // 9 + (size >= 26)} notes|cut off"
        )
        assert notes.pitch.tolist() == list(range(60, 60 + len(notes)))
    with pytest.raises(UnreadableInput, match="cut off before its first note"):
        read_midi_bytes(tmp_path, whole[:24])


def test_notes_without_end_are_closed(tmp_path: Path) -> None:
    """By a note-off of another track, else at the end of their own."""
    began = event(0, 0x90, 60, 64) + event(0, 0x90, 62, 64) + event(480, 0x90, 64, 64) + event(480, 0x80, 64, 0)
    data = midi(began + END_OF_TRACK, event(240, 0x80, 60, 0) + END_OF_TRACK)
    notes = read_warned(tmp_path, data, "closed where .* their track ends: 1")
    assert notes.offset_s.tolist() == [0.25, 1.0, 1.0]


def test_note_without_end_lasts_until_its_key_sounds_again(tmp_path: Path) -> None:
    began = b"".join(event(0 if step == 0 else 480, 0x90, 60 + step % 2, 64) for step in range(5))
    notes = read_warned(tmp_path, midi(began + event(480, 0xFF, 0x2F, 0)), "without an end, closed .*: 5")
    assert notes.offset_s.tolist() == [1.0, 1.5, 2.0, 2.5, 2.5]


def test_second_file_behind_is_left_out(tmp_path: Path) -> None:
    notes = read_warned(tmp_path, midi(SCALE) + midi(OTHER), "another MIDI file follows in it and is left out")
    assert note_rows(notes) == note_rows(read_midi_bytes(tmp_path, midi(SCALE)))


def test_independent_sequences_have_their_own_tempo(tmp_path: Path) -> None:
    data = midi(tempo(0, 250_000) + SCALE, tempo(0, 1_000_000) + SCALE, kind=2)
    notes = read_warned(tmp_path, data, "2 independent sequences")
    assert notes.onset_s.tolist() == pytest.approx([*np.arange(10) * 0.25, *(2.5 + np.arange(10))])
    assert len(read_midi_bytes(tmp_path, midi(SCALE, kind=2))) == 10


def test_stray_notes_do_not_make_a_file_unreadable(tmp_path: Path) -> None:
    far = event(0xFFFFFFF, 0x90, 60, 64) + event(10, 0x80, 60, 0)
    with pytest.warns(InputWarning, match="ends after .* over a day .a stray note"):
        assert len(read_midi_bytes(tmp_path, midi(SCALE[:-4] + far + END_OF_TRACK))) == 11
    with pytest.warns(InputWarning, match="notes after 31 days, left out: 2"):
        assert len(read_midi_bytes(tmp_path, midi(tempo(0, 0xFFFFFF) + SCALE[:-4] + far * 2 + END_OF_TRACK))) == 10
    struck = tempo(0, 0xFFFFFF) + event(0xFFFFFFF, 0x99, 36, 64) + event(1, 0x89, 36, 64) + END_OF_TRACK
    with pytest.warns(InputWarning, match="over a day"):
        notes = read_midi_bytes(tmp_path, midi(SCALE, struck))
    assert (len(notes), len(notes.drums or ())) == (10, 0)
    with pytest.raises(UnreadableInput, match="over a day"):
        read_midi_bytes(tmp_path, midi(far + SCALE))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"MThd", r"not a readable MIDI file \(its header is cut off\)"),
        (b"no MIDI at all", r"not a readable MIDI file \(it has no header MThd\)"),
        (chunk(SCALE), r"it has no header MThd"),
        (midi(count=1), "it holds no notes"),
        (midi(SCALE, division=0), "its header gives 0 ticks per quarter note, so nothing has a time"),
        (midi(SCALE, division=0xE700), "its header gives 0 ticks per frame"),
        (midi(SCALE, division=0x8160), "counts time in 127 frames a second; 24, 25, 29 .29.97. and 30 are known"),
    ],
)
def test_unreadable_files_are_named_with_their_fault(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(UnreadableInput, match=words):
        read_midi_bytes(tmp_path, data)


def test_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    """`python -m benchmarks --only read-fuzz-midi` does the same with 20 000 files."""
    outcome = fuzz(seeds(), 300, seed=1, folder=tmp_path)
    assert outcome.failures == []
    assert outcome.read > 150
    assert outcome.refused.total() > 20
