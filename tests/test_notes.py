"""Notes read from MIDI files and tables have the right times and order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from antiphon.errors import UnreadableInput
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from helpers import note_rows, scale

TICK_S = 1e-4  # resolution of the files that we write
SUSTAIN = 64


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
    assert note_rows(read_notes(tmp_path / "table.tsv", sustain=True)) == [(0.1, 0.1, 61, 1), (0.5, 0.75, 60, 90)]


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


@pytest.mark.parametrize(("name", "words"), [("gone.mid", "no such file"), ("take.wav", "expected one of .*[.]mid")])
def test_unreadable_note_files_are_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "take.wav").write_bytes(b"RIFF")
    with pytest.raises(UnreadableInput, match=f"{name}: .*{words}"):
        read_notes(tmp_path / name)
