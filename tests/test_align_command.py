"""`antiphon align` with an alignment made by hand: what it prints, writes, and refuses."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import antiphon
from alignment_cases import Passage, played, write_score
from antiphon.alignment.alignment_table import Alignment
from antiphon.cli import app
from antiphon.errors import AntiphonError
from antiphon.io.note_files import read_notes


@pytest.fixture
def alignment(tmp_path: Path) -> Alignment:
    score = write_score(tmp_path / "sonata.mid")
    return played(
        read_notes(score),
        score,
        [Passage(4.0, 20.0, 3.0, 1.1), Passage(24.0, 99, 76.4)],
        missing=lambda n: n % 13 == 4,
        unsure=lambda n: n % 11 == 3,
        extra=[(80.0, 99)],
        recording=str(tmp_path / "take.flac"),
        lost=((61.6, 75.2), (80.0, 80.4)),
    )


@pytest.fixture
def calls(alignment: Alignment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []

    def align(recording: Path, notes: Path, **options: Any) -> Alignment:
        made.append({"recording": recording, "notes": notes, **options})
        return alignment

    monkeypatch.setattr(antiphon, "align", align)
    monkeypatch.chdir(tmp_path)
    return made


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["align", "take.flac", "sonata.mid", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_text_says_how_sure_how_many_and_where(alignment: Alignment, calls: list[dict[str, Any]]) -> None:
    states = [alignment.state.tolist().count(state) for state in ("played", "missing", "unsure", "extra")]
    assert all(states)
    assert run() == (
        "confidence 0.99, of the path 0.90\n"
        "0:03–1:24 of take.flac begins at 0:04 and ends at 0:32 of sonata.mid\n"
        "notes: {} played, {} missing, {} unsure, {} extra\n".format(*states)
        + "path lost: 1:02–1:15, 1:20–1:20\n"
    )
    assert calls == [{"recording": Path("take.flac"), "notes": Path("sonata.mid"), "transpose": False, "anchors": ()}]


def test_options_reach_the_function(calls: list[dict[str, Any]]) -> None:
    run("--transpose", "--anchors", "labels.txt")
    assert calls[0]["transpose"] is True
    assert calls[0]["anchors"] == Path("labels.txt")


def test_other_music_is_said(alignment: Alignment, calls: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(alignment, confidence=0.2, lost=())
    monkeypatch.setattr(antiphon, "align", lambda *_, **__: other)
    text = run()
    assert text.startswith("confidence 0.20: probably other music, of the path 0.90\n")
    assert text.endswith("path lost: nowhere\n")
    nothing = replace(alignment, path=())
    monkeypatch.setattr(antiphon, "align", lambda *_, **__: nothing)
    assert run() == "no part of sonata.mid was found in take.flac\n"


def test_json_and_csv_are_printed(alignment: Alignment, calls: list[Any]) -> None:
    assert json.loads(run("--json")) == alignment.as_dict()
    rows = list(csv.DictReader(io.StringIO(run("--csv"))))
    assert len(rows) == len(alignment)
    assert [row["state"] for row in rows] == alignment.state.tolist()


@pytest.mark.parametrize(
    ("name", "options", "begins"),
    [
        ("a.csv", [], b"note,pitch,velocity,onset_s"),
        ("a.json", [], b"{"),
        ("deep/é 音.mid", [], b"MThd"),
        ("a.mid", ["--format", "tempo-map"], b"MThd"),
        ("a.match", [], b"info(matchFileVersion,1.0.0)."),
        ("a.TextGrid", [], b'File type = "ooTextFile"'),
        ("a.png", [], b"\x89PNG"),
        ("a.txt", [], b"3.000002\t"),
        ("a.sv.csv", [], b"3.000002,"),
        ("a.bin", ["--format", "csv"], b"note,pitch"),
    ],
)
def test_every_format_is_written(
    name: str, options: list[str], begins: bytes, alignment: Alignment, calls: list[Any], tmp_path: Path
) -> None:
    assert "confidence" in run("--out", name, *options)
    assert (tmp_path / name).read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--out", "a.docx"], "a.docx: no format has this suffix; known are .csv"),
        (["--out", "a.mid", "--format", "tempo"], "unknown alignment format 'tempo'"),
        (["--format", "csv"], "--format csv: it is the format of --out, which is missing"),
        (["--json", "--csv"], "--json and --csv are two forms of one table"),
        (["--out", "sonata.mid"], "this is an input"),
        (["--anchors", "labels.txt", "--out", "labels.txt"], "this is an input"),
    ],
)
def test_wrong_options_are_refused_before_any_work(words: list[str], says: str, calls: list[Any]) -> None:
    Path("labels.txt").write_text("", encoding="utf-8")
    result = CliRunner().invoke(app, ["align", "take.flac", "sonata.mid", *words])
    assert says in f"{result.output}{result.exception}"
    assert isinstance(result.exception, AntiphonError) or result.exit_code == 2
    assert calls == []


def test_a_failure_leaves_no_file(alignment: Alignment, calls: list[Any], tmp_path: Path, monkeypatch: Any) -> None:
    unknown = np.full(len(alignment), np.nan)
    nothing = replace(alignment, recording_s=unknown, state=np.full(len(alignment), "missing"))
    monkeypatch.setattr(antiphon, "align", lambda *_, **__: nothing)
    result = CliRunner().invoke(app, ["align", "take.flac", "sonata.mid", "--out", "new/a.mid"])
    assert "no note of" in str(result.exception)
    assert not (tmp_path / "new").exists()
