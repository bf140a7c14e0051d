"""Anchors: labels as a person leaves them after a correction in Audacity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignment_cases import Passage, played, write_score
from antiphon.alignment.anchors import read_anchors
from antiphon.errors import InputWarning, UnreadableInput
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes

BARRED = Notes.of(
    np.arange(12) / 2, np.full(12, 0.4), 60 + np.arange(12), np.full(12, 80),
    bar=[1, 1, 1, 1, 2, 2, 1, 1, 1, 1, 2, 2], beat=[1, 1.5, 2, 3, 1, 2, 1, 1.5, 2, 3, 1, 2],
)  # fmt: skip
"""Bars 1 and 2, each played twice by a written repeat; the second time begins at 3 s."""
PLAIN = Notes.of([0.0, 1.0, 1.0, 2.5], [0.5] * 4, [60, 62, 65, 64], [80] * 4)


def labels(path: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    path.write_bytes("".join(line + end for line in lines).encode(encoding))
    return path


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    path = write_score(tmp_path / "score.mid")
    for notes in (read_notes(path), BARRED, PLAIN):
        alignment = played(notes, path, [Passage(0, 99, 1.5, 1.1)])
        alignment.save(tmp_path / "labels.txt")
        found = np.array(read_anchors(tmp_path / "labels.txt", notes))
        assert found[:, 1] == pytest.approx(1.5 + 1.1 * found[:, 0], abs=1e-5)
        wanted = notes.onset_s if notes.beat is None else notes.onset_s[notes.beat % 1 == 0]
        assert np.unique(found[:, 0]) == pytest.approx(np.unique(wanted))


def test_a_repeat_of_the_player_gives_both_times(tmp_path: Path) -> None:
    alignment = played(PLAIN, "none", [Passage(0, 9, 1.0), Passage(1.0, 9, 6.0)])
    alignment.save(tmp_path / "labels.txt")
    found = read_anchors(tmp_path / "labels.txt", PLAIN)
    assert found == [(0.0, 1.0), (1.0, 2.0), (2.5, 3.5), (1.0, 6.0), (2.5, 7.5)]


def test_labels_that_were_deleted_moved_or_added(tmp_path: Path) -> None:
    path = labels(tmp_path / "l.txt", "9.25\t9.25\t2:2/2", "1.125\t1.5\t1:1", "2.0\t2.0\t 1:2 ", "2.5\t2.5\t1:3.0")
    assert read_anchors(path, BARRED) == [(0.0, 1.125), (1.0, 2.0), (1.5, 2.5), (5.5, 9.25)]


def test_without_a_number_a_repeated_bar_follows_the_label_before(tmp_path: Path) -> None:
    path = labels(tmp_path / "l.txt", "1\t1\t1:1", "3\t3\t2:1", "4\t4\t1:1", "5\t5\t1:2", "6\t6\t2:1", "9\t9\t1:1")
    assert [onset for onset, _ in read_anchors(path, BARRED)] == [0.0, 2.0, 3.0, 4.0, 5.0, 0.0]


def test_texts_that_are_none_and_unsure_ones_are_left_out_with_a_warning(tmp_path: Path) -> None:
    path = labels(tmp_path / "l.txt", "1\t1\t1:1", "2\t2\tcough", "3\t3\t77:1", "4\t4\t1:3 ?", "5\t5\t", "6\t6\t2:1/9")
    with pytest.warns(InputWarning) as caught:
        assert read_anchors(path, BARRED) == [(0.0, 1.0)]
    assert [str(one.message).split(": ", 1)[1] for one in caught] == [
        "1 labels end with ? and are not used; remove the ? from those that are right",
        "4 labels name nothing of the notes and are not used: 'cough', '77:1', ''",
    ]


def test_files_as_programs_write_them(tmp_path: Path) -> None:
    lines = ("1.5\t1.5\t1:1", "\\\t100.0\t200.0", "", "2,25\t2,5\t1:2")
    for number, (encoding, end) in enumerate([("utf-8-sig", "\r\n"), ("utf-16", "\n"), ("utf-8", "\r")]):
        path = labels(tmp_path / f"étiquettes {number}.txt", *lines, encoding=encoding, end=end)
        assert read_anchors(path, BARRED) == [(0.0, 1.5), (1.0, 2.25)]


def test_ids_and_seconds(tmp_path: Path) -> None:
    named = Notes.of([0.0, 1.0], [0.5] * 2, [60, 62], [80] * 2, id=["a/2", "n 7"])
    path = labels(tmp_path / "l.txt", "1\t1\ta/2", "2\t2\tn 7", "3\t3\t12.5 s")
    assert read_anchors(path, named) == [(0.0, 1.0), (1.0, 2.0), (12.5, 3.0)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it holds no labels"),
        (b"1.0 2.0 1:1\n", "line 1 is no label"),
        (b"1.0\t1.0\t1:1\n1.0\tx\t1:2\n", "line 2 is no label"),
        (b"nan\tnan\t1:1\n", "line 1: its time is not a finite number"),
        (b"1.0\t1.0\tcough\n", "none of its 1 labels names a bar and beat or a note"),
        (b"RIFF\x00\x00\x01WAVE", "not a label file (it holds the control character"),
        (None, "it cannot be opened"),
    ],
)
def test_files_that_are_no_labels_are_refused_in_one_line(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "l.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableInput) as raised:
        read_anchors(path, BARRED)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused_in_one_line(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes(data)
    with pytest.raises(UnreadableInput):
        read_anchors(path, BARRED)


def test_sides_without_notes_have_labels_of_seconds(tmp_path: Path) -> None:
    alignment = played(PLAIN, "other.flac", [Passage(0, 9, 1.0)])
    columns = {
        name: getattr(alignment, name)[:0]
        for name in (
            "note", "pitch", "velocity", "onset_s", "offset_s", "recording_s", "recording_offset_s", "state",
            "note_confidence",
        )
    }  # fmt: skip
    replace(alignment, **columns, lost=((2.5, 3.2),)).save(tmp_path / "l.txt")
    text = (tmp_path / "l.txt").read_text(encoding="utf-8")
    assert text.splitlines() == ["1.000000\t1.000000\t0 s", "2.000000\t2.000000\t1 s", "3.000000\t3.000000\t2 s ?"]
