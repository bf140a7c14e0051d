"""What of a folder is taken, what is left out and counted, and how links, compressed and nameless kinds are treated."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner

import antiphon
from antiphon.cli import app
from antiphon.errors import AntiphonError, InputWarning, UnreadableInput
from antiphon.index.build import build_index
from antiphon.io import folders, note_files
from antiphon.io.folders import LeftOut, list_folders
from antiphon.io.kinds import modality_of_input, suffix_of, without_suffix
from antiphon.io.note_files import read_notes
from antiphon.models.template import TemplateEmbedder
from antiphon.serving.uploads import free_name, kind_of_upload, safe_name
from helpers import sine, write_scale, write_sine

TABLE = "onset\toffset\tpitch\n" + "".join(f"{at / 2}\t{at / 2 + 0.4}\t{60 + at}\n" for at in range(12))

SCORE = (
    '<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>Piano</part-name></score-part></part-list>'
    '<part id="P1"><measure number="1"><attributes><divisions>1</divisions></attributes><note><pitch><step>C</step>'
    "<octave>4</octave></pitch><duration>4</duration></note></measure></part></score-partwise>"
)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"anything")


def names(folder: Path, **how: bool) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): kind for path, kind in list_folders([folder], **how).files.items()}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder as people have it."""
    folder = tmp_path / "library"
    for name in ("a.mid", "b.KAR", "deeper/c.smf"):
        write_scale(folder / name)
    (folder / "d.mid.gz").write_bytes(gzip.compress((folder / "a.mid").read_bytes()))
    (folder / "table.txt").write_text(TABLE, encoding="utf-8")
    write_sine(folder / "e.WAV")
    touch(folder, "cover.jpg", "back.JPG", "README.txt", "LICENSE", "Suite no. 2", "score.pdf", "a.tar.gz", "x.svg.gz")
    touch(folder, "._a.mid", ".DS_Store", "deeper/Thumbs.db", "__MACOSX/._c.mid", ".git/c.mid", "@eaDir/e.mid")
    write_scale(tmp_path / "elsewhere" / "f.mid")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "g.mid").symlink_to(tmp_path / "elsewhere" / "f.mid")
    (folder / "gone.mid").symlink_to(tmp_path / "gone.mid")
    return folder


TAKEN = {"a.mid": "notes", "b.KAR": "notes", "d.mid.gz": "notes", "deeper/c.smf": "notes", "e.WAV": "audio"}
TAKEN |= {"g.mid": "notes", "table.txt": "notes"}
SENTENCE = (
    "15 files left out: 2 .gz, 2 .jpg, 1 .pdf, 1 .txt, 2 without suffix, 6 hidden, 1 no file (a link to nothing?); "
    "1 link to a folder (--follow-links)"
)


def test_every_entry_is_taken_or_counted(library: Path) -> None:
    found = list_folders([library])
    assert names(library) == TAKEN
    assert found.left_out == LeftOut({".jpg": 2, ".gz": 2, "": 2, ".txt": 1, ".pdf": 1}, hidden=6, links=1, dangling=1)
    assert str(found.left_out) == SENTENCE
    assert found.faults == []
    audio = found.only(["audio"])
    assert [path.name for path in audio.files] == ["e.WAV"]
    assert audio.left_out.suffixes == found.left_out.suffixes | {
        ".mid": 2,
        ".kar": 1,
        ".mid.gz": 1,
        ".smf": 1,
        ".txt": 2,
    }


def test_the_text_is_short() -> None:
    assert str(LeftOut({".pdf": 3, ".jpg": 5})) == "8 files left out: 5 .jpg, 3 .pdf"
    many = LeftOut({f".k{number}": number for number in range(1, 21)})
    assert str(many).endswith(".k14, 13 .k13, 78 of 12 other kinds")
    assert str(LeftOut(links=2)) == "2 links to folders (--follow-links)"
    assert not LeftOut()
    assert str(LeftOut()) == ""


