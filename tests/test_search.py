"""Search finds the file, the place and the tempo; says how sure it is; and refuses what cannot be asked."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.image import imread

from antiphon.alignment.confidence import LIKELY
from antiphon.corpora import Corpus, Recording
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.experiments.pictures import draw_match
from antiphon.index.build import build_index
from antiphon.index.match import Match
from antiphon.index.search import SearchOptions, search
from antiphon.index.store import Store
from antiphon.io.audio import read_samples
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes, write_midi
from antiphon.models.template import TemplateEmbedder
from antiphon.signal.varispeed import varispeed
from helpers import scale, sine, write_scale, write_sine

NEAR_S = 0.5
EMBEDDER = TemplateEmbedder()


@pytest.fixture(scope="module")
def some(demo: Corpus) -> tuple[Recording, ...]:
    return demo.recordings[2::6]


@pytest.fixture(scope="module")
def built(some: tuple[Recording, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of seven recordings, sound and notes; tests must leave it as it is."""
    place = tmp_path_factory.mktemp("library")
    files = [path for one in some for path in (one.notes_path, one.audio_path) if path is not None]
    report = build_index(files, EMBEDDER, "template", place / "index")
    assert report.embedded == 2 * len(some) == 14
    return place / "index"


@pytest.fixture
def store(built: Path) -> Iterator[Store]:
    with Store(built) as found:
        yield found


