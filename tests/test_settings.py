"""Defaults of options: the command line goes before the environment, and that before the files of settings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import antiphon
from antiphon.cli import app, main
from antiphon.cli.settings import IN_WORKING_FOLDER, read_settings, settings_files
from antiphon.errors import UnreadableInput


@pytest.fixture
def user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file of settings, which does not exist yet; the working folder is empty."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr("typer.get_app_dir", lambda name: str(tmp_path / "home" / name))
    monkeypatch.delenv("ANTIPHON_INDEX", raising=False)
    path = settings_files()[0]
    assert path == tmp_path / "home" / "antiphon" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


def opened(monkeypatch: pytest.MonkeyPatch, *words: str) -> dict[str, Any]:
    """The index that `antiphon search` opens and the options of its search."""
    found: dict[str, Any] = {}

    class OpenedIndex:
        def __enter__(self) -> OpenedIndex:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def search(self, query: Path, **how: Any) -> list[antiphon.Match]:
            found.update(how)
            return []

        def hints(self, query: Path, **how: Any) -> list[antiphon.Hint]:
            return []

        def missing_hints(self, searched: str) -> list[antiphon.Hint]:
            return []

        def modality_to_search(self, query: Path) -> str:
            return "notes"

    def open_index(path: Path) -> OpenedIndex:
        found["index"] = str(path)
        return OpenedIndex()

    monkeypatch.setattr(antiphon.Index, "open", open_index)
    result = CliRunner().invoke(app, ["search", "take.wav", "--json", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return found


def test_the_nearest_source_of_a_value_is_taken(user_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user_file.write_text(
        '[search]\nindex = "/library/user"\ntop = 3\nby-work = true\nstart = "1:05"\n', encoding="utf-8"
    )
    found = opened(monkeypatch)
    assert [found[name] for name in ("index", "top", "by_work", "start_s")] == ["/library/user", 3, True, 65.0]
    Path(IN_WORKING_FOLDER).write_text('[search]\nindex = "/library/here"\nstart = 7\n', encoding="utf-8")
    found = opened(monkeypatch)
    assert [found[name] for name in ("index", "top", "start_s")] == ["/library/here", 3, 7.0]
    monkeypatch.setenv("ANTIPHON_INDEX", "/library/environment")
    assert opened(monkeypatch)["index"] == "/library/environment"
    found = opened(monkeypatch, "--index", "/library/word", "--top", "5")
    assert (found["index"], found["top"]) == ("/library/word", 5)


def test_paths_are_those_from_the_file(user_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    user_file.write_text('[search]\nindex = "library"\nfolder = "~/scores"\n', encoding="utf-8")
    found = opened(monkeypatch)
    assert found["index"] == str(user_file.parent / "library")
    assert found["folder"] == Path("/home/me/scores")


def test_the_example_of_the_documentation_is_right(user_file: Path) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```$", page, re.M | re.S)
    user_file.write_text(example, encoding="utf-8")
    settings = read_settings(typer.main.get_command(app))
    assert settings["index"]["build"] == {"model": "template", "follow_links": True}
    assert settings["search"]["top"] == 5


@pytest.mark.parametrize(
    ("typed", "offered"), [("sea", ["search"]), ("search --transp", ["--transpose"]), ("index bu", ["build"])]
)
def test_a_shell_completes_commands_and_options(typed: str, offered: list[str]) -> None:
    words = f"antiphon {typed}"
    variables = {"_ANTIPHON_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(typed.split()))}
    command = [sys.executable, "-c", "import sys; sys.argv[0] = 'antiphon'; from antiphon.cli import main; main()"]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True)
    assert done.stdout.split() == offered, done.stderr


def test_settings_of_a_command_of_a_group(user_file: Path, tmp_path: Path) -> None:
    (tmp_path / "work" / "scores").mkdir()
    user_file.write_text('[index.build]\nout = "nowhere/index"\nmodel = "templat"\n', encoding="utf-8")
    result = CliRunner().invoke(app, ["index", "build", "scores"])
    assert isinstance(result.exception, antiphon.AntiphonError)
    assert "unknown model 'templat'; did you mean 'template'?" in str(result.exception)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[search]\nindx = "x"', "unknown option in [search] 'indx'; did you mean 'index'? (known: index, start, "),
        ("[serch]\ntop = 3", "unknown command in [serch] 'serch'; did you mean 'search' or 'serve'?"),
        ("[index.biuld]\nout = 'x'", "unknown command in [index.biuld] 'biuld'; did you mean 'build'?"),
        ("search = 5", "search is not a table; the options of a command follow [search]"),
        ("[search.top]\nmost = 5", "top in [search] is a table; a value is expected"),
        ("[search]\ntop 5", "not TOML (Expected '=' after a key"),
    ],
)
def test_an_error_in_a_file_is_named(user_file: Path, text: str, says: str) -> None:
    user_file.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["search", "take.wav", "--index", "library"])
    assert isinstance(result.exception, UnreadableInput)
    assert str(result.exception).startswith(f"{user_file}: {says}")


@pytest.mark.parametrize(
    ("value", "says"),
    [("-2", "-2 is out of range; it takes 1 or more."), ('"many"', "integer")],
)
def test_a_wrong_value_names_its_file(
    user_file: Path, value: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    user_file.write_text(f"[search]\ntop = {value}\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["antiphon", "search", "take.wav", "--index", "library"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("antiphon: Invalid value for '--top': ")
    assert says in line
    assert line.endswith(f"(set in {user_file})")


def test_the_demo_is_served_whatever_the_default_index_is(user_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[Path | None, bool]] = []
    monkeypatch.setattr(antiphon, "serve", lambda index, *, demo, **_: served.append((index, demo)))
    monkeypatch.setenv("ANTIPHON_INDEX", "library")
    for words in (["--demo"], [], ["--index", "other"]):
        assert CliRunner().invoke(app, ["serve", *words], catch_exceptions=False).exit_code == 0
    assert served == [(None, True), (Path("library"), False), (Path("other"), False)]
    assert CliRunner().invoke(app, ["serve", "--demo", "--index", "other"]).exit_code == 2


def test_every_command_with_an_index_to_open_takes_it_from_the_environment(user_file: Path) -> None:
    for words in (["search", "take.wav"], ["index", "add", "scores"]):
        result = CliRunner().invoke(app, words, env={"ANTIPHON_INDEX": "no library"})
        assert "no library: not an index folder" in str(result.exception), json.dumps(words)