class TestLinks:
    def test_are_followed_on_demand(self, library: Path) -> None:
        found = list_folders([library], follow_links=True)
        assert names(library, follow_links=True) == TAKEN | {"linked/f.mid": "notes"}
        assert found.left_out.links == 0

    def test_in_a_circle_end(self, library: Path, tmp_path: Path) -> None:
        (library / "deeper" / "up").symlink_to(library)
        (tmp_path / "elsewhere" / "back").symlink_to(library / "deeper")
        (library / "self").symlink_to(library / "self")
        (library / "ping").symlink_to(library / "pong")
        (library / "pong").symlink_to(library / "ping")
        assert names(library, follow_links=True) == TAKEN | {"linked/f.mid": "notes"}
        assert list_folders([library]).left_out.dangling == 4

    def test_to_one_folder_are_followed_once(self, library: Path, tmp_path: Path) -> None:
        (library / "again").symlink_to(tmp_path / "elsewhere")
        (library / "below").symlink_to(library / "deeper")
        assert names(library, follow_links=True) == TAKEN | {"again/f.mid": "notes"}
        both = list_folders([library, tmp_path / "elsewhere"], follow_links=True)
        assert sum(path.name == "f.mid" for path in both.files) == 1

    def test_are_followed_by_index_pair_and_corpora(self, library: Path, tmp_path: Path) -> None:
        def embedded(**how: bool) -> int:
            return build_index([library], TemplateEmbedder(), "template", tmp_path / "index", **how).embedded

        before = embedded()
        write_scale(tmp_path / "elsewhere" / "h.mid", lowest=40)
        assert (before > 0, embedded(), embedded(follow_links=True)) == (True, 0, 1)
        assert build_index([library], TemplateEmbedder(), "template", tmp_path / "index").removed == 0
        built = run("index", "add", library, "--index", tmp_path / "index", "--follow-links", "--json")
        assert json.loads(built.stdout)["left_out"]["links"] == 0
        with pytest.warns(InputWarning, match="table.txt"):
            ids = {one.id for one in antiphon.open_corpus(library).recordings}
        assert "linked/h" in ids


@pytest.mark.parametrize("at_root", [False, True])
def test_a_folder_that_cannot_be_opened_is_named(library: Path, monkeypatch: pytest.MonkeyPatch, at_root: bool) -> None:
    closed, scandir = library if at_root else library / "deeper", os.scandir

    def guarded(folder: Path) -> object:
        if folder == closed:
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(folders.os, "scandir", guarded)
    if at_root:
        with pytest.raises(UnreadableInput, match="library: this folder cannot be opened"):
            list_folders([library])
    else:
        found = list_folders([library])
        assert [str(fault) for fault in found.faults] == [f"{closed}: this folder cannot be opened (Permission denied)"]
        assert set(names(library)) == set(TAKEN) - {"deeper/c.smf"}


def test_files_in_a_folder_that_cannot_be_opened_stay_in_the_index(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index([library], TemplateEmbedder(), "template", tmp_path / "index", "notes")
    stat = Path.stat

    def guarded(path: Path, **how: bool) -> os.stat_result:
        if path.parent.name == "deeper":
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", guarded)
    assert build_index([library], TemplateEmbedder(), "template", tmp_path / "index", "notes").removed == 0


def test_irrelevant_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, *(f"{number}.jpg" for number in range(50)), "one.mid", "two.flac")
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("a file was opened"))
    found = list_folders([tmp_path])
    assert (len(found.files), found.left_out.suffixes) == (2, {".jpg": 50})


