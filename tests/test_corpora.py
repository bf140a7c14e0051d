"""Corpora: pairing of files, metadata, skipped files, and the manifest hash."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from antiphon.corpora import Corpus, open_corpus
from antiphon.corpora.rendered import write_manifest
from antiphon.corpora.segment_table import PAPER_GRID, SegmentTable, WindowGrid
from antiphon.corpora.synthetic.composer import compose_demo
from antiphon.corpora.synthetic.demo import demo_folder
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.notes import write_midi
from helpers import scale, write_scale, write_sine

MAESTRO_COLUMNS = (
    "canonical_composer",
    "canonical_title",
    "split",
    "year",
    "midi_filename",
    "audio_filename",
    "duration",
)
MAESTRO_ROWS = [
    ("Clara Wieck", "Soirées", "train", "2004", "2004/one.midi", "2004/one.wav", "5.5"),
    ("Clara Wieck", "soirées", "test", "2006", "2006/two.midi", "2006/two.wav", "4.5"),
    ("Josef Suk", "Jaro, op. 22", "validation", "2006", "2006/three.midi", "2006/three.wav", "6.0"),
]


def maestro(folder: Path, kind: str = "csv", rows: list[tuple[str, ...]] = MAESTRO_ROWS) -> Path:
    """A MAESTRO folder of three pieces; the first has audio."""
    for row in rows:
        write_scale(folder / row[4])
    write_sine(folder / "2004/one.wav", 5.5)
    table = folder / f"maestro-v3.0.0.{kind}"
    if kind == "csv":
        with table.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([MAESTRO_COLUMNS, *rows])
    else:
        columns = zip(MAESTRO_COLUMNS, zip(*rows, strict=True), strict=True)
        table.write_text(json.dumps({name: dict(enumerate(values)) for name, values in columns}), encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_maestro_metadata(tmp_path: Path, kind: str) -> None:
    corpus = open_corpus(maestro(tmp_path / "maestro", kind))
    first, second, third = corpus.recordings
    assert (first.id, first.composer, first.title, first.split) == ("2004/one", "Clara Wieck", "Soirées", "train")
    assert first.notes_path == tmp_path / "maestro/2004/one.midi"
    assert first.duration_s == 5.5
    assert third.title == "Jaro, op. 22"
    assert first.work == second.work != third.work
    assert corpus.splits == {"train": 1, "test": 1, "validation": 1}
    assert corpus.duration_s == 16.0
    assert corpus.skipped == ()


def test_maestro_table_saved_by_a_spreadsheet(tmp_path: Path) -> None:
    """Spreadsheets begin a file with a byte-order mark."""
    table = maestro(tmp_path) / "maestro-v3.0.0.csv"
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes())
    assert len(open_corpus(tmp_path)) == 3


def test_maestro_audio_in_the_folder_of_the_notes(tmp_path: Path) -> None:
    corpus = open_corpus(maestro(tmp_path))
    assert [recording.audio_path for recording in corpus.recordings] == [tmp_path / "2004/one.wav", None, None]
    assert [recording.id for recording in corpus.with_sound().recordings] == ["2004/one"]


def test_maestro_audio_in_a_parallel_folder_and_another_format(tmp_path: Path) -> None:
    notes, sound = maestro(tmp_path / "notes"), tmp_path / "sound"
    write_sine(sound / "2006/two.flac", 3.0)  # by path; shorter than the table says
    write_sine(sound / "elsewhere/three.ogg", 9.0)  # by name; longer
    one, two, three = open_corpus(notes, audio=sound).recordings
    assert (one.audio_path, one.duration_s) == (None, 5.5)
    assert (two.audio_path, two.duration_s) == (sound / "2006/two.flac", 3.0)
    assert (three.audio_path, three.duration_s) == (sound / "elsewhere/three.ogg", 6.0)


def test_parallel_folder_without_a_match_is_an_error(tmp_path: Path) -> None:
    write_sine(tmp_path / "sound/four.wav")
    with pytest.raises(AntiphonError, match="none of its 1 sound files matches a recording"):
        open_corpus(maestro(tmp_path / "notes"), audio=tmp_path / "sound")
    with pytest.raises(AntiphonError, match="gone: no such folder of sound files"):
        open_corpus(tmp_path / "notes", audio=tmp_path / "gone")


def test_maestro_reports_missing_notes(tmp_path: Path) -> None:
    (maestro(tmp_path) / "2006/two.midi").unlink()
    corpus = open_corpus(tmp_path)
    assert [recording.id for recording in corpus.recordings] == ["2004/one", "2006/three"]
    assert [str(error) for error in corpus.skipped] == [
        f"{tmp_path}/2006/two.midi: named in maestro-v3.0.0.csv but missing"
    ]


def test_corpus_without_usable_recordings_gives_the_reason(tmp_path: Path) -> None:
    shutil.rmtree(maestro(tmp_path) / "2004")
    shutil.rmtree(tmp_path / "2006")
    with pytest.raises(AntiphonError, match=r"no recordings found; 3 skipped, the first: .*one.midi: named in"):
        open_corpus(tmp_path)


@pytest.mark.parametrize(("audio", "notes"), [("", ""), ("audio/", "midi/"), ("concert/", "concert/")])
def test_folder_of_pairs(tmp_path: Path, audio: str, notes: str) -> None:
    sound_path = write_sine(tmp_path / f"{audio}take 1.flac", 5.0)
    notes_path = write_scale(tmp_path / f"{notes}take 1.mid")
    (found,) = open_corpus(tmp_path).recordings
    assert (found.audio_path, found.notes_path) == (sound_path, notes_path)
    assert (found.id, found.title, found.split) == (f"{notes}take 1", "take 1", "")
    assert found.duration_s == 5.0


def test_equal_names_in_several_folders_pair_within_their_folder(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write_sine(tmp_path / folder / "take.wav")
        write_scale(tmp_path / folder / "take.mid")
    pairs = {one.audio_path: one.notes_path for one in open_corpus(tmp_path).recordings}
    assert pairs == {tmp_path / name / "take.wav": tmp_path / name / "take.mid" for name in ("first", "second")}


def test_an_ambiguous_name_pairs_within_its_folder_only(tmp_path: Path) -> None:
    write_sine(tmp_path / "first" / "take.wav")
    for folder in ("first", "second"):
        write_scale(tmp_path / folder / "take.mid")
    sound = {one.id: one.audio_path for one in open_corpus(tmp_path).recordings}
    assert sound == {"first/take": tmp_path / "first" / "take.wav", "second/take": None}
    write_sine(tmp_path / "take.wav")
    corpus = open_corpus(tmp_path)
    assert {one.id: one.audio_path for one in corpus.recordings} == sound
    assert [error.path for error in corpus.skipped] == [tmp_path / "take.wav"]


def test_audio_without_notes_is_reported(tmp_path: Path) -> None:
    write_scale(tmp_path / "one.mid")
    write_sine(tmp_path / "two.wav")
    corpus = open_corpus(tmp_path)
    assert len(corpus) == 1
    assert [str(error) for error in corpus.skipped] == [f"{tmp_path}/two.wav: no notes of the same name"]


def test_every_file_dropped_for_another_of_its_name_is_reported(tmp_path: Path) -> None:
    write_scale(tmp_path / "take.mid")
    for suffix in (".flac", ".wav"):
        write_sine(tmp_path / f"take{suffix}")
    folder = open_corpus(tmp_path)
    (tmp_path / "notes").mkdir()
    parallel = open_corpus((tmp_path / "take.mid").rename(tmp_path / "notes/take.mid").parent, audio=tmp_path)
    for corpus in (folder, parallel):
        assert [one.audio_path for one in corpus.recordings] == [tmp_path / "take.wav"]
        assert [str(error) for error in corpus.skipped] == [
            f"{tmp_path}/take.flac: another sound file has the same name"
        ]


def test_a_recording_without_audio_lasts_until_its_last_note_ends(tmp_path: Path) -> None:
    write_scale(tmp_path / "one.mid")
    (tmp_path / "two.tsv").write_text("onset\toffset\tnote\tvelocity\n0\t2.5\t60\t64\n", encoding="utf-8")
    found = open_corpus(tmp_path).recordings
    assert [one.audio_path for one in found] == [None, None]
    assert [one.duration_s for one in found] == pytest.approx([scale().end_s, 2.5], abs=1e-3)


@pytest.mark.parametrize(("spec", "words"), [("empty", "no recordings found"), ("gone", "neither a folder nor")])
def test_a_folder_that_is_not_a_corpus_is_refused(tmp_path: Path, spec: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AntiphonError, match=f"{spec}: .*{words}"):
        open_corpus(tmp_path / spec)


def test_demo_has_audio_and_splits(demo: Corpus) -> None:
    assert len(demo) >= 30
    assert set(demo.splits) == {"train", "validation", "test"}
    assert min(demo.splits.values()) >= 5
    assert len(demo.with_sound()) == len(demo)
    assert demo.skipped == ()


def test_demo_notes_are_reproducible_byte_by_byte(demo: Corpus, tmp_path: Path) -> None:
    for piece, recording in zip(compose_demo(), demo.recordings, strict=True):
        assert recording.title == piece.title
        write_midi(piece.notes, tmp_path / "again.mid", piece.pedal_s)
        assert (tmp_path / "again.mid").read_bytes() == recording.notes_path.read_bytes()


def test_demo_is_made_once(demo: Corpus) -> None:
    made = (demo_folder() / "rendered.json").stat().st_mtime_ns
    assert open_corpus("demo").recordings == demo.recordings
    assert (demo_folder() / "rendered.json").stat().st_mtime_ns == made


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """A folder as `antiphon render` writes it, with one piece in a subfolder."""
    folder = tmp_path / "rendered"
    for id_ in ("one", "later/two"):
        write_scale(folder / f"{id_}.mid")
        write_sine(folder / f"{id_}.flac", 5.0)
    write_manifest(folder, open_corpus(folder).recordings, {"soundfont": "additive"})
    return folder


def test_rendered_corpus_can_be_moved(rendered: Path, tmp_path: Path) -> None:
    before = open_corpus(rendered)
    after = open_corpus(rendered.rename(tmp_path / "moved"))
    assert [one.id for one in after.recordings] == [one.id for one in before.recordings] == ["later/two", "one"]
    assert after.recordings[0].audio_path == tmp_path / "moved/later/two.flac"
    assert len(after.with_sound()) == 2


@pytest.mark.parametrize("lost", ["one.flac", "one.mid"])
def test_rendered_corpus_reports_missing_files(rendered: Path, lost: str) -> None:
    (rendered / lost).unlink()
    corpus = open_corpus(rendered)
    assert [one.id for one in corpus.recordings] == ["later/two"]
    assert [str(error) for error in corpus.skipped] == [f"{rendered / lost}: named in rendered.json but missing"]


@pytest.mark.parametrize("text", ["", "[]", '{"recordings": [{}]}', '{"recordings": [{"id": "one"'])
def test_damaged_manifest_is_refused(rendered: Path, text: str) -> None:
    (rendered / "rendered.json").write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableInput, match=r"rendered.json: not a manifest of rendered sound"):
        open_corpus(rendered)


def test_unknown_split_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(AntiphonError, match="no recordings in split 'dev'; its splits are: test, train, validation"):
        open_corpus(maestro(tmp_path)).split("dev")


def test_error_for_a_corpus_without_audio_proposes_a_remedy(tmp_path: Path) -> None:
    write_scale(tmp_path / "one.mid")
    with pytest.raises(AntiphonError, match=r"none of its 1 recordings has sound.*--audio DIR.*antiphon render"):
        open_corpus(tmp_path).with_sound()


def test_manifest_hash_depends_on_the_data_not_on_the_path(tmp_path: Path) -> None:
    original = open_corpus(maestro(tmp_path / "here")).manifest_hash
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert open_corpus(tmp_path / "there").manifest_hash == original
    write_scale(tmp_path / "there/2006/two.midi", lowest=61)
    assert open_corpus(tmp_path / "there").manifest_hash != original


@pytest.mark.parametrize(
    "change",
    [{"id": "other"}, {"split": "other"}, {"composer": "other"}, {"work": "other"}, {"duration_s": 1.0}],
    ids=lambda change: next(iter(change)),
)
def test_manifest_hash_covers_each_field_that_evaluation_reads(tmp_path: Path, change: dict[str, Any]) -> None:
    corpus = open_corpus(maestro(tmp_path))
    first, *rest = corpus.recordings
    changed = replace(corpus, recordings=(replace(first, **change), *rest))
    assert changed.manifest_hash != corpus.manifest_hash


@pytest.mark.parametrize(
    ("duration_s", "starts_s"),
    [(3.9, []), (4.0, [0]), (3.9995, [0]), (4.99, [0]), (6.5, [0, 1, 2]), (103.0, range(100)), (500.0, range(100))],
)
def test_paper_grid(duration_s: float, starts_s: list[int]) -> None:
    assert PAPER_GRID.starts_s(duration_s).tolist() == list(starts_s)


def test_segment_table_numbers_recordings_composers_and_works(tmp_path: Path) -> None:
    table = SegmentTable.over(open_corpus(maestro(tmp_path)).recordings, WindowGrid(4.0, 1.0, 2))
    assert table.recording.tolist() == [0, 0, 1, 2, 2]
    assert table.start_s.tolist() == [0, 1, 0, 0, 1]
    assert len(set(table.composer[:3].tolist())) == len(set(table.work[:3].tolist())) == 1
    assert table.composer[3] != table.composer[0]
    assert table.work[3] != table.work[0]


@pytest.mark.shared_data
@pytest.mark.parametrize(("split", "recordings", "segments"), [("validation", 137, 13_532), ("test", 177, 17_654)])
def test_maestro_has_the_published_number_of_segments(
    shared_data: Path, split: str, recordings: int, segments: int
) -> None:
    corpus = open_corpus(shared_data / "maestro-v3.0.0").split(split)
    assert len(corpus) == recordings
    assert len(SegmentTable.over(corpus.recordings, WindowGrid(4.0, 1.0, 100))) == segments
