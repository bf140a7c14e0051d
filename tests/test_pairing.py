"""Recordings and note files with names that say nothing find each other; what has no partner is said to have none."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.search.pairing import MEASURES, Task, draw_task, may_be_one_work, score_pairing
from benchmarks.search.scoring import summarise
from typer.testing import CliRunner, Result

import antiphon
from antiphon.cli import app
from antiphon.corpora import Corpus, Recording
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.index import excerpts as excerpts_module
from antiphon.index.build import build_index
from antiphon.index.excerpts import excerpts, search_excerpts
from antiphon.index.match import Match
from antiphon.index.pairing import pair_recordings
from antiphon.index.pairing_result import TABLE_FIELDS, Pairing
from antiphon.index.store import Store
from antiphon.index.view import Filters
from antiphon.io.audio import read_samples, write_flac
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes, write_midi
from antiphon.models.template import TemplateEmbedder
from antiphon.rendering.additive import AdditivePiano
from helpers import sine, write_scale
from test_dtw import changing_tempo

RATE_HZ = 24_000
WORKS = ("Invention No. 2", "Sonatina No. 1", "Nocturne No. 2", "Toccata No. 2", "Invention No. 5", "Waltz No. 5")
EMBEDDER = TemplateEmbedder()


@pytest.fixture(scope="module")
def pieces(demo: Corpus) -> list[Recording]:
    """Six works, one performance each."""
    return [next(one for one in demo.recordings if f"- {work} " in one.id) for work in WORKS]


@pytest.fixture(scope="module")
def place(pieces: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Works 0 to 3 as sound, works 1 to 5 as notes, under numbers that run against each other."""
    folder = tmp_path_factory.mktemp("pairing")
    copy_sound(pieces[:4], folder / "audio")
    (folder / "midi" / "deeper").mkdir(parents=True)
    for number, one in enumerate(pieces[1:]):
        shutil.copy(one.notes_path, folder / "midi" / ("deeper" if number % 2 else "") / f"{9 - number}.mid")
    return folder


@pytest.fixture(scope="module")
def brief(place: Path) -> Path:
    """The first twelve seconds of the same sound: where it is the command that counts."""
    folder = place / "brief"
    folder.mkdir()
    for path in (place / "audio").iterdir():
        write_flac(folder / path.name, read_samples(path, RATE_HZ, 0.0, 12.0), RATE_HZ)
    return folder


