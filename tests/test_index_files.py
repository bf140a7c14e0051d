"""A library whose files move: they are recognised, listed, named when they are gone, moved and removed in the index."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import antiphon
from antiphon.cli import app
from antiphon.corpora import Corpus
from antiphon.index import build, presence, upkeep
from antiphon.index.library import Index
from antiphon.index.metadata import FileMetadata
from antiphon.index.presence import explain_missing, found_again
from antiphon.index.store import FileState, Rename, Store
from antiphon.index.upkeep import MoveReport, PruneReport, list_files
from antiphon.wording import shown_path
from conftest import index_of_three
from library import bring_up_to_date, in_database, in_library
from serving import as_wav, recordings, search, served


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def names(paths: Any) -> list[str]:
    return [Path(path).name for path in paths]


class TestRenames:
    def test_files_whose_numbers_shift_by_one_are_not_embedded_again(self, folder: Path, out: Path):
        bring_up_to_date(folder, out, only="notes")
        before = in_database(out)
        with Store(out) as store:
            store.describe(
                {str(folder / "a.mid"): FileMetadata(work="first"), str(folder / "b.mid"): FileMetadata(work="second")}
            )
        (folder / "deeper" / "c.mid").rename(folder / "d.mid")
        (folder / "b.mid").rename(folder / "deeper" / "c.mid")
        (folder / "a.mid").rename(folder / "b.mid")
        report, embedded = bring_up_to_date(folder, out, only="notes")
        assert (embedded, report.renamed, report.copied, report.removed, report.unchanged) == (0, 3, 0, 0, 0)
        now = {"b.mid": before["a.mid"], "c.mid": before["b.mid"], "d.mid": before["c.mid"]}
        assert in_database(out) == now == in_library(out, "notes")
        with Store(out) as store:
            works = {Path(path).name: about.work for path, about in store.about().items()}
        assert works == {"b.mid": "first", "c.mid": "second"}

    def test_files_that_exchange_their_names_are_not_embedded_again(self, folder: Path, out: Path):
        bring_up_to_date(folder, out)
        before = in_database(out)
        for suffix in ("mid", "flac"):
            (folder / f"a.{suffix}").rename(folder / "aside")
            (folder / f"b.{suffix}").rename(folder / f"a.{suffix}")
            (folder / "aside").rename(folder / f"b.{suffix}")
        report, embedded = bring_up_to_date(folder, out)
        assert (embedded, report.renamed, report.unchanged) == (0, 4, 2)
        exchanged = {
            f"{new}.{suffix}": before[f"{old}.{suffix}"] for new, old in ("ab", "ba") for suffix in ("mid", "flac")
        }
        assert in_database(out) == before | exchanged

    def test_a_copy_of_a_file_that_is_there_shares_its_vectors(self, folder: Path, out: Path):
        bring_up_to_date(folder, out, only="notes")
        shutil.copy(folder / "a.mid", folder / "again.mid")
        report, embedded = bring_up_to_date(folder, out, only="notes")
        assert (embedded, report.renamed, report.copied, report.unchanged) == (0, 0, 1, 3)
        rows = in_database(out)
        assert rows["again.mid"] == rows["a.mid"]

    def test_only_files_of_a_size_that_is_missing_are_read_in_advance(
        self, folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch
    ):
        bring_up_to_date(folder, out, only="notes")
        (folder / "a.mid").rename(folder / "z.mid")
        (folder / "other.mid").write_bytes(b"MThd and no more")
        read: list[str] = []
        content_hash = build.content_hash
        monkeypatch.setattr(build, "content_hash", lambda path: read.append(path.name) or content_hash(path))
        report, _ = bring_up_to_date(folder, out, only="notes")
        assert (report.renamed, names(error.path for error in report.failed)) == (1, ["other.mid"])
        assert read == ["z.mid", "other.mid"]

    def test_a_rename_of_what_another_process_has_removed_is_not_made(self, folder: Path, out: Path):
        bring_up_to_date(folder, out, only="notes")
        state = FileState.of(folder / "a.mid")
        with Store(out) as store:
            store.remove([str(folder / "b.mid")])
            renames = [Rename(str(folder / f"{name}.mid"), str(folder / f"{name}2.mid"), state) for name in "ab"]
            assert store.rename(renames) == renames[:1]
            assert names(one.path for one in store.recordings()) == ["a2.mid", "c.mid"]

    def test_the_command_counts_them(self, folder: Path, out: Path):
        assert run("index", "build", folder, "--out", out, "--model", "template").exit_code == 0
        moved = folder.rename(folder.with_name("renamed"))
        done = run("index", "add", moved, "--index", out)
        assert "0 files embedded" in done.stdout
        assert "0 unchanged, 6 renamed, 0 copied, 0 removed, 0 skipped" in done.stdout
        done = run("index", "add", moved, "--index", out, "--json")
        report = json.loads(done.stdout)
        assert (report["embedded"], report["unchanged"], report["renamed"], report["copied"]) == (0, 6, 0, 0)


class TestMove:
    def test_files_that_are_not_there_are_named_and_move_nevertheless(self, folder: Path, out: Path, tmp_path: Path):
        bring_up_to_date(folder, out)
        moved = folder.rename(tmp_path / "moved")
        (moved / "b.mid").unlink()
        done = run("index", "move", folder, moved, "--index", out)
        assert done.exit_code == 0
        assert done.stdout.splitlines()[1:] == [
            f"1 file not there; remove with: antiphon index prune {out}",
            f"  {moved / 'b.mid'}",
        ]
        with Index.open(out) as index:
            assert index.files().missing == [str(moved / "b.mid")]

    def test_files_that_stayed_keep_their_path(self, folder: Path, out: Path, tmp_path: Path):
        bring_up_to_date(folder, out, only="notes")
        (tmp_path / "new").mkdir()
        (folder / "a.mid").rename(tmp_path / "new" / "a.mid")
        with Index.open(out) as index:
            report = index.move(folder, tmp_path / "new")
            assert (report.moved, names(report.stayed), report.missing) == (1, ["b.mid", "c.mid"], ())
            assert index.files().missing == []
            assert names(one.file for one in index.files(folder=tmp_path / "new")) == ["a.mid"]
        assert bring_up_to_date(folder, out, only="notes")[1] == 0

    def test_content_is_compared_where_the_time_differs(
        self, folder: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        bring_up_to_date(folder, out, only="notes")
        moved = folder.rename(tmp_path / "moved")
        os.utime(moved / "a.mid", (1e9, 1e9))
        content = bytearray((moved / "b.mid").read_bytes())
        content[content.index(b"\x90") + 1] += 1
        (moved / "b.mid").write_bytes(content)
        read: list[str] = []
        content_hash = upkeep.content_hash
        monkeypatch.setattr(upkeep, "content_hash", lambda path: read.append(path.name) or content_hash(path))
        with Index.open(out) as index:
            report = index.move(folder, moved)
        assert (report.moved, names(report.changed), report.missing) == (3, ["b.mid"], ())
        assert read == ["a.mid", "b.mid"]
        report_of_build, embedded = bring_up_to_date(moved, out, only="notes")
        assert (embedded, report_of_build.unchanged) == (1, 2)

    def test_a_single_file(self, folder: Path, out: Path):
        bring_up_to_date(folder, out, only="notes")
        (folder / "a.mid").rename(folder / "new name.mid")
        with Index.open(out) as index:
            assert index.move(folder / "a.mid", folder / "new name.mid") == MoveReport(1)
            assert names(one.file for one in index.files()) == ["b.mid", "c.mid", "new name.mid"]
            assert index.files().missing == []

    def test_json(self, folder: Path, out: Path, tmp_path: Path):
        bring_up_to_date(folder, out, only="notes")
        moved = folder.rename(tmp_path / "moved")
        done = run("index", "move", folder, moved, "--index", out, "--json")
        assert json.loads(done.stdout) == {"moved": 3, "missing": [], "changed": [], "stayed": []}


class TestPrune:
    def test_files_that_are_gone_are_removed_and_named(self, folder: Path, out: Path):
        (folder / "bad.mid").write_bytes(b"MThd and no more")
        bring_up_to_date(folder, out)
        shutil.rmtree(folder / "deeper")
        (folder / "bad.mid").unlink()
        gone = ["bad.mid", "deeper/c.flac", "deeper/c.mid"]
        before = in_database(out)
        done = run("index", "prune", out, "--dry-run")
        assert done.stdout.splitlines() == [
            *(f"would be removed: {folder / one}" for one in gone),
            "3 files would be removed",
        ]
        assert in_database(out) == before
        done = run("index", "prune", out)
        assert done.stdout.splitlines() == [*(f"removed: {folder / one}" for one in gone), "3 files removed"]
        assert (done.stderr, done.exit_code) == ("", 0)
        assert sorted(in_database(out)) == ["a.flac", "a.mid", "b.flac", "b.mid"]
        with Store(out) as store:
            assert store.failed() == {}
        again = run("index", "prune", out, "--json")
        assert json.loads(again.stdout) == {"removed": [], "kept": {}, "dry_run": False}

    @pytest.mark.parametrize("mount_point", [True, False])
    def test_files_of_a_drive_that_is_not_mounted_are_kept(
        self, folder: Path, out: Path, tmp_path: Path, mount_point: bool
    ):
        bring_up_to_date(folder, out, only="notes")
        folder.rename(tmp_path / "elsewhere")
        if mount_point:
            folder.mkdir()
        before = in_database(out)
        done = run("index", "prune", out)
        assert done.stdout == "0 files removed\n"
        assert done.stderr.startswith(f"3 files kept: {folder} does not exist or is empty. Is its drive mounted?")
        assert (
            f"antiphon index move {folder} {tmp_path / 'elsewhere'} --index {out}" in done.stderr
        ) is not mount_point
        assert in_database(out) == before
        with Index.open(out) as index:
            assert index.prune(dry_run=True) == PruneReport(kept={str(folder): 3}, dry_run=True)
            assert len(index.prune(whole_folders=True).removed) == 3
            assert len(index) == 0

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="folders cannot be closed to this user")
    def test_files_in_a_closed_folder_are_kept(self, folder: Path, out: Path):
        bring_up_to_date(folder, out, only="notes")
        (folder / "deeper").chmod(0)
        try:
            with Index.open(out) as index:
                assert names(one.file for one in index.files(state="unreachable")) == ["c.mid"]
                assert index.prune().removed == ()
        finally:
            (folder / "deeper").chmod(0o700)


class TestList:
    @pytest.fixture
    def index(self, folder: Path, out: Path) -> Path:
        """Six files, of which two are gone, one of them by a known composer."""
        bring_up_to_date(folder, out)
        with Store(out) as store:
            store.describe({str(folder / "a.mid"): FileMetadata("Josef Suk", "Jaro")})
        (folder / "a.mid").unlink()
        (folder / "b.flac").unlink()
        return out

    def test_kind_length_and_state_of_every_file(self, index: Path, folder: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(folder.parent)
        lines = run("index", "list", index).stdout.splitlines()
        assert [line.split() for line in lines[:-1]] == [
            ["length", "kind", "state", "file"],
            ["0:24", "audio", "present", "music/a.flac"],
            ["0:24", "notes", "gone", "music/a.mid"],
            ["0:24", "audio", "gone", "music/b.flac"],
            ["0:25", "notes", "present", "music/b.mid"],
            ["0:24", "audio", "present", "music/deeper/c.flac"],
            ["0:24", "notes", "present", "music/deeper/c.mid"],
        ]
        assert lines[-1] == "6 files: 3 of audio, 3 of notes, 2 gone"

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (["--state", "gone"], ["a.mid", "b.flac"]),
            (["--state", "gone", "--only", "audio"], ["b.flac"]),
            (["--composer", "suk"], ["a.mid"]),
            (["--folder", "music/deeper"], ["c.flac", "c.mid"]),
        ],
    )
    def test_filters(
        self, index: Path, folder: Path, options: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.chdir(folder.parent)
        found = json.loads(run("index", "list", index, *options, "--json").stdout)
        assert names(one["file"] for one in found) == expected

    def test_tables(self, index: Path, folder: Path, tmp_path: Path):
        found = json.loads(run("index", "list", index, "--state", "gone", "--json").stdout)
        assert {key: found[0][key] for key in ("file", "kind", "state", "composer", "title")} == {
            "file": str(folder / "a.mid"),
            "kind": "notes",
            "state": "gone",
            "composer": "Josef Suk",
            "title": "Jaro",
        }
        assert found[0]["duration_s"] == pytest.approx(24, abs=0.5)
        text = run("index", "list", index, "--csv").stdout
        rows = list(csv.DictReader(io.StringIO(text)))
        assert len(rows) == 6
        assert {key: str(value) for key, value in found[0].items()}.items() <= rows[1].items()
        done = run("index", "list", index, "--out", tmp_path / "files.csv")
        assert (tmp_path / "files.csv").read_text(encoding="utf-8") == text
        assert done.stdout.startswith("6 files: 3 of audio, 3 of notes, 2 gone; table in ")
        assert run("index", "list", index, "--csv", "--json").exit_code == 2

    def test_another_word_is_refused(self, index: Path):
        with Index.open(index) as opened, pytest.raises(antiphon.UnknownName, match="unknown state 'lost'"):
            opened.files(state="lost")  # type: ignore[arg-type]

    def test_the_index_may_be_named_by_the_environment(self, index: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("ANTIPHON_INDEX", str(index))
        assert run("index", "list").stdout.splitlines()[-1] == "6 files: 3 of audio, 3 of notes, 2 gone"
        monkeypatch.delenv("ANTIPHON_INDEX")
        assert run("index", "list").exit_code == 2


class TestInfo:
    def test_lines_are_short_and_name_what_is_gone(self, folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch):
        (folder / "bad.mid").write_bytes(b"MThd and no more")
        bring_up_to_date(folder, out)
        (folder / "a.mid").unlink()
        monkeypatch.chdir(folder.parent)
        lines = run("info", "index").stdout.splitlines()
        facts = dict(line.split(maxsplit=1) for line in lines if not line.startswith((" ", "search", "hint")))
        assert facts["files"] == "6: 3 of audio, 3 of notes"
        assert facts["hours"] == "0.04: 0.02 of audio, 0.02 of notes"
        assert (facts["model"], facts["folder"], facts["gone"], facts["skipped"]) == ("template", "music", "1", "1")
        assert facts["index"].startswith("index, ")
        assert lines[lines.index("gone             1") + 1] == "  music/a.mid"
        assert lines[-2].startswith("  music/bad.mid: it holds no notes")
        assert lines[-1].startswith("hint: 1 of 6 files of the library are gone, the first ")
        assert max(len(line) for line in lines[:10]) < 60

    def test_files_are_listed_on_request(self, folder: Path, out: Path):
        bring_up_to_date(folder, out, only="notes")
        assert "a.mid" not in run("info", out).stdout
        assert "present      " + str(folder / "a.mid") in run("info", out, "--files").stdout
        facts = json.loads(run("info", out, "--files", "--json").stdout)
        assert names(one["file"] for one in facts["files"]) == ["a.mid", "b.mid", "c.mid"]
        assert (facts["notes_recordings"], facts["gone"], facts["folders"]) == (3, [], [str(folder)])
        assert facts["bytes"] >= (out / "index.sqlite").stat().st_size
        with pytest.raises(antiphon.AntiphonError, match="template: not an index, whose files could be listed"):
            antiphon.describe("template", files=True)


class TestExplanation:
    def test_a_renamed_folder_is_found_near_its_old_place(self, folder: Path):
        files = [str(path) for path in folder.rglob("*.*")]
        parent = folder.parent
        for place in ("renamed", "archive/music", "../music"):
            target = (parent / place).resolve()
            target.parent.mkdir(exist_ok=True)
            folder.rename(target)
            assert found_again(folder, files) == target
            target.rename(folder)
        folder.rename(parent / "elsewhere")
        (parent / "elsewhere" / "a.mid").unlink()
        assert found_again(folder, files) is None

    def test_what_cannot_be_reached_is_not_said_to_be_gone(self, monkeypatch: pytest.MonkeyPatch):
        def closed(path: str) -> None:
            raise PermissionError(13, "Permission denied", path)

        monkeypatch.setattr(presence.os, "stat", closed)
        assert presence.presence("/closed/a.mid") == "unreachable"
        (line,) = explain_missing(["/closed/a.mid"], 3, Path("library"))
        assert line.startswith("1 of 3 files of the library cannot be reached, the first /closed/a.mid: not permitted")

    def test_paths_with_spaces_are_quoted_in_commands(self, tmp_path: Path):
        lost = tmp_path / "my scores" / "a.mid"
        (line,) = explain_missing([str(lost)], 1, Path("my library"))
        assert f"antiphon index move '{lost.parent}' NEW --index 'my library'" in line
        assert line.endswith("where it was deleted: antiphon index prune 'my library' --whole-folders")

    def test_paths_below_the_working_folder_are_short(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(tmp_path)
        assert shown_path(str(tmp_path / "music" / "a.mid")) == "music/a.mid"
        assert shown_path("music/a.mid") == "music/a.mid"
        assert shown_path(str(tmp_path.parent / "a.mid")) == str(tmp_path.parent / "a.mid")


def test_the_server_says_which_matches_have_lost_their_file(short_demo: Corpus, tmp_path: Path):
    index = index_of_three(short_demo, tmp_path)
    sound = short_demo.recordings[7].audio_path
    assert sound is not None
    (tmp_path / "music" / short_demo.recordings[7].notes_path.name).unlink()
    with served(index) as client:
        found = search(client, sound.read_bytes(), "take.flac", start_s=5, length_s=10)
        assert {hit["recording"]["id"]: hit["gone"] for hit in found["hits"]} == {
            one["id"]: one["title"] == short_demo.recordings[7].title for one in recordings(client, "notes")
        }
        assert found["hits"][0]["gone"] is True
        tone = np.sin(2 * np.pi * 440 * np.arange(8 * 24_000) / 24_000, dtype=np.float32)
        unknown = search(client, as_wav(0.3 * tone, 24_000), "tone.wav")
        assert unknown["hints"][-1]["fact"] == "1 of 3 files of the library are gone or cannot be reached"


def test_the_list_of_an_empty_index(folder: Path, out: Path):
    bring_up_to_date(folder, out, only="notes")
    with Store(out) as store:
        store.remove(list(store.known()))
        assert list_files(store).summary == "0 files"
    assert run("info", out).stdout.splitlines()[2] == "files            0"
