"""The cache stays within its limit: the least recently used entries are removed first, entries in use stay."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from antiphon.cli import app
from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError
from antiphon.io.cache import cache_entries, cache_folder, cache_limit_bytes, clear_cache, evict, mark_used
from antiphon.training.sample_cache import open_sample_cache, open_sample_caches

KB = 1000


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three entries of 1 kB of samples, from the least to the most recently used, and a demo."""
    monkeypatch.setenv("ANTIPHON_CACHE", str(tmp_path / "cache"))
    (cache_folder("demo") / "1").mkdir()
    (cache_folder("demo") / "1" / "a.mid").write_bytes(bytes(KB))
    return [entry(name, used_s) for used_s, name in enumerate(("old", "middle", "new"), start=1)]


def entry(name: str, used_s: float) -> Path:
    folder = cache_folder("samples") / name
    folder.mkdir()
    (folder / "samples.int16").write_bytes(bytes(KB))
    for path in (folder / "samples.int16", folder):
        os.utime(path, (used_s, used_s))
    return folder


def left() -> list[str]:
    return [one.path.name for one in cache_entries("samples")]


def test_the_least_recently_used_entries_are_removed_first(three: list[Path]) -> None:
    assert evict("samples", 3 * KB) == []
    assert [one.path for one in evict("samples", 2 * KB)] == three[:1]
    mark_used(three[1])
    assert [(one.path, one.size_bytes) for one in evict("samples", KB)] == [(three[2], KB)]
    assert left() == ["middle"]


def test_entries_in_use_stay(three: list[Path]) -> None:
    assert [one.path for one in evict("samples", 0, keep=three[:1])] == three[1:]
    assert left() == ["old"]


def test_clearing_removes_every_kind(three: list[Path]) -> None:
    assert len(clear_cache().removed) == 4
    assert cache_entries() == []


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "lots"])
def test_an_impossible_limit_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_CACHE_LIMIT_GB", text)
    with pytest.raises(AntiphonError, match=f"ANTIPHON_CACHE_LIMIT_GB is '{text}'; it takes"):
        cache_limit_bytes()


def test_new_samples_replace_the_least_recently_used(
    demo: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTIPHON_CACHE", str(tmp_path))
    first, second, third = (replace(demo, recordings=(one,)) for one in demo.recordings[:3])
    size = round(sum(one.duration_s for one in demo.recordings[:3]) * 8_000 * 2)
    monkeypatch.setenv("ANTIPHON_CACHE_LIMIT_GB", str((size - 1) / 1e9))
    kept = open_sample_cache(first, 8_000, 4.0)
    open_sample_cache(second, 8_000, 4.0)
    open_sample_cache(first, 8_000, 4.0)
    open_sample_cache(third, 8_000, 4.0)
    assert len(left()) == 2
    again = open_sample_cache(first, 8_000, 4.0)
    assert again.files == kept.files
    np.testing.assert_array_equal(again.samples[0], kept.samples[0])


def test_corpora_opened_together_are_both_kept(demo: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_CACHE", str(tmp_path))
    monkeypatch.setenv("ANTIPHON_CACHE_LIMIT_GB", "0")
    both = [replace(demo, recordings=(one,)) for one in demo.recordings[:2]]
    assert all(file.path.exists() for file in open_sample_caches(both, 8_000, 4.0).files)


def test_the_command_shows_limits_and_clears(three: list[Path]) -> None:
    def run(*words: str) -> dict[str, object]:
        result = CliRunner().invoke(app, ["cache", *words, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    assert run()["kinds"] == {"demo": {"entries": 1, "gb": 0.0}, "samples": {"entries": 3, "gb": 0.0}}
    assert run("--limit", "0.000002")["removed"] == 1
    assert left() == ["middle", "new"]
    assert run("--clear")["kinds"] == {}