def copy_sound(pieces: Sequence[Recording], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    copies = []
    for number, one in enumerate(pieces):
        assert one.audio_path is not None
        copies.append(Path(shutil.copy(one.audio_path, folder / f"take {number}.flac")))
    return copies


def pair_with(recordings: Sequence[Path], notes: Path | Sequence[Path], index: Path, **how) -> Pairing:
    build_index([notes] if isinstance(notes, Path) else notes, EMBEDDER, "template", index, only="notes")
    with Store(index) as store:
        return pair_recordings(recordings, store, EMBEDDER, **how)


def as_names(pairing: Pairing) -> dict[str, str]:
    return {Path(one.recording).name: Path(one.file).name for one in pairing.pairs}


def command(*words: object) -> Result:
    return CliRunner().invoke(app, ["pair", *map(str, words), "--model", "template"])


@pytest.fixture(scope="module")
def paired(place: Path) -> Pairing:
    return pair_with(sorted((place / "audio").iterdir()), place / "midi", place / "index")


class TestPairing:
    def test_finds_the_partners_and_says_what_has_none(self, paired: Pairing):
        assert as_names(paired) == {"take 1.flac": "9.mid", "take 2.flac": "8.mid", "take 3.flac": "7.mid"}
        assert [Path(one.path).name for one in paired.recordings] == ["take 0.flac"]
        assert paired.recordings[0].confidence < 0.5
        assert paired.recordings[0].state == "unlike"
        assert sorted(Path(one.path).name for one in paired.files) == ["5.mid", "6.mid"]
        assert {one.state for one in paired.files} == {"unlike"}
        assert paired.skipped == ()

    def test_says_from_where_to_where_how_fast_and_how_sure(self, paired: Pairing, pieces: list[Recording]):
        assert len(paired.pairs) == 3
        for one, piece in zip(paired.pairs, pieces[1:4], strict=True):
            assert one.confidence >= 0.5
            assert one.path_confidence >= 0.9
            assert one.tempo == pytest.approx(1.0, abs=0.005)
            assert one.semitones == 0
            notes = read_notes(piece.notes_path, sustain=True)
            assert one.query_start_s == pytest.approx(float(notes.onset_s[0]), abs=0.05)
            assert one.query_end_s == pytest.approx(notes.end_s, abs=0.05)
            assert one.start_s == pytest.approx(one.query_start_s, abs=0.05)
            assert one.end_s == pytest.approx(one.query_end_s, abs=0.05)

    def test_has_the_times_of_the_notes(self, paired: Pairing, pieces: list[Recording]):
        for one, piece in zip(paired.pairs, pieces[1:4], strict=True):
            notes, alignment = read_notes(piece.notes_path), one.alignment
            assert (alignment.recording, alignment.notes) == (one.recording, one.file)
            written = alignment.note != ""
            assert written.sum() == len(notes)
            error_s = np.abs(alignment.recording_s - alignment.onset_s)[written]
            assert np.nanmedian(error_s) <= 0.02
            assert np.mean(error_s <= 0.05) >= 0.98
            # None is lost at the beginning and at the end.
            assert np.isfinite(error_s[:5]).all()
            assert np.isfinite(error_s[-5:]).all()

    def test_two_recordings_of_one_file_need_many(self, pieces: list[Recording], place: Path, tmp_path: Path):
        copies = copy_sound([pieces[1], pieces[1], pieces[2]], tmp_path / "audio")
        alone = pair_with(copies, place / "midi", tmp_path / "index")
        assert sorted(as_names(alone).values()) == ["8.mid", "9.mid"]
        (one,) = alone.recordings
        (other,) = (pair for pair in alone.pairs if pair.file == one.nearest)
        assert (one.state, Path(one.nearest).name) == ("taken", "9.mid")
        assert one.confidence >= 0.5
        assert one.reason.startswith(f"the partner of its nearest is {Path(other.recording).name}; --many")
        many = pair_with(copies, place / "midi", tmp_path / "index", many=True)
        assert as_names(many) == {"take 0.flac": "9.mid", "take 1.flac": "9.mid", "take 2.flac": "8.mid"}
        assert len(many.files) == 3

    def test_several_pieces_in_one_recording_are_named(
        self, pieces: list[Recording], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        parts = [read_samples(one.audio_path, RATE_HZ, 0.0, 30.0) for one in pieces[1:4] if one.audio_path]
        (tmp_path / "audio").mkdir()
        write_flac(tmp_path / "audio" / "tape.flac", np.concatenate(parts), RATE_HZ)
        monkeypatch.chdir(tmp_path)
        result = command("audio", place / "midi", "--index", "index")
        assert result.exit_code == 0, result.output
        assert "no notes for audio/tape.flac: its nearest is played in 1 of its 3 excerpts, and " in result.stdout
        assert ": several pieces?; nearest " in result.stdout
        assert result.stdout.count(": it is played in 1 of the 3 excerpts of its nearest; nearest audio/tape.flac") == 3
        assert (
            "hint: 1 recording may hold several pieces; list them with: antiphon setlist audio/tape.flac --index index"
            in (result.stderr)
        )

    def test_a_file_that_is_gone_before_its_alignment_is_skipped(
        self, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        def gone(*_: object) -> None:
            raise UnreadableInput("9.mid", "no such file")

        monkeypatch.setattr("antiphon.index.pairing.match_whole", gone)
        found = pair_with([place / "audio" / "take 1.flac"], place / "midi", tmp_path / "index")
        assert [str(error) for error in found.skipped] == ["9.mid: no such file"]
        (one,) = found.recordings
        assert (one.state, Path(one.nearest).name) == ("skipped", "9.mid")
        assert [Path(file.path).name for file in found.files if file.state == "skipped"] == ["9.mid"]

    def test_a_piece_within_a_longer_recording(self, pieces: list[Recording], place: Path, tmp_path: Path):
        other, piece = (read_samples(one.audio_path, RATE_HZ) for one in (pieces[0], pieces[1]) if one.audio_path)
        silence = np.zeros(5 * RATE_HZ, np.float32)
        write_flac(tmp_path / "concert.flac", np.concatenate([other[: 20 * RATE_HZ], silence, piece, silence]), RATE_HZ)
        one = pair_with([tmp_path / "concert.flac"], place / "midi", tmp_path / "index", min_confidence=0.4).pairs[0]
        assert Path(one.file).name == "9.mid"
        assert one.query_start_s == pytest.approx(25.0, abs=1.0)
        assert one.start_s == pytest.approx(0.0, abs=1.0)
        notes_end_s = read_notes(one.file).end_s
        assert one.query_end_s == pytest.approx(25.0 + notes_end_s, abs=0.5)
        assert one.end_s == pytest.approx(notes_end_s, abs=0.5)

    def test_reaches_no_further_than_both_sides_agree(self, pieces: list[Recording], place: Path, tmp_path: Path):
        """Before second 20 and after second 50 the recording and the notes go on, each with other music."""
        assert pieces[0].audio_path is not None
        assert pieces[1].audio_path is not None
        other, same = (read_samples(one.audio_path, RATE_HZ) for one in pieces[:2])
        sound = np.concatenate([other[: 20 * RATE_HZ], same[: 30 * RATE_HZ], other[20 * RATE_HZ :]])
        write_flac(tmp_path / "medley.flac", sound, RATE_HZ)
        third, written = (read_notes(piece.notes_path) for piece in (pieces[3], pieces[1]))
        parts = [(third.window(0.0, 20.0), 0.0), (written.window(0.0, 30.0), 20.0), (third.window(20.0, 18.0), 50.0)]
        starting = [(notes.onset_s >= 0, notes, at_s) for notes, at_s in parts]
        columns = [
            np.concatenate(
                [getattr(notes, name)[kept] + (at_s if name == "onset_s" else 0) for kept, notes, at_s in starting]
            )
            for name in ("onset_s", "duration_s", "pitch", "velocity")
        ]
        (tmp_path / "midi").mkdir()
        write_midi(Notes.of(*columns), tmp_path / "midi" / "medley.mid")
        notes = [tmp_path / "midi", place / "midi" / "deeper"]
        one = pair_with([tmp_path / "medley.flac"], notes, tmp_path / "index", min_confidence=0.2).pairs[0]
        assert Path(one.file).name == "medley.mid"
        edges = (one.query_start_s, one.query_end_s, one.start_s, one.end_s)
        assert edges == pytest.approx((20.0, 50.0, 20.0, 50.0), abs=2.5)

    def test_a_recording_of_a_part_of_the_notes(self, pieces: list[Recording], place: Path, tmp_path: Path):
        assert pieces[2].audio_path is not None
        write_flac(tmp_path / "part.flac", read_samples(pieces[2].audio_path, RATE_HZ, 11.0, 9.0), RATE_HZ)
        one = pair_with([tmp_path / "part.flac"], place / "midi", tmp_path / "index").pairs[0]
        assert Path(one.file).name == "8.mid"
        edges = (one.query_start_s, one.query_end_s, one.start_s, one.end_s)
        assert edges == pytest.approx((0.0, 9.0, 11.0, 20.0), abs=0.2)

    def test_filters_leave_files_out_and_links_keep_their_names(self, place: Path, tmp_path: Path):
        (tmp_path / "links").mkdir()
        (tmp_path / "links" / "linked.mid").symlink_to(place / "midi" / "9.mid")
        recording = place / "audio" / "take 1.flac"
        found = pair_with([recording], [place / "midi", tmp_path / "links"], tmp_path / "index")
        assert len(found.pairs) == 1
        assert len(found.files) == 5
        within = Filters(folder=tmp_path / "links")
        only = pair_with([recording], [place / "midi", tmp_path / "links"], tmp_path / "index", filters=within)
        assert as_names(only) == {"take 1.flac": "linked.mid"}
        assert only.files == ()

    def test_names_recordings_that_cannot_be_used(self, place: Path, tmp_path: Path):
        (tmp_path / "empty.wav").touch()
        (tmp_path / "damaged.flac").write_bytes(b"fLaC" + bytes(100))
        write_flac(tmp_path / "short.flac", sine(2.0), RATE_HZ)
        write_flac(tmp_path / "silent.flac", sine(60.0, level=0.0), RATE_HZ)
        recordings = [*sorted(tmp_path.iterdir()), place / "audio" / "take 1.flac"]
        found = pair_with(recordings, place / "midi", tmp_path / "index")
        assert as_names(found) == {"take 1.flac": "9.mid"}
        reasons = {error.path.name: error.reason for error in found.skipped}
        assert set(reasons) == {"empty.wav", "damaged.flac", "short.flac", "silent.flac"}
        assert "too short" in reasons["short.flac"]
        assert "silent" in reasons["silent.flac"]

    def test_an_index_without_notes_is_an_error(self, place: Path, tmp_path: Path):
        build_index([place / "audio"], EMBEDDER, "template", tmp_path / "index")
        with Store(tmp_path / "index") as store, pytest.raises(AntiphonError, match="holds no notes"):
            pair_recordings([place / "audio" / "take 1.flac"], store, EMBEDDER)


class TestExcerpts:
    """The excerpts of a recording and what they say."""

    def test_excerpts_without_a_file_count_as_nothing_and_silent_ones_not_at_all(
        self, monkeypatch: pytest.MonkeyPatch, place: Path, paired: Pairing
    ):
        assert paired.pairs, "the index is there once something was paired"
        hit = Match("x.mid", 0.0, 20.0, 0.0, 20.0, 1.0, 0, 0.4, 0.9)
        answers: list[list[Match] | None] = [[hit, replace(hit, confidence=0.2)], [], None]

        def search(recording: Path, *_: object, **__: object) -> list[Match]:
            answer = answers.pop(0)
            if answer is None:
                raise UnreadableInput(recording, "it is silent")
            return answer

        monkeypatch.setattr(excerpts_module, "search_library", search)
        with Store(place / "index") as store:
            library = store.library("notes")
            found = search_excerpts(place / "audio" / "take 1.flac", library, EMBEDDER, Filters(), False)
        assert answers == []
        assert found.mean("confidence") == {"x.mid": pytest.approx(0.45)}

    @pytest.mark.parametrize("duration_s", [3.0, 40.0, 40.1, 100.0, 600.0, 7200.0])
    def test_excerpts_lie_within_the_recording_and_reach_its_ends(self, duration_s: float):
        found = excerpts(duration_s)
        assert 1 <= len(found) <= 6
        assert found[0][0] == 0.0
        last_s, length_s = found[-1]
        assert duration_s == pytest.approx(duration_s if length_s is None else last_s + length_s)


class TestAligned:
    def test_notes_follow_a_recording_with_rubato(self, pieces: list[Recording], place: Path, tmp_path: Path):
        written = read_notes(pieces[1].notes_path, sustain=True)
        time_s, written_s = changing_tempo(np.random.default_rng(2), 50.0, 0.1)
        onset_s, offset_s = (np.interp(at, written_s, time_s) for at in (written.onset_s, written.offset_s))
        played = Notes.of(onset_s, offset_s - onset_s, written.pitch, written.velocity)
        sound = AdditivePiano(RATE_HZ).render(played, played.end_s + 0.5)
        (tmp_path / "audio" / "late").mkdir(parents=True)
        write_flac(tmp_path / "audio" / "late" / "rubato.flac", sound, RATE_HZ)
        # A model that hears no other tempo is not sure, and need not be here.
        words = ("--index", tmp_path / "index", "--write", tmp_path / "out", "--min-confidence", 0.001)
        result = command(tmp_path / "audio", place / "midi", *words)
        assert result.exit_code == 0, result.output
        assert [path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.*")] == [
            Path("late/rubato.mid")
        ]
        aligned = read_notes(tmp_path / "out" / "late" / "rubato.mid")
        assert len(aligned) >= 0.98 * len(played)
        off_s = distances_s(aligned, played)
        assert np.median(off_s) <= 0.03
        assert np.quantile(off_s, 0.95) <= 0.06

    @pytest.mark.parametrize("higher", [2.0, -1.6])
    def test_notes_are_in_the_key_of_the_recording(
        self, pieces: list[Recording], place: Path, tmp_path: Path, higher: float
    ):
        """Played by a tape that runs too fast or too slow: the second is a quarter-tone out of tune besides."""
        speed = 2 ** (higher / 12)
        samples = read_samples(pieces[1].audio_path, round(RATE_HZ / speed), 0.0, 25.0)
        write_flac(tmp_path / "tape.flac", samples, RATE_HZ)
        found = pair_with([tmp_path / "tape.flac"], place / "midi", tmp_path / "index", transpose=True)
        (one,) = found.pairs
        assert one.semitones == one.alignment.semitones
        assert one.semitones in (np.floor(higher), np.ceil(higher))
        (path,) = found.write_aligned(tmp_path / "out")
        aligned = read_notes(path)
        written = read_notes(pieces[1].notes_path).within(0.0, 24.5)
        moved = Notes.of(
            written.onset_s / speed, written.duration_s / speed, written.pitch.astype(int) + one.semitones,
            written.velocity,
        )  # fmt: skip
        off_s = distances_s(aligned, moved)
        assert np.median(off_s) <= 0.02
        assert np.mean(off_s <= 0.05) >= 0.95


def distances_s(found: Notes, true: Notes) -> np.ndarray:
    """How far each true onset is from the nearest of the same pitch; a second where there is none."""
    off_s = np.ones(len(true))
    for number, (onset_s, pitch) in enumerate(zip(true.onset_s, true.pitch, strict=True)):
        same = found.onset_s[found.pitch == pitch]
        off_s[number] = np.abs(same - onset_s).min(initial=1.0)
    return off_s


@pytest.fixture(scope="class")
def pair_once() -> Iterator[None]:
    """The command computes the pairs of equal folders with equal options once; the tests compare forms of output."""
    with pytest.MonkeyPatch.context() as patch:
        found: dict[str, antiphon.Pairing] = {}

        def pair(*folders: Path, **options: Any) -> antiphon.Pairing:
            key = repr((folders, options))
            if key not in found:
                found[key] = compute(*folders, **options)
            return found[key]

        compute = antiphon.pair
        patch.setattr(antiphon, "pair", pair)
        yield


@pytest.mark.usefixtures("pair_once")
class TestCommand:
    def test_prints_the_table(self, place: Path, brief: Path, tmp_path: Path):
        result = command(brief, place / "midi", "--index", tmp_path / "index")
        assert result.exit_code == 0, result.output
        assert "take 1.flac = " in result.stdout
        assert "no notes for " in result.stdout
        assert result.stdout.count("no recording for ") == 2
        assert result.stdout.count(": nothing similar among the ") == 3
        summary = "3 pairs, 1 recording without notes, 2 note files without recording, 0 skipped"
        assert result.stdout.strip().endswith(summary)
        assert (tmp_path / "index" / "index.sqlite").exists()

    def test_json_and_csv_say_the_same(self, place: Path, brief: Path, cache: Path):
        result = command(brief, place / "midi", "--json")
        assert result.exit_code == 0, result.output
        facts = json.loads(result.stdout)
        keys = ["pairs", "recordings_without_notes", "notes_without_recording", "skipped", "warnings", "left_out"]
        assert list(facts) == keys
        assert len(facts["pairs"]) == 3
        assert len(facts["recordings_without_notes"]) == 1
        assert list((cache / "pairing").glob("*/index.sqlite"))
        rows = list(csv.DictReader(io.StringIO(command(brief, place / "midi", "--csv").stdout)))
        assert len(rows) == 3 + 1 + 2
        assert list(rows[0]) == list(TABLE_FIELDS)
        listed = [one | {"state": "paired"} for one in facts["pairs"]]
        listed += facts["recordings_without_notes"] + facts["notes_without_recording"]
        for row, one in zip(rows, listed, strict=True):
            assert {name: value for name, value in row.items() if value} == {
                name: str(value) for name, value in one.items() if value != ""
            }
        (alone,) = facts["recordings_without_notes"]
        assert set(alone) == {"recording", "state", "reason", "nearest", "confidence"}
        assert [(one["recording"], bool(one["file"])) for one in rows[4:]] == [("", True), ("", True)]

    def test_writes_the_table_to_a_file(self, place: Path, brief: Path, tmp_path: Path):
        for name, words in (("a.csv", ()), ("b.json", ()), ("c.txt", ("--csv",)), ("d.txt", ("--json",))):
            result = command(brief, place / "midi", *words, "--out", tmp_path / name)
            assert result.exit_code == 0, result.output
            assert "3 pairs" in result.output
        assert (tmp_path / "a.csv").read_text(encoding="utf-8") == (tmp_path / "c.txt").read_text(encoding="utf-8")
        assert (tmp_path / "b.json").read_text(encoding="utf-8") == (tmp_path / "d.txt").read_text(encoding="utf-8")
        assert len(json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))["pairs"]) == 3

    def test_names_broken_files_on_both_sides_and_goes_on(self, place: Path, brief: Path, tmp_path: Path):
        shutil.copytree(brief, tmp_path / "audio")
        shutil.copytree(place / "midi", tmp_path / "midi")
        (tmp_path / "audio" / "broken.wav").write_bytes(b"RIFF")
        (tmp_path / "midi" / "broken.mid").write_bytes(b"MThd")
        result = command(tmp_path / "audio", tmp_path / "midi", "--json")
        assert result.exit_code == 0, result.output
        assert "2 files skipped" in result.stderr
        facts = json.loads(result.stdout)
        assert len(facts["pairs"]) == 3
        assert [Path(one["file"]).name for one in facts["skipped"]] == ["broken.mid", "broken.wav"]
        assert all(one["reason"] for one in facts["skipped"])
        rows = list(csv.DictReader(io.StringIO(command(tmp_path / "audio", tmp_path / "midi", "--csv").stdout)))
        assert [(row["recording"], row["file"], row["state"], row["reason"]) for row in rows[-2:]] == [
            ("", facts["skipped"][0]["file"], "skipped", facts["skipped"][0]["reason"]),
            (facts["skipped"][1]["file"], "", "skipped", facts["skipped"][1]["reason"]),
        ]
        for name in ("broken.wav", "broken.mid"):
            assert any(line.startswith("skipped: ") and name in line for line in result.stderr.splitlines())

    def test_nothing_that_fits_is_no_failure(self, place: Path, brief: Path, tmp_path: Path):
        write_scale(tmp_path / "midi" / "scale.mid", count=40)
        result = command(brief, tmp_path / "midi", "--json")
        assert result.exit_code == 0, result.output
        facts = json.loads(result.stdout)
        assert facts["pairs"] == []
        assert len(facts["recordings_without_notes"]) == 4

    def test_nothing_usable_is_a_failure(self, place: Path, tmp_path: Path):
        for folder in ("none", "broken", "notes"):
            (tmp_path / folder).mkdir()
        (tmp_path / "broken" / "broken.wav").write_bytes(b"RIFF")
        (tmp_path / "notes" / "broken.mid").write_bytes(b"MThd")
        assert command(tmp_path / "broken", place / "midi").exit_code == 2
        for audio, notes, says in (
            ("missing", place / "midi", "no such folder"),
            ("none", place / "midi", "no audio files below it"),
            (place / "audio", tmp_path / "none", "no notes files below it"),
            (place / "audio", tmp_path / "notes", "none of its note files can be used"),
        ):
            result = command(tmp_path / audio, notes)
            assert result.exit_code != 0
            assert isinstance(result.exception, AntiphonError)
            assert says in str(result.exception)

    def test_two_formats_of_one_name_are_two_files(self, place: Path, brief: Path, tmp_path: Path):
        (tmp_path / "audio").mkdir()
        shutil.copy(brief / "take 1.flac", tmp_path / "audio" / "take.flac")
        shutil.copy(brief / "take 2.flac", tmp_path / "audio" / "take.FLAC")
        command(tmp_path / "audio", place / "midi", "--write", tmp_path / "out")
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["take.FLAC.mid", "take.flac.mid"]

    def test_has_help_with_an_example_and_one_form_at_a_time(self, place: Path, brief: Path):
        assert "Example: antiphon pair " in CliRunner().invoke(app, ["pair", "--help"]).stdout
        assert command(brief, place / "midi", "--json", "--csv").exit_code == 2


class TestBenchmark:
    """The task that the benchmark draws, and how its answers are counted."""

    def test_absent_works_are_absent_and_the_numbers_right(self, demo: Corpus):
        task = draw_task(demo, [], 7, recordings=9, files=7, without=2)
        assert task == draw_task(demo, [], 7, recordings=9, files=7, without=2)
        assert task != draw_task(demo, [], 8, recordings=9, files=7, without=2)
        assert (len(task.recordings), len(task.present), len(task.files)) == (9, 7, 9)
        by_path = {one.notes_path.resolve(): one for one in demo.recordings}
        inside = [by_path[path] for path in task.files]
        absent = [one for one in task.recordings if one.id not in task.present]
        assert len(absent) == 2
        assert not any(may_be_one_work(one, other) for one in absent for other in inside)
        assert {one.id for one in inside} > task.present

    def test_files_are_filled_up_from_folders_without_copies(self, demo: Corpus, tmp_path: Path):
        name = "maestro-v3.0.0.csv"
        columns = "canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration"
        lines = [f"Nobody,Etude {number},test,2004,{number}.mid,{number}.wav,6" for number in range(10, 14)]
        (tmp_path / name).write_text("\n".join([columns, *lines]) + "\n", encoding="utf-8")
        for number in range(10, 13):
            write_scale(tmp_path / f"{number}.mid", lowest=50 + number)
        shutil.copy(demo.recordings[0].notes_path, tmp_path / "13.mid")
        task = draw_task(demo, [tmp_path], 7, recordings=9, files=12, without=2)
        assert {path.name for path in task.files if path.parent == tmp_path.resolve()} == {"10.mid", "11.mid", "12.mid"}
        with pytest.raises(AntiphonError, match=r"not enough for 9 recordings × 13 files: .* 3 further files"):
            draw_task(demo, [tmp_path], 7, recordings=9, files=13, without=2)

    def test_two_spellings_may_be_one_work(self, demo: Corpus):
        one, other = replace(demo.recordings[0], composer="Mozart"), replace(demo.recordings[1], composer="Mozart")
        for title, another, same in (
            ("Sonata in F Major, K280", "Sonata in F Major, K. 280, 1st mov.", True),
            ("Rondo in A Minor", "Fantasy in D Minor", False),
            ("Op. 31 No. 1", "Op. 31/1", True),
        ):
            pair_of = replace(one, title=title, work=title), replace(other, title=another, work=another)
            assert may_be_one_work(*pair_of) is same
            assert not may_be_one_work(pair_of[0], replace(pair_of[1], composer="Haydn"))

    def test_counts_right_wrong_and_missing_pairs(self, demo: Corpus, paired: Pairing):
        pieces = demo.recordings[:5]
        task = Task(pieces, frozenset(one.id for one in pieces[:3]), ())
        pairs = []
        for one, file, start_s in ((0, 0, 0.2), (1, 2, 0.0), (4, 4, 0.0)):
            placed = replace(paired.pairs[0], recording=str(pieces[one].audio_path), start_s=start_s, end_s=30.0)
            placed = replace(placed, file=str(pieces[file].notes_path.resolve()), query_end_s=30.0)
            pairs.append(replace(placed, query_start_s=0.0))
        found = score_pairing(task, Pairing(tuple(pairs), (), (), ()), 1.0)
        facts = summarise(found, MEASURES)["measures"]
        assert (facts["right pairs"]["count"], facts["right pairs"]["of"]) == (1, 3)
        assert (facts["wrong pairs"]["count"], facts["wrong pairs"]["of"]) == (2, 5)
        assert facts["right pairs, both ends within 0.5 s"]["count"] == 1
        assert not facts["right pairs"]["met"]
        assert not facts["wrong pairs"]["met"]
