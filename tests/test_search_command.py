"""`antiphon search` as its users meet it: several queries, times as m:ss, short paths; and the files of `--out`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from antiphon.cli import app
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.audio import write_flac
from helpers import sine, write_scale


@pytest.fixture
def at_music(served_index: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The three recordings of the index, relative to the working folder."""
    monkeypatch.chdir(served_index.parent)
    monkeypatch.setenv("ANTIPHON_INDEX", str(served_index))
    return sorted(str(path) for path in Path("music").glob("*.flac"))


def search(*words: str) -> Result:
    return CliRunner().invoke(app, ["search", *words, "--length", "0:10", "--top", "1"])


def test_each_of_several_queries_has_its_heading(at_music: list[str]) -> None:
    result = search(*at_music)
    assert result.exit_code == 0, result.output
    blocks = result.stdout.split("\n\n")
    assert [block.splitlines()[0] for block in blocks[:3]] == [f"{name}:" for name in at_music]
    for name, block in zip(at_music, blocks[:3], strict=True):
        assert block.endswith(f" %  {Path(name).with_suffix('.mid')}")
    alone = search(at_music[0])
    assert "flac" not in alone.stdout
    assert alone.stdout.splitlines() == blocks[0].splitlines()[1:]


def test_json_of_one_query_is_its_matches_and_of_several_an_object_for_each(at_music: list[str]) -> None:
    one, all_of_them = (json.loads(search(*names, "--json").stdout) for names in (at_music[:1], at_music))
    assert [Path(match["file"]).name for match in one] == [Path(at_music[0]).with_suffix(".mid").name]
    assert [answer["query"] for answer in all_of_them] == at_music
    assert all_of_them[0]["matches"] == one
    assert all(len(answer["matches"]) == 1 for answer in all_of_them)


def test_a_query_that_cannot_be_used_is_skipped_where_there_are_others(at_music: list[str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.flac"
    broken.write_bytes(b"fLaC")
    result = search(str(broken), at_music[0], "--json")
    assert result.exit_code == 0, result.output
    first, second = json.loads(result.stdout)
    assert set(first) == {"query", "skipped"}
    assert set(second) == {"query", "matches"}
    assert f"skipped: {broken}: {first['skipped']}" in result.stderr
    assert search(str(broken), str(tmp_path / "missing.flac")).exit_code == 2
    assert isinstance(search(str(broken)).exception, UnreadableInput)


def test_hints_of_several_queries_name_their_query(at_music: list[str], tmp_path: Path) -> None:
    write_flac(tmp_path / "tone.flac", sine(6.0), 24_000)
    result = search(str(tmp_path / "tone.flac"), at_music[0])
    assert f"{tmp_path / 'tone.flac'}:\nnothing in the library is likely to be this" in result.stdout
    hints = [line for line in result.stderr.splitlines() if line.startswith("hint: ")]
    assert hints
    assert all(line.startswith(f"hint: {tmp_path / 'tone.flac'}: ") for line in hints)


def test_times_are_read_and_printed_as_minutes_and_seconds(at_music: list[str]) -> None:
    result, same = (search(at_music[0], "--start", at) for at in ("0:08", "8"))
    assert result.exit_code == 0, result.output
    assert result.stdout == same.stdout
    header, row = result.stdout.splitlines()
    assert header.split() == ["from", "to", "query", "from", "to", "tempo", "key", "sure", "file"]
    assert row.split()[2] == "0:08"
    wrong = search(at_music[0], "--start", "1:75")
    assert wrong.exit_code == 2
    assert "'--start': '1:75' is no time; it takes seconds, m:ss or h:mm:ss." in wrong.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pair", ".", "."], "a table is written as .csv or .json; another name needs --csv or --json to say which"),
        (["check", "."], "a table is written as .csv or .json; another name needs --csv or --json to say which"),
        (["evaluate", ".", "--model", "template"], "the scores are written as .json"),
        (["align", "a.flac", "a.mid"], ".csv, "),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_file_of_an_unknown_form_is_refused_before_any_work(
    words: Sequence[str], says: str, served_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(served_index.parent / "music")
    result = CliRunner().invoke(app, [*words, "--out", "table.xlsx"])
    assert result.exit_code != 0
    said = str(result.exception) if isinstance(result.exception, AntiphonError) else result.stderr
    assert "table.xlsx" in said
    assert says in said
    assert not Path("table.xlsx").exists()


def test_help_names_arguments_without_types_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    waiting = [((), typer.main.get_command(app))]
    for words, command in waiting:
        text = CliRunner().invoke(app, [*words, "--help"], env=dict(os.environ)).stdout
        assert "Usage" in text
        assert "list[" not in text, words
        waiting += [((*words, name), one) for name, one in getattr(command, "commands", {}).items()]
    assert len(waiting) > 15


def required(command: Any) -> list[str]:
    """Words for everything that a command needs."""
    needed = [one for one in command.params if one.required]
    return [word for one in needed for word in ([one.opts[0], "x"] if one.param_type_name == "option" else ["x"])]


def test_every_option_that_takes_a_time_takes_minutes_and_seconds() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    taken = set()
    for name, command in commands.items():
        for option in command.params:
            if option.metavar == "TIME":
                context = command.make_context(name, [option.opts[0], "1:05.5", *required(command)])
                assert context.params[option.name] == 65.5
                taken.add(f"{name} {option.opts[0]}")
    assert taken >= {"search --start", "search --length", "render --max-seconds", "serve --max-query-s"}


def test_one_file_is_not_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_scale(tmp_path / "notes" / "scale.mid", 40)
    (tmp_path / "notes" / "cut.mid").write_bytes(b"MThd")
    (tmp_path / "notes" / "._scale.mid").write_bytes(b"\x00\x05\x16\x07")  # as macOS leaves it
    result = CliRunner().invoke(
        app, ["index", "build", "notes", "--model", "template", "--out", str(tmp_path / "made")]
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("1 file embedded (")
    assert result.stdout.endswith(" 1 skipped; index in made\n")
    skipped, counted, left_out = result.stderr.splitlines()
    assert skipped == "skipped: notes/cut.mid: not a readable MIDI file (its header is cut off)"
    assert (counted, left_out) == ("1 file skipped", "1 file left out: 1 hidden")