class TestSearch:
    @pytest.mark.parametrize("start_s", [7.3, 21.37])
    @pytest.mark.parametrize("asks", ["audio", "notes"])
    def test_finds_file_and_place(self, some: tuple[Recording, ...], store: Store, asks: str, start_s: float):
        for one in some:
            sides = [one.audio_path, one.notes_path]
            query, answer = sides if asks == "audio" else sides[::-1]
            assert query is not None
            assert answer is not None
            best = search(query, store, EMBEDDER, start_s, 10.0)[0]
            assert Path(best.file) == answer.resolve()
            assert abs(best.start_s - start_s) <= NEAR_S
            assert abs(best.end_s - (start_s + 10.0)) <= NEAR_S
            assert best.query_start_s == pytest.approx(start_s, abs=0.1)
            assert best.query_end_s == pytest.approx(start_s + 10.0, abs=0.1)
            assert best.tempo == pytest.approx(1.0, abs=0.01)
            assert best.semitones == 0
            assert best.confidence > LIKELY

    def test_finds_a_whole_file(self, some: tuple[Recording, ...], store: Store):
        for one in some[:3]:
            best = search(one.notes_path, store, EMBEDDER)[0]
            assert Path(best.file) == one.audio_path.resolve()
            notes = read_notes(one.notes_path)
            assert abs(best.start_s - float(notes.onset_s[0])) <= NEAR_S
            assert best.query_start_s == pytest.approx(float(notes.onset_s[0]), abs=0.1)
            assert best.query_end_s == pytest.approx(notes.end_s, abs=0.2)

    @pytest.mark.parametrize("tempo", [0.5, 0.72, 1.06, 1.35, 1.8])
    def test_finds_a_performance_at_another_tempo(
        self, some: tuple[Recording, ...], store: Store, tmp_path: Path, tempo: float
    ):
        """A query second is `tempo` seconds of the recording."""
        one, notes = some[1], read_notes(some[1].notes_path)
        faster = Notes.of(notes.onset_s / tempo, notes.duration_s / tempo, notes.pitch, notes.velocity)
        write_midi(faster, tmp_path / "faster.mid")
        best = search(tmp_path / "faster.mid", store, EMBEDDER, 10.0, 12.0)[0]
        assert Path(best.file) == one.audio_path.resolve()
        assert best.tempo == pytest.approx(tempo, rel=0.015)
        assert abs(best.start_s - best.query_start_s * tempo) <= NEAR_S
        assert abs(best.end_s - best.query_end_s * tempo) <= NEAR_S

    def test_finds_a_performance_that_slows_down(self, some: tuple[Recording, ...], store: Store, tmp_path: Path):
        """From 10 % too fast to 10 % too slow within 36 s: no line, but a chain of them."""
        one, notes = some[1], read_notes(some[1].notes_path)
        end_s = notes.end_s

        def bent(second: np.ndarray) -> np.ndarray:
            return second * 0.9 + second**2 * 0.1 / end_s

        onset_s = bent(notes.onset_s)
        write_midi(
            Notes.of(onset_s, bent(notes.onset_s + notes.duration_s) - onset_s, notes.pitch, notes.velocity),
            tmp_path / "slower.mid",
        )
        best = search(tmp_path / "slower.mid", store, EMBEDDER)[0]
        assert Path(best.file) == one.audio_path.resolve()
        assert best.start_s == pytest.approx(float(notes.onset_s[0]), abs=NEAR_S)
        assert best.end_s == pytest.approx(end_s, abs=NEAR_S)

    @pytest.mark.parametrize("semitones", [-6, 4])
    def test_finds_what_is_transposed_where_asked_to(
        self, some: tuple[Recording, ...], store: Store, tmp_path: Path, semitones: int
    ):
        one, notes = some[2], read_notes(some[2].notes_path)
        moved = notes.pitch.astype(int) + semitones
        write_midi(Notes.of(notes.onset_s, notes.duration_s, moved, notes.velocity), tmp_path / "other.mid")
        best = search(tmp_path / "other.mid", store, EMBEDDER, 10.0, 10.0, options=SearchOptions(transpose=True))[0]
        assert (Path(best.file), best.semitones) == (one.audio_path.resolve(), semitones)
        assert abs(best.start_s - 10.0) <= NEAR_S
        plain = search(tmp_path / "other.mid", store, EMBEDDER, 10.0, 10.0)
        assert {hit.semitones for hit in plain} == {0}
        assert plain[0].confidence < best.confidence

    def test_finds_a_recording_that_is_out_of_tune(self, some: tuple[Recording, ...], store: Store, tmp_path: Path):
        """A tape that runs 40 cents too slow is at another pitch and another tempo."""
        one, speed = some[2], 2 ** (-40 / 1200)
        samples = read_samples(one.audio_path, 24_000)
        length = int(len(samples) / speed) - 2
        soundfile.write(tmp_path / "slow.wav", varispeed(samples, speed, length), 24_000)
        best = search(
            tmp_path / "slow.wav", store, EMBEDDER, 10.0, 12.0, options=SearchOptions(against="notes", transpose=True)
        )[0]
        assert Path(best.file) == one.notes_path.resolve()
        assert best.tempo == pytest.approx(speed, rel=0.01)
        assert abs(best.start_s - best.query_start_s * speed) <= NEAR_S

    def test_gives_every_place_where_a_piece_repeats(self, some: tuple[Recording, ...], tmp_path: Path):
        notes = read_notes(some[0].notes_path)
        kept = (notes.onset_s >= 5.0) & (notes.onset_s < 17.0)
        onset_s, *columns = (column[kept] for column in (notes.onset_s, notes.duration_s, notes.pitch, notes.velocity))
        twice = Notes.of(np.concatenate([onset_s - 5.0, onset_s + 35.0]), *(np.tile(column, 2) for column in columns))
        write_midi(twice, tmp_path / "twice.mid")
        build_index([tmp_path, some[1].notes_path], EMBEDDER, "template", tmp_path / "index", only="notes")
        with Store(tmp_path / "index") as repeated:
            hits = search(some[0].audio_path, repeated, EMBEDDER, 5.0, 10.0)
        assert [Path(hit.file).name for hit in hits[:2]] == ["twice.mid", "twice.mid"]
        assert sorted(hit.start_s for hit in hits[:2]) == pytest.approx([0.0, 40.0], abs=NEAR_S)
        assert hits[0].score == pytest.approx(hits[1].score, abs=0.02)

    def test_finds_both_pieces_of_a_query_that_holds_two(
        self, some: tuple[Recording, ...], store: Store, tmp_path: Path
    ):
        parts = [read_samples(one.audio_path, 24_000, 5.0, 24.0) for one in some[:2]]
        soundfile.write(tmp_path / "both.wav", np.concatenate(parts), 24_000)
        hits = search(tmp_path / "both.wav", store, EMBEDDER, options=SearchOptions(against="notes"))[:2]
        assert {Path(hit.file) for hit in hits} == {one.notes_path.resolve() for one in some[:2]}
        first, second = sorted(hits, key=lambda hit: hit.query_start_s)
        assert (first.query_end_s, second.query_start_s) == pytest.approx((24.0, 24.0), abs=NEAR_S)
        assert (first.start_s, second.start_s) == pytest.approx((5.0, 5.0), abs=NEAR_S)

    def test_is_not_sure_of_what_is_not_there(self, some: tuple[Recording, ...], tmp_path: Path):
        build_index([one.notes_path for one in some[1:]], EMBEDDER, "template", tmp_path / "index")
        with Store(tmp_path / "index") as others:
            absent = search(some[0].audio_path, others, EMBEDDER, 10.0, 20.0)
            present = search(some[1].audio_path, others, EMBEDDER, 10.0, 20.0)
        assert all(hit.confidence < LIKELY for hit in absent)
        assert present[0].confidence > 0.9

    def test_goes_on_without_files_that_are_gone(self, some: tuple[Recording, ...], tmp_path: Path):
        for number in (0, 1):
            shutil.copy(some[number].notes_path, tmp_path / f"{number}.mid")
        build_index([tmp_path], EMBEDDER, "template", tmp_path / "index")
        (tmp_path / "0.mid").unlink()
        with Store(tmp_path / "index") as store:
            found = {Path(hit.file).name: hit.gone for hit in search(some[0].audio_path, store, EMBEDDER, 5.0, 10.0)}
            assert found["0.mid"]  # its notes are in the index
            assert not found.get("1.mid", False)
            assert Path(search(some[1].audio_path, store, EMBEDDER, 5.0, 10.0)[0].file).name == "1.mid"

    def test_compares_notes_as_they_were_indexed(self, some: tuple[Recording, ...], tmp_path: Path):
        shutil.copy(some[0].notes_path, tmp_path / "0.mid")
        build_index([tmp_path], EMBEDDER, "template", tmp_path / "index")
        with Store(tmp_path / "index") as store:
            library, notes = store.library("notes"), read_notes(some[0].notes_path)
            onsets = library.onsets_in(0)
            for name in ("onset_s", "pitch", "velocity"):
                np.testing.assert_array_equal(getattr(onsets, name), getattr(notes, name))
            before = search(some[0].audio_path, store, EMBEDDER, 5.0, 10.0)
            shutil.copy(some[1].notes_path, tmp_path / "0.mid")
            assert search(some[0].audio_path, store, EMBEDDER, 5.0, 10.0) == before

    def test_gives_best_hits_first_and_no_more_than_asked_for(self, some: tuple[Recording, ...], store: Store):
        hits = search(some[0].notes_path, store, EMBEDDER, 5.0, 8.0)
        assert len(hits) == 10
        assert all(one.confidence >= two.confidence for one, two in pairwise(hits))
        assert all(0 <= hit.confidence <= 1 for hit in hits)
        two = search(some[0].notes_path, store, EMBEDDER, 5.0, 8.0, SearchOptions(top=2))
        assert two[0] == hits[0]
        assert two[1].file != hits[0].file
        repeats = search(some[0].notes_path, store, EMBEDDER, 5.0, 8.0, SearchOptions(top=2, repeats=True))
        assert repeats == hits[:2]

    def test_searches_the_other_side_unless_told_otherwise(self, some: tuple[Recording, ...], store: Store):
        one = some[3]
        assert one.audio_path is not None
        for query in (one.audio_path, one.notes_path):
            for against, answer in (("audio", one.audio_path), ("notes", one.notes_path)):
                best = search(query, store, EMBEDDER, 7.3, 10.0, options=SearchOptions(against=against))[0]
                assert Path(best.file) == answer.resolve()
                assert abs(best.start_s - 7.3) <= NEAR_S
        assert {Path(hit.file).suffix for hit in search(one.audio_path, store, EMBEDDER, 7.3, 10.0)} == {".mid"}
        assert {Path(hit.file).suffix for hit in search(one.notes_path, store, EMBEDDER, 7.3, 10.0)} == {".flac"}

    def test_searches_its_own_side_where_there_is_no_other(self, some: tuple[Recording, ...], tmp_path: Path):
        files = [one.notes_path for one in some]
        build_index(files, EMBEDDER, "template", tmp_path / "index")
        with Store(tmp_path / "index") as store:
            best = search(files[4], store, EMBEDDER, 7.3, 10.0)[0]
            assert Path(best.file) == files[4].resolve()
            assert best.score > 0.5
            with pytest.raises(AntiphonError, match="holds no audio to search"):
                search(files[4], store, EMBEDDER, 7.3, 10.0, options=SearchOptions(against="audio"))

    def test_a_stretch_that_passes_the_end_is_cut_off_there(self, some: tuple[Recording, ...], store: Store):
        one = some[0]
        assert one.audio_path is not None
        best = search(one.audio_path, store, EMBEDDER, 30.0, 1000.0)[0]
        assert best.query_end_s == pytest.approx(read_notes(one.notes_path).end_s, abs=0.5)
        assert Path(best.file) == one.notes_path.resolve()
        best = search(one.notes_path, store, EMBEDDER, 30.0, 1e9)[0]
        assert best.query_end_s == pytest.approx(read_notes(one.notes_path).end_s, abs=0.5)
        assert Path(best.file) == one.audio_path.resolve()

    @pytest.mark.parametrize("side", ["audio", "notes"])
    @pytest.mark.parametrize(
        ("start_s", "length_s", "says"),
        [
            (500.0, None, "ends before second 500|nothing sounds"),
            (500.0, 10.0, "ends before second 500|nothing sounds"),
            (5.0, 2.9, r"2\.90 s .*too short; a search needs 3 s"),
            (5.0, 0.0, r"0\.00 s .*too short; a search needs 3 s"),
            (5.0, -1.0, r"-1\.00 s .*too short; a search needs 3 s"),
            (5.0, math.nan, "nan s of it is no length"),
            (5.0, math.inf, "inf s of it is no length"),
            (math.nan, None, "cannot start at second nan"),
            (-1.0, 10.0, "cannot start at second -1"),
        ],
    )
    def test_names_a_stretch_that_cannot_be_asked(
        self, some: tuple[Recording, ...], store: Store, side: str, start_s: float, length_s: float | None, says: str
    ):
        query = some[0].audio_path if side == "audio" else some[0].notes_path
        assert query is not None
        with pytest.raises(UnreadableInput, match=says) as caught:
            search(query, store, EMBEDDER, start_s, length_s)
        assert caught.value.path == query

    def test_names_a_query_that_cannot_be_used(self, store: Store, tmp_path: Path):
        (tmp_path / "empty.mid").touch()
        (tmp_path / "cover.jpg").write_bytes(b"\xff\xd8")
        soundfile.write(tmp_path / "silent.wav", sine(6.0, level=0.0), 24_000)
        queries = {
            write_sine(tmp_path / "short.wav", 2.0): r"2\.00 s of sound is too short",
            tmp_path / "silent.wav": "it is silent",
            tmp_path / "empty.mid": "empty",
            tmp_path / "cover.jpg": "neither a sound file nor a note file",
            tmp_path / "missing.flac": "no such file",
        }
        for query, says in queries.items():
            with pytest.raises(UnreadableInput, match=says):
                search(query, store, EMBEDDER)

    @pytest.mark.parametrize("length_s", [3.0, 3.5])
    def test_answers_queries_shorter_than_a_window(self, some: tuple[Recording, ...], store: Store, length_s: float):
        for query, answer in (
            (some[3].audio_path, some[3].notes_path),
            (some[3].notes_path, some[3].audio_path),
        ):
            hit = search(query, store, EMBEDDER, 12.0, length_s)[0]
            assert Path(hit.file) == answer.resolve()
            assert abs(hit.start_s - 12.0) <= NEAR_S

    def test_a_query_of_a_few_notes_is_answered(self, store: Store, tmp_path: Path):
        hits = search(write_scale(tmp_path / "three.mid", count=3), store, EMBEDDER)
        assert hits
        assert all(isinstance(hit, Match) for hit in hits)

    def test_a_copy_of_a_recording_is_found_as_well(self, some: tuple[Recording, ...], store: Store, tmp_path: Path):
        sure = search(some[0].audio_path, store, EMBEDDER, 7.3, 10.0)[0]
        for name in ("one.mid", "two.mid"):
            shutil.copy(some[0].notes_path, tmp_path / name)
        build_index([tmp_path, some[1].notes_path], EMBEDDER, "template", tmp_path / "index")
        with Store(tmp_path / "index") as twins:
            hits = search(some[0].audio_path, twins, EMBEDDER, 7.3, 10.0)
        assert {Path(hit.file).name for hit in hits[:2]} == {"one.mid", "two.mid"}
        assert hits[0].score == hits[1].score == sure.score
        assert hits[0].confidence == hits[1].confidence > 0.9


