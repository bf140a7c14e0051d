"""The command line as its users meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from antiphon.cli import app, main
from antiphon.corpora import Corpus
from antiphon.io.notes import Notes
from antiphon.rendering import make_renderer
from helpers import write_scale


def run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def run_json(*words: str):
    return json.loads(run(*words, "--json"))


def test_help_imports_nothing_heavy():
    code = "import sys, antiphon.cli; print([m for m in ('torch', 'faiss', 'scipy', 'matplotlib') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


@pytest.mark.parametrize("command", ["render", "train", "evaluate", "search", "demo", "info", "list", "cache", "index"])
def test_every_command_has_help_with_an_example(command: str):
    words = [command, "build", "--help"] if command == "index" else [command, "--help"]
    assert "Example: antiphon " in run(*words)


def test_version():
    assert run("--version").strip().count(".") == 2


@pytest.mark.parametrize(
    "what", ["arms", "descriptors", "mechanisms", "towers", "losses", "schedules", "models", "presets", "recipes"]
)
def test_lists_are_not_empty(what: str):
    rows = run_json("list", what)
    assert rows
    assert all(row["name"] for row in rows)
    assert rows[0]["name"] in run("list", what)


def test_info_of_a_corpus(demo: Corpus):
    facts = run_json("info", "demo")
    assert facts["recordings"] == len(demo) == facts["with_sound"]
    assert run_json("info", "demo", "--split", "test")["segments"] < facts["segments"]


def test_train_evaluate_index_search_in_one_line_each(demo: Corpus, tmp_path: Path):
    model, library = str(tmp_path / "run" / "model"), str(tmp_path / "library")
    trained = run_json(
        *"train demo --arm A4 --preset tiny --epochs 1 --split test --seed 1 --out".split(), str(tmp_path / "run")
    )
    assert trained["arm"] == "A4"
    assert run_json("info", model)["arm"] == "A4"

    scores = run_json("evaluate", "demo", "--model", model, "--protocol", "strict", "--out", str(tmp_path / "s.json"))
    assert scores["split"] == "test"
    assert 0 <= scores["S"] <= 100
    assert json.loads((tmp_path / "s.json").read_text(encoding="utf-8")) == scores

    folder = tmp_path / "pieces"
    folder.mkdir()
    for recording in demo.recordings[:3]:
        for path in (recording.notes_path, recording.audio_path):
            assert path is not None
            (folder / path.name).symlink_to(path)
    built = run_json("index", "build", str(folder), "--model", model, "--out", library)
    assert (built["embedded"], built["failed"]) == (6, [])
    facts = run_json("info", library)
    assert (facts["kind"], facts["recordings"], facts["notes_recordings"]) == ("index", 6, 3)
    hits = run_json("search", str(demo.recordings[1].notes_path), "--index", library, "--start", "5", "--length", "9")
    keys = {"file", "start_s", "end_s", "query_start_s", "query_end_s", "tempo", "semitones", "score", "confidence"}
    assert hits
    assert all(set(hit) == keys and hit["file"].endswith(".flac") for hit in hits)
    assert [hit["confidence"] for hit in hits] == sorted((hit["confidence"] for hit in hits), reverse=True)

    added = run_json("index", "add", str(write_scale(tmp_path / "more" / "scale.mid", 40).parent), "--index", library)
    assert added["embedded"] == 1
    assert "scale.mid" in run("search", str(tmp_path / "more" / "scale.mid"), "--index", library, "--against", "notes")


def test_template_scores_far_above_chance_on_the_demo(demo: Corpus):
    scores = run_json("evaluate", "demo", "--model", "template", "--protocol", "paper")
    assert scores["split"] == "validation"
    assert scores["S"] > 95 > scores["chance"]["R@10"]
    text = run("evaluate", "demo", "--model", "template", "--split", "test", "--protocol", "strict")
    assert "chance" in text
    assert "audio→notes" in text


def test_demo_finds_the_right_pieces_and_draws_them(demo: Corpus, tmp_path: Path):
    facts = run_json("demo", "--out", str(tmp_path), "--queries", "4")
    assert facts["queries"] == 4
    assert facts["right_piece"] == 100
    assert facts["right_place"] >= 75
    pictures = sorted((tmp_path / "pictures").glob("*.png"))
    assert len(pictures) == 4
    assert all(picture.stat().st_size > 20_000 for picture in pictures)
    assert "right" in run("demo", "--out", str(tmp_path), "--queries", "1")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["evaluate", "nowhere", "--model", "template"], "nowhere: not a corpus"),
        (["evaluate", "demo", "--model", "templat"], "unknown model 'templat'; did you mean 'template'?"),
        (["evaluate", "demo", "--model", "template", "--protocol", "papr"], "did you mean 'paper'"),
        (["evaluate", "demo", "--model", "template", "--split", "tset"], "no recordings in split 'tset'"),
        (["train", "demo", "--arm", "d4a5", "--out", "x"], "did you mean 'd4a4'"),
        (["train", "demo", "--recipe", "defualt", "--out", "x"], "did you mean 'default'"),
        (["search", "q.wav", "--index", "nowhere"], "not an index folder"),
        (["list", "arm"], "did you mean 'arms'"),
        (["render", "demo", "--out", "x", "--soundfont", "nosuchfont"], "no SoundFont 'nosuchfont'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_exit_code_2(
    words: list[str], says: str, demo: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert says in refused(words, monkeypatch, capsys)


def commands(group: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


def refused(words: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command ends with, at exit code 2."""
    monkeypatch.setattr(sys, "argv", ["antiphon", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def required(command: Any, without: str) -> list[str]:
    """Words for everything that a command needs, besides one option."""
    words = []
    for one in command.params:
        if one.required and one.opts[0] != without:
            words += [one.opts[0], "x"] if one.param_type_name == "option" else ["x"]
    return words


def kind_of(command: Any, option: Any) -> Any:
    """The type of an option's value: int, float, ..."""
    annotation = get_type_hints(command.callback.__wrapped__)[option.name]
    return next((one for one in get_args(annotation) if one is not type(None)), annotation)


NUMBERS = [
    (words, command, option)
    for words, command in commands()
    for option in command.params
    if option.name != "help" and kind_of(command, option) in (int, float)
]
OUTPUTS = [
    (words, command, option)
    for words, command in commands()
    for option in command.params
    if option.opts[0] in ("--out", "--write")
]


def name_of(value: Any) -> str:
    return " ".join(value) if isinstance(value, tuple) else getattr(value, "name", "")


@pytest.mark.parametrize(("words", "command", "option"), NUMBERS, ids=name_of)
def test_an_impossible_number_is_named_with_what_is_possible(
    words: tuple[str, ...], command: Any, option: Any, monkeypatch: pytest.MonkeyPatch, capsys
):
    wrong = ("-1", "nan", "inf") if kind_of(command, option) is float else ("-1",)
    for value in (*wrong, str(10**30)) if option.name == "seed" else wrong:
        line = refused([*words, option.opts[0], value, *required(command, option.opts[0])], monkeypatch, capsys)
        assert option.opts[0] in line
        assert value in line


@pytest.mark.parametrize(("words", "command", "option"), OUTPUTS, ids=name_of)
def test_an_output_that_cannot_be_made_is_named_before_any_work(
    words: tuple[str, ...], command: Any, option: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    (tmp_path / "file").write_text("", encoding="utf-8")
    out = tmp_path / "file" / "deep" / "out"
    line = refused([*words, option.opts[0], str(out), *required(command, option.opts[0])], monkeypatch, capsys)
    assert f"{out} cannot be made: {tmp_path / 'file'} is not a folder" in line


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "secret"))

    monkeypatch.setattr("antiphon.corpora.open_corpus", refuse)
    words = ["render", "demo", "--out", str(tmp_path / "out")]
    assert f"{tmp_path / 'secret'}: Permission denied" in refused(words, monkeypatch, capsys)


def test_options_of_outputs_and_numbers_are_found():
    assert {" ".join(words) for words, *_ in OUTPUTS} == {
        "align", "check", "demo", "index build", "index list", "pair", "setlist", "train", "evaluate", "campaign",
        "analyze", "render",
    }  # fmt: skip
    assert len(NUMBERS) > 20


def test_a_folder_that_may_not_be_written_to_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    line = refused(["render", "demo", "--out", str(tmp_path / "out")], monkeypatch, capsys)
    assert f"{tmp_path / 'out'} cannot be made: writing to {tmp_path} is not permitted" in line


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    words = ["evaluate", "demo", "--model", "template", "--out", str(tmp_path)]
    assert f"{tmp_path} is a folder; a file is expected" in refused(words, monkeypatch, capsys)


@pytest.mark.parametrize("rate_hz", [8000, 96_000])
def test_the_additive_piano_takes_the_sample_rates_that_render_takes(rate_hz: int):
    notes = Notes.of([0.0, 0.1], [0.2, 0.2], [21, 108], [90, 90])
    assert len(make_renderer("additive", rate_hz).render(notes, 0.5)) == rate_hz // 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--sample-rate", "4000", "--soundfont", "additive"], "4000 is out of range; it takes 8000 to 96000"),
        (["--max-seconds", "-5"], "-5 is out of range; it takes a finite number above 0"),
        (["--max-seconds", "0"], "0 is out of range; it takes a finite number above 0"),
    ],
)
def test_render_refuses_what_it_cannot_render(words: list[str], says: str, tmp_path: Path, monkeypatch, capsys):
    assert says in refused(["render", "demo", "--out", str(tmp_path / "out"), *words], monkeypatch, capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words", [["train", "demo"], ["train", "--resume", "x", "--arm", "D0"], ["train", "--resume", "x", "--seed", "42"]]
)
def test_train_says_what_it_needs(words: list[str]):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "--resume" in result.output
