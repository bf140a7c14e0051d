"""An index follows its folders, embeds nothing twice, and never serves a stale or torn file."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.experiments.listing import describe
from antiphon.index import build, embedding
from antiphon.index.build import build_index
from antiphon.index.metadata import FileMetadata
from antiphon.index.search import SearchOptions, search
from antiphon.index.store import Store
from antiphon.io.notes import Notes, write_midi
from antiphon.models.template import TemplateEmbedder
from helpers import write_scale, write_sine
from library import CountingEmbedder, bring_up_to_date, in_database, in_library

NAMES = ("a", "b", "c")


class TestBuild:
    def test_holds_every_file_once_and_a_second_build_embeds_nothing(self, folder: Path, out: Path):
        first, embedded = bring_up_to_date(folder, out)
        assert (first.embedded, embedded, first.unchanged, first.removed, first.failed) == (6, 6, 0, 0, [])
        before = in_database(out)
        assert sorted(before) == sorted(f"{name}.{suffix}" for name in NAMES for suffix in ("mid", "flac"))
        assert first.windows == sum(len(starts) for starts, _ in before.values())
        second, embedded = bring_up_to_date(folder, out)
        assert (second.embedded, embedded, second.unchanged) == (0, 0, 6)
        assert in_database(out) == before

    def test_windows_lie_a_second_apart_with_unit_vectors(self, folder: Path, out: Path):
        bring_up_to_date(folder, out)
        with Store(out) as store:
            for kind in store.counts():
                library = store.library(kind)
                steps = np.diff(library.start_s)
                steps = np.delete(steps, library.offset[1:-1] - 1)
                np.testing.assert_array_equal(steps, 1.0)
                np.testing.assert_allclose(np.linalg.norm(library.vectors.astype(float), axis=1), 1.0, atol=1e-3)

    def test_a_touched_file_is_not_embedded_again_nor_read_twice(
        self, folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch
    ):
        bring_up_to_date(folder, out)
        os.utime(folder / "a.flac", (1e9, 1e9))
        report, embedded = bring_up_to_date(folder, out)
        assert (report.embedded, embedded, report.unchanged) == (0, 0, 6)
        monkeypatch.setattr(build, "content_hash", pytest.fail)  # the new time is written down
        assert bring_up_to_date(folder, out)[0].unchanged == 6

    def test_a_changed_file_is_embedded_again(self, folder: Path, out: Path):
        bring_up_to_date(folder, out)
        before = in_database(out)
        write_scale(folder / "a.mid")
        report, embedded = bring_up_to_date(folder, out)
        assert (report.embedded, embedded, report.unchanged, report.copied) == (1, 1, 5, 0)
        after = in_database(out)
        assert after["a.mid"] != before["a.mid"]
        assert after | {"a.mid": before["a.mid"]} == before
        assert in_library(out, "notes")["a.mid"] == after["a.mid"]

    def test_a_copy_of_what_is_held_is_not_embedded(self, folder: Path, out: Path):
        bring_up_to_date(folder, out)
        before = in_database(out)
        shutil.copy(folder / "b.mid", folder / "a.mid")
        shutil.copy(folder / "b.flac", folder / "new.flac")
        report, embedded = bring_up_to_date(folder, out)
        assert (report.embedded, embedded, report.unchanged, report.copied) == (0, 0, 5, 2)
        after = {"a.mid": before["b.mid"], "new.flac": before["b.flac"]}
        assert in_database(out) == before | after == in_library(out, "notes") | in_library(out, "audio")

    def test_a_renamed_folder_and_a_moved_file_are_not_embedded_again(self, folder: Path, out: Path):
        bring_up_to_date(folder, out)
        with Store(out) as store:
            store.describe({str(folder.resolve() / "deeper" / "c.mid"): FileMetadata(work="mine")})
            ids = {Path(one.path).name: one.id for one in store.recordings()}
        (folder / "deeper").rename(folder / "elsewhere")
        (folder / "a.mid").rename(folder / "elsewhere" / "z.mid")
        report, embedded = bring_up_to_date(folder, out)
        assert (embedded, report.unchanged, report.renamed, report.removed) == (0, 3, 3, 0)
        with Store(out) as store:
            now = {Path(one.path).relative_to(folder.resolve()).as_posix(): one.id for one in store.recordings()}
            about = store.about()
        assert now == {
            "a.flac": ids["a.flac"],
            "b.flac": ids["b.flac"],
            "b.mid": ids["b.mid"],
            "elsewhere/c.flac": ids["c.flac"],
            "elsewhere/c.mid": ids["c.mid"],
            "elsewhere/z.mid": ids["a.mid"],
        }
        assert about == {str(folder.resolve() / "elsewhere" / "c.mid"): FileMetadata(work="mine")}
        assert in_library(out, "notes").keys() == {"b.mid", "c.mid", "z.mid"}

    def test_files_that_failed_are_tried_again_by_other_readers(
        self, folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch
    ):
        (folder / "bad.mid").write_bytes(b"MThd and no more")
        bring_up_to_date(folder, out, only="notes")
        opened: list[str] = []
        read_notes = embedding.read_notes
        monkeypatch.setattr(embedding, "read_notes", lambda path: opened.append(path.name) or read_notes(path))
        for module in ("build", "store"):
            monkeypatch.setattr(f"antiphon.index.{module}.readers_version", lambda: "others")
        for _ in range(2):
            report, _ = bring_up_to_date(folder, out, only="notes")
            assert [error.path.name for error in report.failed] == ["bad.mid"]
        assert opened == ["bad.mid"]

    def test_a_changed_file_of_equal_size_is_embedded_again(self, folder: Path, out: Path):
        bring_up_to_date(folder, out)
        old = (folder / "a.mid").stat()
        content = bytearray((folder / "a.mid").read_bytes())
        at = content.index(b"\x90")
        content[at + 1] += 1
        (folder / "a.mid").write_bytes(content)
        os.utime(folder / "a.mid", ns=(old.st_atime_ns, old.st_mtime_ns + 1))
        assert bring_up_to_date(folder, out)[1] == 1

    def test_a_removed_file_is_dropped_and_a_new_one_added(self, folder: Path, out: Path):
        bring_up_to_date(folder, out)
        (folder / "a.mid").unlink()
        shutil.rmtree(folder / "deeper")
        write_scale(folder / "new" / "scale.MID")
        report, embedded = bring_up_to_date(folder, out)
        assert (report.embedded, embedded, report.unchanged, report.removed) == (1, 1, 3, 3)
        assert sorted(in_database(out)) == ["a.flac", "b.flac", "b.mid", "scale.MID"]
        assert sorted(in_library(out, "notes")) == ["b.mid", "scale.MID"]

    def test_another_folder_joins_and_leaves_the_first_alone(self, folder: Path, out: Path, tmp_path: Path):
        bring_up_to_date(folder, out)
        write_scale(tmp_path / "music-2" / "scale.mid")  # begins like the first folder's name
        report, embedded = bring_up_to_date(tmp_path / "music-2", out)
        assert (report.embedded, embedded, report.unchanged, report.removed) == (1, 1, 0, 0)
        assert len(in_database(out)) == 7
        shutil.rmtree(tmp_path / "music-2")
        assert bring_up_to_date(folder, out)[0].removed == 0  # it was not asked about that one

    def test_a_single_file_can_be_indexed(self, folder: Path, out: Path):
        assert bring_up_to_date(folder / "a.mid", out)[0].embedded == 1

    def test_a_failed_file_is_remembered_and_tried_again_only_when_it_changes(
        self, folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch
    ):
        (folder / "bad.mid").write_bytes(b"MThd and no more")
        write_sine(folder / "short.wav", 1.0)
        first, embedded = bring_up_to_date(folder, out)
        assert (first.embedded, embedded) == (6, 6)
        assert [error.path.name for error in first.failed] == ["bad.mid", "short.wav"]
        opened: list[str] = []
        read_notes = embedding.read_notes
        monkeypatch.setattr(embedding, "read_notes", lambda path: opened.append(path.name) or read_notes(path))
        second, embedded = bring_up_to_date(folder, out)
        assert (second.unchanged, embedded, opened) == (6, 0, [])
        assert [str(error) for error in second.failed] == [str(error) for error in first.failed]
        write_scale(folder / "bad.mid")
        third, embedded = bring_up_to_date(folder, out)
        assert (third.embedded, embedded, opened) == (1, 1, ["bad.mid"])
        assert [error.path.name for error in third.failed] == ["short.wav"]
        with Store(out) as store:
            assert [Path(name).name for name in store.failed()] == ["short.wav"]
        (folder / "short.wav").unlink()
        assert bring_up_to_date(folder, out)[0].removed == 1

    def test_a_file_that_has_become_unreadable_is_no_longer_found(self, folder: Path, out: Path):
        bring_up_to_date(folder, out)
        (folder / "a.mid").write_bytes(b"MThd and no more")
        report, _ = bring_up_to_date(folder, out)
        assert [error.path.name for error in report.failed] == ["a.mid"]
        assert "a.mid" not in in_library(out, "notes")

    def test_windows_in_which_nothing_sounds_are_left_out_and_counted(self, out: Path, tmp_path: Path):
        # Onsets in seconds 0–3 and 20–23: the 13 windows that begin in seconds 4 to 16 hear none.
        onsets = [0.5, 1.5, 2.5, 3.5, 20.5, 21.5, 22.5, 23.5]
        (tmp_path / "notes").mkdir()
        write_midi(Notes.of(onsets, [0.5] * 8, [60 + i for i in range(8)], [80] * 8), tmp_path / "notes" / "gap.mid")
        report, _ = bring_up_to_date(tmp_path / "notes", out)
        starts = in_database(out)["gap.mid"][0]
        assert starts == [0.0, 1.0, 2.0, 3.0, 17.0, 18.0, 19.0, 20.0]
        assert (report.windows, report.empty_windows) == (8, 13)

    def test_only_takes_one_kind(self, folder: Path, out: Path):
        assert bring_up_to_date(folder, out, only="notes")[0].embedded == 3
        assert set(in_database(out)) == {"a.mid", "b.mid", "c.mid"}
        with Store(out) as store:
            assert set(store.counts()) == {"notes"}
            with pytest.raises(AntiphonError, match="holds no audio to search"):
                store.library("audio")
        report, embedded = bring_up_to_date(folder, out, only="audio")
        assert (report.embedded, embedded, report.removed) == (3, 3, 0)
        assert len(in_database(out)) == 6

    def test_counts_add_up(self, folder: Path, out: Path):
        report, _ = bring_up_to_date(folder, out)
        facts = describe(str(out))
        assert (facts["recordings"], facts["segments"], facts["model"]) == (6, report.windows, "template")
        seconds = sum(soundfile.info(path).duration for path in folder.rglob("*.flac"))
        assert facts["hours"] == pytest.approx(2 * seconds / 3600, rel=0.05)

    def test_another_models_vectors_are_refused(self, folder: Path, out: Path):
        bring_up_to_date(folder, out, only="notes")
        other = CountingEmbedder(fingerprint="0123456789abcdef")
        before = in_database(out)
        with pytest.raises(AntiphonError, match=r"built with model_hash \w{12}, not 0123456789ab; .*build another"):
            build_index([folder], other, "other", out)
        assert other.files == 0
        with Store(out) as store, pytest.raises(AntiphonError, match="model_hash"):
            search(folder / "a.flac", store, other)
        assert in_database(out) == before


class TestFolders:
    def test_files_that_are_all_gone_are_all_dropped(self, folder: Path, out: Path):
        bring_up_to_date(folder, out, only="notes")
        for path in folder.rglob("*.mid"):
            path.unlink()
        assert bring_up_to_date(folder, out, only="notes")[0].removed == 3
        assert in_database(out) == {}
        with pytest.raises(AntiphonError, match="no notes files below it"):
            bring_up_to_date(folder, out, only="notes")

    def test_a_folder_that_holds_something_else_is_refused(self, folder: Path, out: Path):
        out.mkdir()
        (out / "thesis.txt").write_text("precious", encoding="utf-8")
        with pytest.raises(AntiphonError, match="is not empty and not an index"):
            bring_up_to_date(folder, out)
        assert [path.name for path in out.iterdir()] == ["thesis.txt"]

    def test_an_index_of_an_older_format_is_refused(self, folder: Path, out: Path):
        bring_up_to_date(folder, out, only="notes")
        with sqlite3.connect(out / "index.sqlite") as db:
            db.execute("UPDATE meta SET value = '2' WHERE key = 'format'")
        db.close()
        with pytest.raises(
            UnreadableInput, match="format is 2, this version of Antiphon reads 3 and 4: build another with: antiphon"
        ):
            Store(out)
        with pytest.raises(UnreadableInput, match="its format is 2"):
            bring_up_to_date(folder, out, only="notes")

    def test_an_empty_folder_is_used(self, folder: Path, out: Path):
        out.mkdir()
        assert bring_up_to_date(folder, out, only="notes")[0].embedded == 3

    def test_a_folder_that_is_no_index_is_named(self, tmp_path: Path):
        for place in (tmp_path, tmp_path / "nowhere"):
            with pytest.raises(AntiphonError, match="not an index folder; make one with: antiphon index build"):
                Store(place)
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_without_music_is_named_and_makes_no_index(self, tmp_path: Path, out: Path):
        for place, says in ((tmp_path / "nowhere", "no such folder"), (tmp_path, "no audio or notes files below it")):
            with pytest.raises(AntiphonError, match=says):
                bring_up_to_date(place, out)
        assert not out.exists()

    @pytest.mark.parametrize("damage", ["half", "first page", "nothing left", "text", "overwritten"])
    def test_a_damaged_database_is_one_clear_error(self, folder: Path, out: Path, damage: str):
        bring_up_to_date(folder, out, only="notes")
        path = out / "index.sqlite"
        size = path.stat().st_size
        if damage == "text":
            path.write_text("this was a database once " * 1000, encoding="utf-8")
        elif damage == "overwritten":
            content = bytearray(path.read_bytes())
            content[4096:] = b"\xa5" * (size - 4096)
            path.write_bytes(content)
        else:
            os.truncate(path, {"half": size // 2, "first page": 4096, "nothing left": 0}[damage])
        says = r"index\.sqlite: .*(not an index database|stopped before)"
        with pytest.raises(UnreadableInput, match=says) as caught, Store(out) as store:
            search(folder / "a.mid", store, TemplateEmbedder(), options=SearchOptions(against="notes"))
        assert len(str(caught.value).splitlines()) == 1


class TestDerivedFile:
    @pytest.fixture
    def built(self, folder: Path, out: Path) -> Path:
        bring_up_to_date(folder, out, only="notes")
        assert in_library(out, "notes") == in_database(out)
        return out

    def test_is_made_once(self, built: Path):
        before = {path.name: path.stat().st_mtime_ns for path in built.glob("notes-*")}
        assert len(before) == 3
        in_library(built, "notes")
        assert {path.name: path.stat().st_mtime_ns for path in built.glob("notes-*")} == before

    @pytest.mark.parametrize("suffix", ["f16", "onsets", "json"])
    @pytest.mark.parametrize("damage", [Path.unlink, lambda path: os.truncate(path, path.stat().st_size // 2)])
    def test_is_made_again_when_it_is_missing_or_cut_off(
        self, built: Path, suffix: str, damage: Callable[[Path], None]
    ):
        (path,) = built.glob(f"notes-*.{suffix}")
        damage(path)
        assert in_library(built, "notes") == in_database(built)

    def test_follows_the_database_and_leaves_no_old_ones(self, built: Path, folder: Path):
        old = set(built.glob("notes-*"))
        (folder / "a.mid").unlink()
        bring_up_to_date(folder, built, only="notes")
        assert sorted(in_library(built, "notes")) == ["b.mid", "c.mid"]
        now = set(built.glob("notes-*"))
        assert len(now) == 3
        assert not old & now

    def test_does_not_change_under_a_reader_who_has_it(self, built: Path, folder: Path):
        with Store(built) as store:
            library = store.library("notes")
            before = library.vectors.copy()
            shutil.copy(folder / "b.mid", folder / "a.mid")
            bring_up_to_date(folder, built, only="notes")
            assert in_library(built, "notes")["a.mid"] == in_database(built)["b.mid"]
            np.testing.assert_array_equal(library.vectors, before)
