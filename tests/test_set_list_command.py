"""`antiphon setlist` with a set list made by hand: what it prints, writes, and refuses."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import antiphon
from antiphon import Between, SetList, SetListPiece
from antiphon.cli import app


@pytest.fixture
def found() -> SetList:
    how: dict[str, Any] = {"score": 0.5, "confidence": 0.994, "path_confidence": 0.98}
    first = SetListPiece(
        file="scores/bwv858.mid", start_s=0.5, end_s=60.5, query_start_s=65.4, query_end_s=125.4, tempo=1.0,
        semitones=0, composer="J. S. Bach", title="Prelude; in F", **how,
    )  # fmt: skip
    second = SetListPiece(
        file="scores/encore.mid", start_s=10.0, end_s=70.0, query_start_s=140.0, query_end_s=190.0, tempo=1.2,
        semitones=-2, **how,
    )  # fmt: skip
    gaps = Between("silence", 0.0, 65.4), Between("noise", 125.4, 140.0), Between("other music", 190.0, 3700.0)
    return SetList("tapes/concert.flac", 3700.0, (first, second), gaps)


@pytest.fixture
def calls(found: SetList, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []

    def setlist(recording: Path, index: Path, **options: Any) -> SetList:
        made.append({"recording": recording, "index": index, **options})
        return found

    monkeypatch.setattr(antiphon, "setlist", setlist)
    monkeypatch.chdir(tmp_path)
    return made


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["setlist", "concert.flac", "--index", "library", *words], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.output


def test_the_table_has_a_line_for_each_piece_and_for_what_is_between(calls: list[dict[str, Any]]) -> None:
    assert [line.split() for line in run().splitlines()] == [
        "from to is from to tempo key sure piece".split(),
        "0:00 1:05 (silence)".split(),
        "1:05 2:05 0:01 1:01 1.00 = 99 % J. S. Bach: Prelude; in F".split(),
        "2:05 2:20 (noise)".split(),
        "2:20 3:10 0:10 1:10 1.20 -2 99 % scores/encore.mid".split(),
        "3:10 1:01:40 (music that is not in the library)".split(),
        "2 pieces of the library, 1:50 of 1:01:40".split(),
    ]
    assert calls[0]["recording"] == Path("concert.flac")
    assert calls[0]["index"] == Path("library")


def test_csv_and_json_have_the_fields_of_a_match(calls: list[Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(run("--csv"))))
    assert [row["kind"] for row in rows] == ["silence", "piece", "noise", "piece", "other music"]
    assert (rows[1]["file"], rows[1]["query_start_s"], rows[1]["composer"]) == (
        "scores/bwv858.mid",
        "65.4",
        "J. S. Bach",
    )
    content = json.loads(run("--json"))
    assert content["pieces"][1]["semitones"] == -2
    assert content["between"][1] == {"kind": "noise", "start_s": 125.4, "end_s": 140.0}


def test_a_cue_sheet_has_a_track_for_each_piece(calls: list[Any]) -> None:
    assert run("--cue").splitlines() == [
        'FILE "concert.flac" WAVE',
        "  TRACK 01 AUDIO",
        '    TITLE "Prelude; in F"',
        '    SONGWRITER "J. S. Bach"',
        "    INDEX 01 01:05:30",
        "  TRACK 02 AUDIO",
        '    TITLE "encore"',
        "    INDEX 01 02:20:00",
    ]


def test_chapters_escape_what_ffmpeg_reads_as_syntax(calls: list[Any]) -> None:
    lines = run("--chapters").splitlines()
    assert lines[0] == ";FFMETADATA1"
    assert lines[1:6] == [
        "[CHAPTER]", "TIMEBASE=1/1000", "START=65400", "END=125400", r"title=J. S. Bach: Prelude\; in F",
    ]  # fmt: skip
    assert lines.count("[CHAPTER]") == 2


@pytest.mark.parametrize(
    ("name", "begin"), [("a.cue", "FILE"), ("a.csv", "kind,"), ("a.JSON", "{"), ("a.ffmeta", ";FFMETADATA1")]
)
def test_the_suffix_of_the_file_chooses_the_form(calls: list[Any], name: str, begin: str, tmp_path: Path) -> None:
    assert run("--out", f"new/{name}") == f"2 pieces of the library, 1:50 of 1:01:40; set list in new/{name}\n"
    assert (tmp_path / "new" / name).read_text(encoding="utf-8").startswith(begin)


def test_an_option_chooses_the_form_whatever_the_suffix_is(calls: list[Any], tmp_path: Path) -> None:
    run("--chapters", "--out", "chapters.txt")
    assert (tmp_path / "chapters.txt").read_text(encoding="utf-8").startswith(";FFMETADATA1")


def test_two_forms_an_unknown_suffix_and_the_recording_as_output_are_refused(calls: list[Any], tmp_path: Path) -> None:
    assert "--csv and --cue are forms of one set list; choose one" in run("--csv", "--cue", code=2)
    assert "a.xlsx: no form has this suffix" in run("--out", "a.xlsx", code=2)
    (tmp_path / "concert.flac").write_bytes(b"sound")
    with pytest.raises(antiphon.AntiphonError, match="this is an input"):
        run("--cue", "--out", "concert.flac")
    assert not calls