class TestPicture:
    @pytest.mark.parametrize("title", ["found at 7.3 s [1] & <b>", "worth $_{$ \\frac"])
    def test_is_a_png_in_which_something_is_drawn(self, some: tuple[Recording, ...], tmp_path: Path, title: str):
        one, path = some[0], tmp_path / "new" / "match.png"
        assert one.audio_path is not None
        samples = read_samples(one.audio_path, 24_000, 7.3, 10.0)
        draw_match(path, title, samples, 24_000, 7.3, read_notes(one.notes_path), (7.3, 17.3))
        assert path.read_bytes().startswith(b"\x89PNG")
        pixels = imread(path)[..., :3]
        height, width = pixels.shape[:2]
        assert (width, height) == (990, 630)
        coloured = pixels.max(axis=2) - pixels.min(axis=2) > 0.2
        assert coloured[: height // 2].mean() > 0.2  # the spectrogram
        assert coloured[height // 2 :].mean() > 0.01  # notes, and the match behind them

    def test_shows_the_notes_that_it_is_given(self, tmp_path: Path):
        blue = []
        for name, notes in (("some", scale()), ("none", Notes.of([], [], [], []))):
            draw_match(tmp_path / f"{name}.png", name, sine(6.0), 24_000, 0.0, notes, (0.0, 6.0))
            pixels = imread(tmp_path / f"{name}.png")[300:, :, :3]
            blue.append(int(((pixels[..., 2] > pixels[..., 0] + 0.2) & (pixels[..., 0] < 0.5)).sum()))
        assert blue[0] > 1000
        assert blue[1] == 0
