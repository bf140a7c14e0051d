"""An index that is moved, upgraded, locked, read-only, or whose files are gone."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from antiphon.cli import app
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.index import database, elsewhere
from antiphon.index.build import build_index
from antiphon.index.database import Database
from antiphon.index.embedding import embed_file
from antiphon.index.library import Index
from antiphon.index.match import Match
from antiphon.index.metadata import FileMetadata
from antiphon.index.roots import common_folders
from antiphon.index.search import SearchOptions, search
from antiphon.index.store import Store, is_index
from antiphon.index.upkeep import MoveReport, list_files, move_files
from antiphon.index.view import Filters
from antiphon.models.template import TemplateEmbedder
from library import bring_up_to_date, in_database

OLDER_TABLES = """
ALTER TABLE recordings RENAME TO new_recordings;
ALTER TABLE failures RENAME TO new_failures;
ALTER TABLE about RENAME TO new_about;
CREATE TABLE recordings (
    id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, content_hash TEXT NOT NULL, duration_s REAL NOT NULL,
    starts_s BLOB NOT NULL, vectors BLOB NOT NULL, onsets BLOB NOT NULL);
CREATE TABLE failures (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE about (
    path TEXT PRIMARY KEY, composer TEXT NOT NULL, title TEXT NOT NULL, split TEXT NOT NULL, work TEXT NOT NULL);
INSERT INTO recordings SELECT r.id, o.path || '/' || r.path, kind, size, mtime_ns, content_hash, duration_s, starts_s,
    vectors, onsets FROM new_recordings r JOIN roots o ON o.id = r.root;
INSERT INTO failures SELECT o.path || '/' || f.path, size, mtime_ns, reason FROM new_failures f
    JOIN roots o ON o.id = f.root;
INSERT INTO about SELECT o.path || '/' || a.path, composer, title, split, work FROM new_about a
    JOIN roots o ON o.id = a.root;
DROP TABLE new_recordings;
DROP TABLE new_failures;
DROP TABLE new_about;
DROP TABLE roots;
UPDATE meta SET value = '3' WHERE key = 'format';
"""


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def hits(index: Path, query: Path, **how: Any) -> list[Match]:
    with Store(index) as store:
        return search(query, store, TemplateEmbedder(), 7.3, 10.0, SearchOptions(**how))


def facts_of(index: Path) -> tuple[Any, ...]:
    with Store(index) as store:
        return store.known(), store.failed(), store.about(), store.recordings(), store.counts(), store.count_works()


class TestOlderFormat:
    @pytest.fixture
    def older(self, folder: Path, out: Path) -> Path:
        """An index of format 3, with a file that failed and one that something is known of."""
        (folder / "bad.mid").write_bytes(b"MThd and no more")
        bring_up_to_date(folder, out)
        with Store(out) as store:
            store.describe({str(folder.resolve() / "a.mid"): FileMetadata("Suk", "", "test", "first")})
        with sqlite3.connect(out / "index.sqlite") as db:
            db.executescript(OLDER_TABLES)
        db.close()
        return out

    def test_is_read_as_it_is_and_then_upgraded_by_the_first_writer(self, older: Path, folder: Path, tmp_path: Path):
        before, found = facts_of(older), hits(older, folder / "a.flac")
        derived = {path.name: path.stat().st_mtime_ns for path in older.glob("notes-*")}
        with sqlite3.connect(older / "index.sqlite") as db:
            assert db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == ("3",)
        db.close()
        assert found[0].work == "first"
        assert len(before[0]) == 6
        with Store(older) as reader, Store(older) as writer:
            assert reader.known() == before[0]
            writer.describe({str(folder.resolve() / "b.mid"): FileMetadata(work="second")})
            assert reader.known() == before[0], "a reader follows the upgrade"
            assert reader.about()[str(folder.resolve() / "b.mid")].work == "second"
            assert writer.roots().folders == {1: folder.resolve()}
        after = facts_of(older)
        assert (after[0], after[1], after[3], after[4]) == (before[0], before[1], before[3], before[4])
        assert hits(older, folder / "a.flac") == [
            hit if Path(hit.file).name != "b.mid" else Match(**{**vars(hit), "work": "second"}) for hit in found
        ]
        assert {path.name: path.stat().st_mtime_ns for path in older.glob("notes-*")} == derived
        report, embedded = bring_up_to_date(folder, older)
        assert (embedded, report.unchanged, [error.path.name for error in report.failed]) == (0, 6, ["bad.mid"])

    def test_an_upgrade_that_fails_leaves_it_as_it_was(
        self, older: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
    ):
        before = facts_of(older)
        monkeypatch.setattr(database, "CREATE", ("CREATE TABLE recordings (again)",))
        with pytest.raises(UnreadableInput, match="already exists"):
            bring_up_to_date(folder, older)
        assert facts_of(older) == before


class TestRelocation:
    def test_a_library_that_has_moved_is_found_again(self, folder: Path, out: Path, tmp_path: Path):
        bring_up_to_date(folder, out, exact_below=16)
        found = hits(out, folder / "a.flac")
        derived = {path.name: path.stat().st_mtime_ns for path in out.glob("*.pq")}
        moved = tmp_path / "other" / "place"
        moved.parent.mkdir()
        folder.rename(moved)
        out.rename(tmp_path / "moved index")
        index = tmp_path / "moved index"
        done = run("index", "move", folder, moved, "--index", index)
        assert (done.exit_code, done.output) == (0, f"6 files moved, now below {moved}\n")
        again = hits(index, moved / "a.flac")
        assert [Path(hit.file).relative_to(moved.resolve()) for hit in again] == [
            Path(hit.file).relative_to(folder.resolve()) for hit in found
        ]
        assert [hit.confidence for hit in again] == [hit.confidence for hit in found]
        report, embedded = bring_up_to_date(moved, index, exact_below=16)
        assert (embedded, report.unchanged, report.removed) == (0, 6, 0)
        assert {path.name: path.stat().st_mtime_ns for path in index.glob("*.pq")} == derived

    def test_a_folder_inside_the_library_can_move_out_of_it(self, folder: Path, out: Path, tmp_path: Path):
        bring_up_to_date(folder, out)
        before = in_database(out)
        shutil.move(folder / "deeper", tmp_path / "deeper")
        with Store(out) as store:
            report = move_files(store, folder / "deeper", tmp_path / "deeper")
            assert report == MoveReport(moved=2)
            assert str((tmp_path / "deeper" / "c.mid").resolve()) in store.known()
            assert len(store.known()) == 6
            assert list_files(store).missing == []
        assert in_database(out) == before
        best = hits(out, tmp_path / "deeper" / "c.flac")[0]
        assert Path(best.file) == (tmp_path / "deeper" / "c.mid").resolve()
        assert bring_up_to_date(tmp_path / "deeper", out)[1] == 0

    def test_what_cannot_be_is_refused(self, folder: Path, out: Path, tmp_path: Path):
        bring_up_to_date(folder, out, only="notes")
        shutil.copytree(folder, folder / "copy")
        bring_up_to_date(folder, out, only="notes")
        before = facts_of(out)
        with Index.open(out) as index:
            for old, new, says in (
                (folder, tmp_path / "nowhere", "no such folder"),
                (tmp_path / "nowhere", tmp_path, r"holds no file below it; its files lie below .*music"),
                (folder / "copy", folder, "holds this file already"),
                (folder, tmp_path, r"none of the 6 files below .*music is there, not .*a\.mid; nothing was changed"),
            ):
                with pytest.raises(AntiphonError, match=says):
                    index.move(old, new)
        assert facts_of(out) == before
        assert run("index", "move", "alone", "--index", out).exit_code == 2

    def test_files_in_the_folder_of_the_index_move_with_it(self, folder: Path, out: Path, tmp_path: Path):
        bring_up_to_date(folder / "a.mid", out)
        shutil.copytree(folder / "deeper", out / "uploads")
        bring_up_to_date(out / "uploads", out)
        out.rename(tmp_path / "moved")
        with Store(tmp_path / "moved") as store:
            assert str((tmp_path / "moved" / "uploads" / "c.mid").resolve()) in store.known()
            assert list_files(store).missing == []

    @pytest.mark.parametrize("place", ["beside", "music/inside"])
    def test_an_index_that_moves_with_its_library_finds_it(self, folder: Path, tmp_path: Path, place: str):
        (tmp_path / "drive").mkdir()
        bring_up_to_date(folder.rename(tmp_path / "drive" / "music"), tmp_path / "drive" / place, only="notes")
        moved = (tmp_path / "drive").rename(tmp_path / "media")
        with Store(moved / place) as store:
            assert {Path(path).parent for path in store.known()} >= {moved / "music"}
            assert list_files(store).missing == []
        report, embedded = bring_up_to_date(moved / "music", moved / place, only="notes")
        assert (embedded, report.unchanged, report.removed) == (0, 3, 0)
        again = moved.rename(tmp_path / "other")
        with Store(again / place, roots={moved / "music": again / "music"}) as store:
            assert list_files(store).missing == []
        (again / place).rename(tmp_path / "alone")
        with Store(tmp_path / "alone") as store:
            assert list_files(store).missing != []

    def test_the_root_of_files_is_the_deepest_folder_that_holds_all(self):
        assert common_folders(["/m/a/x.mid", "/m/a/b/y.mid"]) == [Path("/m/a")]
        assert common_folders(["/m/a/x.mid", "/m/ab/y.mid"]) == [Path("/m")]
        assert common_folders([]) == []


class TestAccess:
    def test_a_locked_database_is_one_clear_line(self, folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch):
        bring_up_to_date(folder, out, only="notes")
        monkeypatch.setattr(database, "_PATIENCE_S", 0.1)
        other = sqlite3.connect(out / "index.sqlite", isolation_level=None)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        try:
            for use in (
                lambda: hits(out, folder / "a.flac"),
                lambda: bring_up_to_date(folder, out),
            ):
                with pytest.raises(UnreadableInput, match=r"another process has kept it locked for 0\.1 s; try again"):
                    use()
        finally:
            other.close()

    def test_a_writer_that_waits_in_vain_is_one_clear_line(
        self, folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch
    ):
        bring_up_to_date(folder, out, only="notes")
        monkeypatch.setattr(database, "_PATIENCE_S", 0.1)
        other = sqlite3.connect(out / "index.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(UnreadableInput, match="another process has kept it locked"), Store(out) as store:
                store.remove([str(folder.resolve() / "a.mid")])
        finally:
            other.close()

    @pytest.mark.parametrize("derived", [True, False])
    def test_read_only_media_are_searched_and_left_alone(
        self, folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch, derived: bool
    ):
        """The file that readers share cannot be made, as on read-only media."""
        bring_up_to_date(folder, out, exact_below=16)
        expected = hits(out, folder / "a.flac")
        for path in out.iterdir():
            if path.name != "index.sqlite" and not (derived and path.name.startswith(("notes-", "audio-"))):
                path.unlink()
        (out / "index.sqlite-shm").symlink_to(out / "nowhere" / "shm")
        (out / "index.sqlite-wal").touch()  # as the last reader may have left it
        before = {path: path.lstat().st_mtime_ns for path in out.iterdir()}
        monkeypatch.setattr(elsewhere, "can_write", lambda _: False)
        assert hits(out, folder / "a.flac") == expected
        with Store(out, exact_below=16) as store:
            library = store.library("notes")
            assert library.neighbours.nearest(np.array(library.vectors[:1], np.float32), 1)[0] > 0.99
        assert {path: path.lstat().st_mtime_ns for path in out.iterdir()} == before
        with pytest.raises(UnreadableInput, match="it cannot be opened or not be written"), Store(out) as store:
            store.remove([str(folder.resolve() / "a.mid")])

    def test_what_only_the_log_holds_is_read_or_refused(self, folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch):
        bring_up_to_date(folder, out, only="notes")
        writer = sqlite3.connect(out / "index.sqlite", isolation_level=None)
        writer.execute("INSERT INTO meta VALUES ('more', 'facts')")
        copy = shutil.copytree(out, out.with_name("media"), ignore=shutil.ignore_patterns("*-shm"))
        writer.close()
        (copy / "index.sqlite-shm").symlink_to(copy / "nowhere" / "shm")
        with Store(copy) as store:
            assert store.meta("more") == "facts"
            assert len(store.known()) == 3
        connect = Database._connect
        monkeypatch.setattr(Database, "_connect", lambda self, mode: connect(self, mode.replace("unix-", "no-")))
        with pytest.raises(UnreadableInput, match=r"last changes cannot be read .* copy it to another folder"):
            Store(copy)

    def test_a_writer_leaves_nothing_in_the_log(self, folder: Path, out: Path):
        bring_up_to_date(folder / "a.mid", out)
        with Store(out) as reader:
            assert reader.counts()
            bring_up_to_date(folder, out, only="notes")
            log = out / "index.sqlite-wal"
            assert not log.exists() or log.stat().st_size == 0

    def test_paths_may_be_text(self, folder: Path, out: Path):
        report = build_index([str(folder)], TemplateEmbedder(), "template", str(out), only="notes", works="folders")
        assert report.embedded == 3
        assert is_index(str(out))
        assert embed_file(str(folder / "a.mid"), "notes", TemplateEmbedder(), 1.0).notes
        with Store(str(out)) as store:
            found = search(str(folder / "a.flac"), store, TemplateEmbedder(), 7.3, 10.0)
            options = SearchOptions(filters=Filters(folder=str(folder / "deeper")))
            below = search(str(folder / "a.flac"), store, TemplateEmbedder(), 7.3, 10.0, options)
        assert Path(found[0].file).name == "a.mid"
        assert {Path(hit.file).name for hit in below} == {"c.mid"}


def test_a_search_says_that_files_are_gone(folder: Path, out: Path):
    bring_up_to_date(folder, out, only="notes")
    ask = ("search", folder / "a.flac", "--index", out, "--start", 7, "--length", 9)
    assert run(*ask).stderr == ""
    (folder / "deeper").rename(folder / "elsewhere")
    (folder / "a.mid").unlink()
    for done in (run(*ask), run(*ask, "--json")):
        assert done.exit_code == 0
        said = [line for line in done.stderr.splitlines() if line.startswith("hint: ")]
        assert len(said) == 2
        assert said[0].startswith("hint: 1 of 3 files of the library are gone: the folder ")
        assert said[0].endswith(f"with: antiphon index move {folder / 'deeper'} {folder / 'elsewhere'} --index {out}")
        assert said[1].startswith(f"hint: 1 of 3 files of the library are gone, the first {folder / 'a.mid'}; where")
    hits = json.loads(done.stdout)
    assert {Path(hit["file"]).name: hit.get("gone", False) for hit in hits} == {
        "a.mid": True,
        "b.mid": False,
        "c.mid": True,
    }
    assert Path(hits[0]["file"]).name == "a.mid"
    assert " 100 %  " in run(*ask).stdout
    assert f"{folder / 'a.mid'} (gone)" in run(*ask).stdout


def test_a_search_in_recordings_of_a_renamed_folder_names_the_command(folder: Path, out: Path):
    bring_up_to_date(folder, out, only="audio")
    query = shutil.copy(folder / "a.mid", folder.parent / "query.mid")
    moved = folder.rename(folder.with_name("renamed"))
    done = run("search", query, "--index", out)
    assert (done.exit_code, done.stdout) == (0, "nothing in the library is likely to be this\n")
    hints = [line for line in done.stderr.splitlines() if "are gone" in line]
    command = f"antiphon index move {folder} {moved} --index {out}"
    assert hints == [
        f"hint: 3 of 3 files of the library are gone: the folder {folder} no longer exists, and {moved} has its files; "
        f"write that down with: {command}"
    ]
    assert run(*command.split()[1:]).exit_code == 0
    done = run("search", query, "--index", out)
    assert "a.flac" in done.stdout
    assert "hint" not in done.stderr
