"""`antiphon serve` as a separate process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from antiphon.cli import app
from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError
from antiphon.index.store import Store
from antiphon.models.loading import load_model
from antiphon.serving import run
from antiphon.serving.snapshot import open_snapshot
from waiting import LIMIT_S


@contextmanager
def running(*words: str) -> Iterator[str]:
    """The URL of a server that is interrupted afterwards and must exit cleanly."""
    command = [sys.executable, "-m", "antiphon", "serve", *words, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            assert "http://" in line, line
            yield line.split()[-1]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(LIMIT_S)
    assert process.returncode in (0, -signal.SIGINT)


def test_it_prints_its_url_and_leaves_no_files(served_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running("--index", str(served_index), "--max-upload-mb", "3") as url:
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url + "api/health", timeout=LIMIT_S) as answer:
            facts = json.load(answer)
        assert (facts["index"], facts["limits"]["upload_bytes"]) == ({"audio": 3, "notes": 3}, 3 << 20)
        assert list(tmp_path.iterdir())
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("antiphon-")]


@pytest.mark.parametrize("words", [[], ["--demo", "--index", "x"], ["--index", "x", "--port", "70000"]])
def test_it_requires_an_index_or_demo(words: list[str]):
    result = CliRunner().invoke(app, ["serve", *words])
    assert result.exit_code == 2
    assert "--" in result.output


def test_errors_name_the_option(served_index: Path, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(AntiphonError, match="--port"):
            CliRunner().invoke(app, ["serve", "--index", str(served_index), "--port", port], catch_exceptions=False)
    with pytest.raises(AntiphonError, match="not an index folder"):
        CliRunner().invoke(app, ["serve", "--index", str(tmp_path), "--port", "0"], catch_exceptions=False)
    with pytest.raises(AntiphonError, match="--token"):
        CliRunner().invoke(app, ["serve", "--index", str(tmp_path), "--host", "0.0.0.0"], catch_exceptions=False)
    with pytest.raises(AntiphonError, match="no such address"):
        CliRunner().invoke(
            app,
            ["serve", "--index", str(tmp_path), "--host", "no.such.invalid", "--token", "x"],
            catch_exceptions=False,
        )


def test_an_index_of_another_model_is_refused(served_index: Path):
    with pytest.raises(AntiphonError, match="model_hash"):
        open_snapshot(served_index, load_model("default"))


def test_the_demo_index_has_both_modalities_and_is_built_once(
    short_demo: Corpus, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    opened: list[str] = []
    monkeypatch.setattr(run, "load_model", lambda _: load_model("template"))
    monkeypatch.setattr(run, "open_corpus", lambda spec: opened.append(spec) or short_demo)
    index = run.demo_index()
    assert index.is_relative_to(cache)
    count = len(short_demo)
    with Store(index) as store:
        assert {kind: found for kind, (found, _, _) in store.counts().items()} == {"audio": count, "notes": count}
        assert {about.composer for about in store.about().values()} - {""}
        assert store.count_works() == len({one.work for one in short_demo.recordings})
    changed = os.stat(index / "index.sqlite").st_mtime_ns
    assert run.demo_index() == index
    assert os.stat(index / "index.sqlite").st_mtime_ns == changed
    assert set(opened) == {"demo"}