class TestWithoutSuffix:
    @pytest.mark.parametrize("format_", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF", "AU", "RF64"])
    def test_sound_is_recognised(self, tmp_path: Path, format_: str) -> None:
        for name in ("take", "Suite no. 2"):
            soundfile.write(tmp_path / name, sine(1.0), 24_000, format=format_)
            assert modality_of_input(tmp_path / name) == "audio"
            assert antiphon.read_audio(tmp_path / name).duration_s == pytest.approx(1.0, abs=0.1)
        assert names(tmp_path) == {"take": "audio", "Suite no. 2": "audio"}

    def test_midi_is_recognised_and_named_wholly(self, tmp_path: Path) -> None:
        write_scale(tmp_path / "take.1")
        shutil.copy(write_scale(tmp_path / "x.mid"), tmp_path / "take.bak")
        assert names(tmp_path) == {"take.1": "notes", "x.mid": "notes"}
        assert len(read_notes(tmp_path / "take.1")) == len(read_notes(tmp_path / "take.bak")) == 12
        assert modality_of_input(tmp_path / "take.bak") == "notes"
        assert {one.id for one in antiphon.open_corpus(tmp_path).recordings} == {"take.1", "x"}
        with antiphon.Index.build(tmp_path / "take.1", "template", out=tmp_path / "index") as index:
            assert index.search(tmp_path / "take.1", against="notes")[0].confidence > 0.9

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
    def test_scores_are_recognised_and_read(self, tmp_path: Path, encoding: str) -> None:
        data = f"<?xml version='1.0' encoding='{encoding}'?>{SCORE}".encode(encoding)
        (tmp_path / "suite").write_bytes(data)
        (tmp_path / "Suite no. 2").write_bytes(gzip.compress(data))
        assert names(tmp_path) == {"suite": "notes", "Suite no. 2": "notes"}
        for name in names(tmp_path):
            assert modality_of_input(tmp_path / name) == "notes"
            assert read_notes(tmp_path / name).pitch.tolist() == [60]

    def test_a_name_that_no_file_can_have_is_refused_in_one_line(self) -> None:
        for read, name in ((modality_of_input, "x"), (antiphon.read_audio, "x.wav"), (read_notes, "x.mid")):
            with pytest.raises(UnreadableInput, match="File name too long"):
                read(Path(name.rjust(300, "x")))

    def test_other_content_is_refused_in_one_line(self, tmp_path: Path) -> None:
        touch(tmp_path, "README", "score.pdf")
        with pytest.raises(UnreadableInput, match="README: neither a sound file nor a note file by its first bytes"):
            modality_of_input(tmp_path / "README")
        with pytest.raises(UnreadableInput, match=r"by its suffix '\.pdf'"):
            build_index([tmp_path / "score.pdf"], TemplateEmbedder(), "template", tmp_path / "index")
        with pytest.raises(AntiphonError, match=r"no audio or notes files below it; 2 files left out: 1 \.pdf, 1 with"):
            build_index([tmp_path], TemplateEmbedder(), "template", tmp_path / "index")


class TestCompressed:
    def test_notes_are_read(self, tmp_path: Path) -> None:
        plain = write_scale(tmp_path / "a.mid")
        for name, data in (("b.mid.gz", plain.read_bytes()), ("c.TSV.GZ", TABLE.encode()), ("d", plain.read_bytes())):
            (tmp_path / name).write_bytes(gzip.compress(data))
        for name in ("b.mid.gz", "d"):
            assert read_notes(tmp_path / name).pitch.tolist() == read_notes(plain).pitch.tolist()
        with pytest.warns(InputWarning, match="no velocities"):
            assert len(read_notes(tmp_path / "c.TSV.GZ")) == 12
        (tmp_path / "other.csv.gz").write_bytes(gzip.compress(b"file,work\na,b\n"))
        assert set(names(tmp_path)) == {"a.mid", "b.mid.gz", "c.TSV.GZ", "d"}
        assert list_folders([tmp_path]).left_out.suffixes == {".csv.gz": 1}
        with pytest.warns(InputWarning):
            assert {one.id for one in antiphon.open_corpus(tmp_path).recordings} == {"a", "b", "c", "d"}

    def test_what_cannot_be_expanded_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = gzip.compress(write_scale(tmp_path / "a.mid").read_bytes())
        broken = bytearray(whole)
        broken[len(whole) // 2] ^= 0xFF
        for name, data in (("cut", whole[:-20]), ("broken", bytes(broken)), ("head", b"\x1f\x8b\x08")):
            (tmp_path / f"{name}.mid.gz").write_bytes(data)
            with pytest.raises(UnreadableInput, match=f"{name}.mid.gz: compressed and damaged, it cannot be expanded"):
                read_notes(tmp_path / f"{name}.mid.gz")
        (tmp_path / "cut.tsv.gz").write_bytes(gzip.compress(TABLE.encode())[:8])
        assert names(tmp_path)["cut.tsv.gz"] == "notes"  # so that it is reported
        monkeypatch.setattr(note_files, "_MOST_BYTES", 1 << 20)
        (tmp_path / "bomb.mid.gz").write_bytes(gzip.compress(bytes(1 << 24)))
        with pytest.raises(UnreadableInput, match="compressed, and expands to more than 1048576 bytes"):
            read_notes(tmp_path / "bomb.mid.gz")
        (tmp_path / "large.mid").write_bytes(bytes(1 << 21))
        with pytest.raises(UnreadableInput, match="it has 2097152 bytes; note files have at most 1048576"):
            read_notes(tmp_path / "large.mid")

    def test_uploads_keep_both_suffixes(self, tmp_path: Path) -> None:
        assert kind_of_upload("C:\\music\\Take 1.MID.gz") == ("notes", ".mid.gz")
        assert safe_name("../Take 1.MID.gz", ".mid.gz") == "Take 1.mid.gz"
        touch(tmp_path, "Take 1.mid.gz")
        assert free_name(tmp_path, "Take 1.mid.gz").name == "Take 1 2.mid.gz"

    def test_suffixes(self) -> None:
        assert [suffix_of(name) for name in ("a.b.MID", "a.kar.gz", ".mid", "a.wav.gz", "a.mp3", "a.x-y")] == [
            ".mid",
            ".kar.gz",
            "",
            ".gz",
            ".mp3",
            "",
        ]
        assert without_suffix(Path("x/Suite no. 2.mid.gz")) == Path("x/Suite no. 2")
        assert without_suffix(Path("x/Suite no. 2")) == Path("x/Suite no. 2")


def test_a_table_next_to_the_midi_of_its_name_is_left_out(tmp_path: Path) -> None:
    """As MAPS has `.mid`, `.txt` and `.wav` for each piece; the `.txt` lacks the velocities."""
    write_scale(tmp_path / "one.mid")
    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_text(TABLE, encoding="utf-8")
    assert set(names(tmp_path)) == {"one.mid", "two.txt"}
    assert list_folders([tmp_path]).left_out.suffixes == {".txt": 1}
    with pytest.warns(InputWarning, match="two.txt"):
        paths = [one.notes_path.name for one in antiphon.open_corpus(tmp_path).recordings]
    assert paths == ["one.mid", "two.txt"]


def test_scores_are_taken_by_their_root_and_after_midi(tmp_path: Path) -> None:
    cases = Path(__file__).parent / "cases" / "scores"
    for name in ("take.xml", "take.musicxml", "other.musicxml"):
        shutil.copy(cases / "small.musicxml", tmp_path / name)
    write_scale(tmp_path / "take.mid")
    (tmp_path / "small.krn.gz").write_bytes(gzip.compress((cases / "small.krn").read_bytes()))
    (tmp_path / "settings.xml").write_text("<settings/>", encoding="utf-8")
    assert set(names(tmp_path)) == {"take.xml", "take.musicxml", "other.musicxml", "take.mid", "small.krn.gz"}
    corpus = antiphon.open_corpus(tmp_path)
    assert [one.notes_path.name for one in corpus.recordings] == ["other.musicxml", "small.krn.gz", "take.mid"]


def run(*words: object) -> object:
    return CliRunner().invoke(app, [str(word) for word in words])


class TestReports:
    def test_of_a_build(self, library: Path, tmp_path: Path) -> None:
        out = library / "index"  # its own files are not counted
        build = ("index", "build", library, "--out", out, "--model", "template")
        first = run(*build)
        assert first.exit_code == 0
        lines = first.stderr.splitlines()
        assert lines[-1] == SENTENCE
        assert f"warning: {library.resolve()}/table.txt: it has no velocities; 64 was taken" in lines
        assert "1 file used with a warning" in lines
        again = run(*build, "--json")
        report = json.loads(again.stdout)
        assert again.stderr.splitlines() == [SENTENCE]
        assert report["left_out"]["suffixes"][".jpg"] == 2
        assert (report["warnings"], report["failed"], report["unchanged"]) == ([], [], 7)

    def test_of_many_equal_warnings(self, tmp_path: Path) -> None:
        for number in range(5):
            (tmp_path / f"{number}.txt").write_text(TABLE + f"9\t9.5\t{40 + number}\n", encoding="utf-8")
        built = run("index", "build", tmp_path, "--out", tmp_path / "index", "--model", "template")
        assert built.stderr.splitlines()[:3] == [
            f"warning: {tmp_path.resolve()}/0.txt: it has no velocities; 64 was taken",
            "warning: the same of 4 other files",
            "5 files used with a warning",
        ]

    def test_of_a_pairing(self, library: Path, tmp_path: Path) -> None:
        pairing = antiphon.pair(library, library, model="template", index=tmp_path / "index")
        assert str(pairing.left_out) == SENTENCE
        assert [str(one) for one in pairing.warnings] == [
            f"{library.resolve()}/table.txt: it has no velocities; 64 was taken"
        ]
        assert pairing.as_dict()["left_out"]["hidden"] == 6
        (tmp_path / "sound").mkdir()
        shutil.move(library / "e.WAV", tmp_path / "sound")
        touch(tmp_path / "sound", "list.m3u")
        write_scale(tmp_path / "sound" / "unused.mid")
        done = run("pair", tmp_path / "sound", library, "--model", "template", "--index", tmp_path / "index")
        assert "17 files left out: 2 .gz, 2 .jpg, 1 .m3u, 1 .mid, 1 .pdf, 1 .txt, 2 without suffix" in done.stderr

    def test_of_a_corpus(self, library: Path) -> None:
        with pytest.warns(InputWarning, match="table.txt"):
            facts = antiphon.describe(library)
        assert facts["left_out"] == {"suffixes": {".jpg": 2, ".gz": 2, "": 2, ".txt": 1, ".pdf": 1}} | {
            "hidden": 6,
            "links": 0,
            "dangling": 1,
        }
        with pytest.warns(InputWarning, match="table.txt"):
            assert "left_out 15 files left out: 2 .gz" in run("info", library).stdout

    def test_failures_of_files_that_are_no_longer_tried_are_forgotten(self, tmp_path: Path) -> None:
        (tmp_path / "music").mkdir()
        write_scale(tmp_path / "music" / "a.mid")
        table = tmp_path / "music" / "b.tsv"
        table.write_text("onset\tpitch\n", encoding="utf-8")
        failed = build_index([tmp_path / "music"], TemplateEmbedder(), "template", tmp_path / "index").failed
        assert [error.path.name for error in failed] == ["b.tsv"]
        table.write_text("name\tage\n", encoding="utf-8")
        report = build_index([tmp_path / "music"], TemplateEmbedder(), "template", tmp_path / "index")
        assert (report.failed, report.removed, report.left_out.suffixes) == ([], 0, {".tsv": 1})
        with antiphon.Index.open(tmp_path / "index") as index:
            assert index.failures() == {}
