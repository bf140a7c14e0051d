"""The command line as its users meet it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from antiphon.cli import app, main
from antiphon.corpora import Corpus
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
    assert json.loads((tmp_path / "s.json").read_text()) == scores

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
        (["evaluate", "demo", "--model", "templat"], "no such model"),
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
    monkeypatch.setattr(sys, "argv", ["antiphon", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert says in lines[0]


@pytest.mark.parametrize(
    "words", [["train", "demo"], ["train", "--resume", "x", "--arm", "D0"], ["train", "--resume", "x", "--seed", "42"]]
)
def test_train_says_what_it_needs(words: list[str]):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "--resume" in result.output
