"""Atomic writes, and text files that do not depend on the locale."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from antiphon.io.files import UNFINISHED, atomic_file, atomic_folder, remove_abandoned, write_json, write_text_atomic

ROOT = Path(__file__).parents[1]


def age(path: Path) -> None:
    """Make a file as old as an abandoned one."""
    os.utime(path, (path.stat().st_mtime - 7200,) * 2)


class TestAtomicFile:
    def test_two_writers_of_one_name_do_not_disturb_each_other(self, tmp_path: Path):
        path = tmp_path / "value"
        with atomic_file(path) as first:
            first.write_text("first", encoding="utf-8")
            with atomic_file(path) as second:
                assert second != first
                second.write_text("second", encoding="utf-8")
            assert path.read_text(encoding="utf-8") == "second"
        assert path.read_text(encoding="utf-8") == "first"
        assert os.listdir(tmp_path) == ["value"]

    def test_a_failure_leaves_the_old_content_and_nothing_else(self, tmp_path: Path):
        path = tmp_path / "value"
        write_text_atomic(path, "old")
        with pytest.raises(KeyboardInterrupt), atomic_file(path) as temporary:  # noqa: PT012
            temporary.write_text("ne", encoding="utf-8")
            raise KeyboardInterrupt
        assert path.read_text(encoding="utf-8") == "old"
        assert os.listdir(tmp_path) == ["value"]

    def test_content_is_flushed_before_the_rename(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        path, synced = tmp_path / "value", []
        fsync = os.fsync

        def spy(descriptor: int) -> None:
            synced.append((os.fstat(descriptor).st_ino, path.exists()))
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", spy)
        write_text_atomic(path, "new")
        assert synced == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]

    def test_removes_abandoned_temporaries_and_keeps_recent_ones(self, tmp_path: Path):
        dead, living, other = (tmp_path / f"{name}{UNFINISHED}" for name in ("a.0", "a.1", "b.0"))
        for path in (dead, living, other):
            path.touch()
        age(dead)
        age(other)
        write_text_atomic(tmp_path / "a", "new")
        assert not dead.exists()
        assert living.exists()
        assert other.exists()
        remove_abandoned(tmp_path, "b")
        assert not other.exists()

    def test_accepts_the_longest_possible_file_name(self, tmp_path: Path):
        path = tmp_path / ("é" * 127)
        write_text_atomic(path, "x")
        assert path.read_text(encoding="utf-8") == "x"

    def test_text_is_utf8_in_every_locale(self, tmp_path: Path):
        program = "import sys; from pathlib import Path; from antiphon.io.files import write_text_atomic as write; "
        program += r"write(Path(sys.argv[1]), 'sound \u2192 notes, \udcff\r\n')"
        environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        subprocess.run([sys.executable, "-c", program, str(tmp_path / "card")], env=environment, check=True)
        assert (tmp_path / "card").read_bytes() == "sound → notes, \\udcff\r\n".encode()

    def test_json_is_written_atomically(self, tmp_path: Path):
        write_json(tmp_path / "a.json", {"a": "→"})
        assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"a": "→"}
        with pytest.raises(TypeError):
            write_json(tmp_path / "a.json", object())
        assert os.listdir(tmp_path) == ["a.json"]


class TestAtomicFolder:
    def test_replaces_the_old_one_as_a_whole(self, tmp_path: Path):
        path = tmp_path / "folder"
        for name in ("old", "new"):
            with atomic_folder(path) as temporary:
                (temporary / name).touch()
                assert not (path / name).exists()
        assert os.listdir(path) == ["new"]
        assert os.listdir(tmp_path) == ["folder"]

    def test_keeps_the_old_one_with_replace_false(self, tmp_path: Path):
        path = tmp_path / "folder"
        for name in ("old", "new"):
            with atomic_folder(path, replace=False) as temporary:
                (temporary / name).touch()
        assert os.listdir(path) == ["old"]
        assert os.listdir(tmp_path) == ["folder"]

    def test_a_failure_leaves_the_old_one_and_nothing_else(self, tmp_path: Path):
        path = tmp_path / "folder"
        path.mkdir()
        (path / "old").touch()
        with pytest.raises(KeyboardInterrupt), atomic_folder(path) as temporary:  # noqa: PT012
            (temporary / "new").touch()
            raise KeyboardInterrupt
        assert os.listdir(path) == ["old"]
        assert os.listdir(tmp_path) == ["folder"]

    def test_a_failed_rename_restores_the_old_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        path = tmp_path / "folder"
        path.mkdir()
        (path / "old").touch()
        replace, calls = os.replace, []

        def fails_at_third(source: Path, target: Path) -> None:
            calls.append(source)
            if len(calls) == 3:
                raise PermissionError
            replace(source, target)

        monkeypatch.setattr(os, "replace", fails_at_third)
        with pytest.raises(PermissionError), atomic_folder(path) as temporary:
            (temporary / "new").touch()
        assert os.listdir(path) == ["old"]
        assert os.listdir(tmp_path) == ["folder"]

    def test_many_writers_leave_one_whole_folder(self, tmp_path: Path):
        path = tmp_path / "folder"

        def write(number: int) -> None:
            for _ in range(20):
                with atomic_folder(path) as temporary:
                    for name in ("a", "b"):
                        (temporary / name).write_text(str(number), encoding="utf-8")

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({(path / name).read_text(encoding="utf-8") for name in ("a", "b")}) == 1
        assert os.listdir(tmp_path) == ["folder"]

    def test_a_link_to_a_folder_stays_a_link(self, tmp_path: Path):
        (tmp_path / "real").mkdir()
        (tmp_path / "real" / "old").touch()
        (tmp_path / "link").symlink_to("real")
        with atomic_folder(tmp_path / "link") as temporary:
            (temporary / "new").touch()
        assert (tmp_path / "link").is_symlink()
        assert os.listdir(tmp_path / "real") == ["new"]


def test_no_text_file_is_opened_in_the_encoding_of_the_locale():
    """Ruff's rule covers only expressions that it recognises as paths."""
    files = [path for folder in ("src", "tests", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 100
    assert [f"{path.relative_to(ROOT)}:{line}" for path in files for line in lines_without_encoding(path)] == []


def test_calls_without_an_encoding_are_found(tmp_path: Path):
    lines = ["p.read_text()", "p.write_text(x, encoding=e)", "p.open('w')", "open(p)", "p.open('rb')", "av.open(p)"]
    (tmp_path / "a.py").write_text("\n".join([*lines, "p.open(newline='')", "os.fdopen(3)"]), encoding="utf-8")
    assert lines_without_encoding(tmp_path / "a.py") == [1, 3, 4, 7, 8]


def lines_without_encoding(path: Path) -> list[int]:
    """Calls that read or write text without an encoding: `read_text`, `write_text`, and a text-mode `open`."""
    found = []
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call) or any(keyword.arg == "encoding" for keyword in call.keywords):
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        arguments = (*call.args, *(keyword.value for keyword in call.keywords))
        values = [one.value for one in arguments if isinstance(one, ast.Constant)]
        modes = [one for one in values if isinstance(one, str) and one and set(one) <= set("rwxabt+")]
        if name == "open" and isinstance(call.func, ast.Attribute):  # objects other than paths have this method too
            opens = bool(modes) or any(keyword.arg == "newline" for keyword in call.keywords)
            opens = opens and ast.unparse(call.func.value) != "av"
        else:
            opens = name in ("open", "fdopen")
        if name in ("read_text", "write_text") or (opens and not any("b" in mode for mode in modes)):
            found.append(call.lineno)
    return sorted(found)
