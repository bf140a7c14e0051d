"""Search finds the file, the place and the tempo; says how sure it is; and refuses what cannot be asked."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile
from matplotlib.image import imread
from numpy.typing import NDArray

from antiphon.audio import read_audio
from antiphon.baselines.template import TemplateEmbedder
from antiphon.corpora import Corpus, Recording
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.index.build import build_index
from antiphon.index.library import Library
from antiphon.index.search import TEMPI, Line, match_lines, search, thin_out
from antiphon.index.store import Store
from antiphon.notes import Notes, read_notes, write_midi
from antiphon.pictures import draw_match
from helpers import scale, sine, write_scale, write_sine

NEAR_S = 0.5
EMBEDDER = TemplateEmbedder()


class Orthogonal(NamedTuple):
    """A library of recordings whose windows, a second apart, have nothing to do with each other."""

    windows: tuple[int, ...]
    same: tuple[tuple[int, int], ...] = ()
    """Pairs of recordings that hold the same windows."""

    @property
    def rows(self) -> NDArray[np.float32]:
        # One more dimension than there are windows: for what is in no library.
        rows = np.eye(sum(self.windows) + 1, dtype=np.float32)[:-1]
        edges = np.cumsum([0, *self.windows])
        for original, copy in self.same:
            rows[edges[copy] : edges[copy + 1]] = rows[edges[original] : edges[original + 1]]
        return rows

    def library(self) -> Library:
        return Library(
            self.rows.astype(np.float16),
            np.concatenate([np.arange(count, dtype=np.float64) for count in self.windows]),
            np.cumsum([0, *self.windows]),
            tuple(f"{number}.mid" for number in range(len(self.windows))),
            np.array(self.windows) + 3.0,
        )

    def query(self, recording: int, offset_s: float, tempo: float, start_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """Windows that are a library window where one is nearest in time, and else like nothing."""
        first = int(np.sum(self.windows[:recording]))
        place_s = offset_s + tempo * start_s
        nearest = np.rint(place_s).astype(int)
        met = np.abs(place_s - nearest) <= tempo * 0.05 + 1e-9
        met &= (nearest >= 0) & (nearest < self.windows[recording])
        query = np.zeros((len(start_s), sum(self.windows) + 1), np.float32)
        query[:, -1] = ~met
        query[met] = self.rows[first + nearest[met]]
        return query

    def ask(self, recording: int, offset_s: float, tempo: float = 1.0, query_s: float = 12.0) -> list[Line]:
        start_s = np.arange(0.0, query_s, 0.1)
        return match_lines(self.query(recording, offset_s, tempo, start_s), start_s, self.library(), 1.0)


THREE = Orthogonal((40, 30, 50))


class TestLines:
    @pytest.mark.parametrize("recording", [0, 1, 2])
    @pytest.mark.parametrize("offset_s", [0.0, 7.3, 16.9])
    def test_find_recording_and_place(self, recording: int, offset_s: float):
        found = THREE.ask(recording, offset_s)
        assert found[0].recording == recording
        assert found[0].offset_s == pytest.approx(offset_s, abs=1e-6)
        assert (found[0].tempo, found[0].score, found[0].confidence) == (1.0, pytest.approx(1.0), 1.0)
        assert [line.score for line in found[1:]] == [0.0, 0.0]

    @pytest.mark.parametrize("tempo", TEMPI)
    def test_find_every_tempo(self, tempo: float):
        offset_s = 70 * 0.1 * tempo
        best = THREE.ask(2, offset_s, tempo, query_s=16.0)[0]
        assert (best.recording, best.tempo) == (2, tempo)
        assert best.offset_s == pytest.approx(offset_s, abs=0.1)
        assert best.score == pytest.approx(1.0, abs=0.01)

    def test_have_tempi_on_both_sides_of_one(self):
        assert {1.0, 0.8409, 1.1892} <= set(TEMPI)
        np.testing.assert_allclose(np.diff(np.log2(TEMPI)), 1 / 16, atol=1e-4)

    @pytest.mark.parametrize("tempo", [0.8409, 1.0, 1.0443, 1.1892])
    @pytest.mark.parametrize("query_s", [50.0, 95.0, 170.0])
    def test_find_the_tempo_of_long_queries_too(self, tempo: float, query_s: float):
        """Long queries are thinned out; what is left must still meet the library's windows, whatever the tempo."""
        long = Orthogonal((300, 250))
        start_s = np.arange(0.0, query_s, 0.1)
        start_s = start_s[thin_out(np.arange(len(start_s)), 1.0)]
        assert len(start_s) <= 400
        best = match_lines(long.query(1, 3.7 * tempo, tempo, start_s), start_s, long.library(), 1.0)[0]
        assert (best.recording, best.tempo) == (1, tempo)
        assert best.offset_s == pytest.approx(3.7 * tempo, abs=0.1)
        assert best.score == pytest.approx(1.0, abs=0.2)

    def test_are_sure_of_a_recording_alone_and_unsure_between_twins(self):
        assert Orthogonal((40,)).ask(0, 5.0)[0].confidence == 1.0
        first, second, third = Orthogonal((40, 40, 30), same=((0, 1),)).ask(0, 5.0)
        assert {first.recording, second.recording} == {0, 1}
        assert first.score == second.score == pytest.approx(1.0)
        assert (first.confidence, second.confidence) == (0.0, 0.0)
        assert third.score == 0.0

    def test_doubt_in_proportion_to_what_others_hold(self):
        """Half of the query's windows are in another recording as well."""
        library = Orthogonal((40, 40))
        rows = library.rows
        rows[40 + 20 : 40 + 26] = rows[5:11]
        start_s = np.arange(0.0, 12.0, 0.1)
        shared = library.library()
        shared = Library(rows.astype(np.float16), shared.start_s, shared.offset, shared.paths, shared.duration_s)
        best = match_lines(library.query(0, 5.0, 1.0, start_s), start_s, shared, 1.0)[0]
        assert best.recording == 0
        assert best.confidence == pytest.approx(0.5, abs=0.1)

    @pytest.mark.parametrize("offset_s", [-6.0, 35.0])
    def test_may_begin_before_a_recording_or_end_after_it(self, offset_s: float):
        """Half of a query of 12 s lies outside; it is found, with half the score."""
        best = THREE.ask(0, offset_s)[0]
        assert best.recording == 0
        assert best.offset_s == pytest.approx(offset_s, abs=1e-6)
        assert best.score == pytest.approx(0.5, abs=0.1)

    def test_of_a_single_window_are_its_nearest_window(self):
        lines = THREE.ask(1, 17.0, query_s=0.05)
        assert (lines[0].recording, lines[0].offset_s, lines[0].tempo) == (1, pytest.approx(17.0), 1.0)
        assert lines[0].score == pytest.approx(1.0)

    def test_are_sorted_and_one_to_a_recording(self):
        many = Orthogonal((12,) * 60)
        start_s = np.arange(0.0, 5.0, 0.1)
        query = sum((9 - number) * many.query(number, 2.0, 1.0, start_s) for number in range(5))
        query /= np.linalg.norm(query, axis=1, keepdims=True)
        lines = match_lines(query, start_s, many.library(), 1.0)
        assert [line.recording for line in lines[:5]] == [0, 1, 2, 3, 4]
        assert all(one.score >= two.score for one, two in pairwise(lines))
        assert len({line.recording for line in lines}) == len(lines) == 50

    def test_do_not_depend_on_how_the_library_is_cut_into_chunks(self, monkeypatch: pytest.MonkeyPatch):
        whole = THREE.ask(1, 7.3)
        monkeypatch.setattr("antiphon.index.neighbours.CHUNK_VALUES", 7 * 121)
        assert THREE.ask(1, 7.3) == whole


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
            assert (best.query_start_s, best.query_end_s) == (start_s, start_s + 10.0)
            assert best.tempo == 1.0
            assert best.confidence > 0.5

    def test_finds_a_whole_file(self, some: tuple[Recording, ...], store: Store):
        for one in some[:3]:
            best = search(one.notes_path, store, EMBEDDER)[0]
            assert Path(best.file) == one.audio_path.resolve()
            assert abs(best.start_s) <= NEAR_S
            assert best.query_start_s == 0.0
            assert best.query_end_s == pytest.approx(read_notes(one.notes_path).end_s, abs=0.1)

    def test_finds_a_performance_at_another_tempo(self, some: tuple[Recording, ...], store: Store, tmp_path: Path):
        """4 % slower, a note file's windows lie along a line of slope 0.96 in the recording."""
        one, notes = some[1], read_notes(some[1].notes_path)
        slower = Notes.of(notes.onset_s * 1.0443, notes.duration_s * 1.0443, notes.pitch, notes.velocity)
        write_midi(slower, tmp_path / "slower.mid")
        best = search(tmp_path / "slower.mid", store, EMBEDDER, 10.0, 15.0)[0]
        assert Path(best.file) == one.audio_path.resolve()
        assert best.tempo == 0.9576
        assert abs(best.start_s - 10.0 / 1.0443) <= NEAR_S

    def test_gives_at_most_one_hit_a_recording_best_first_and_no_more_than_asked_for(
        self, some: tuple[Recording, ...], store: Store
    ):
        hits = search(some[0].notes_path, store, EMBEDDER, 5.0, 8.0)
        assert len({hit.file for hit in hits}) == len(hits) == len(some)
        assert all(one.score >= two.score for one, two in pairwise(hits))
        assert all(0 <= hit.confidence <= 1 for hit in hits)
        assert search(some[0].notes_path, store, EMBEDDER, 5.0, 8.0, top=2) == hits[:2]

    def test_searches_the_other_side_unless_told_otherwise(self, some: tuple[Recording, ...], store: Store):
        one = some[3]
        assert one.audio_path is not None
        for query in (one.audio_path, one.notes_path):
            for against, answer in (("audio", one.audio_path), ("notes", one.notes_path)):
                best = search(query, store, EMBEDDER, 7.3, 10.0, against=against)[0]
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
                search(files[4], store, EMBEDDER, 7.3, 10.0, against="audio")

    def test_a_stretch_that_passes_the_end_is_cut_off_there(self, some: tuple[Recording, ...], store: Store):
        one = some[0]
        assert one.audio_path is not None
        best = search(one.audio_path, store, EMBEDDER, 30.0, 1000.0)[0]
        assert best.query_end_s == pytest.approx(one.duration_s, abs=0.01)
        assert Path(best.file) == one.notes_path.resolve()
        best = search(one.notes_path, store, EMBEDDER, 30.0, 1e9)[0]
        assert best.query_end_s == pytest.approx(read_notes(one.notes_path).end_s, abs=0.01)
        assert Path(best.file) == one.audio_path.resolve()

    @pytest.mark.parametrize("side", ["audio", "notes"])
    @pytest.mark.parametrize(
        ("start_s", "length_s", "says"),
        [
            (500.0, None, "ends before second 500|nothing sounds"),
            (500.0, 10.0, "ends before second 500|nothing sounds"),
            (5.0, 3.0, r"3\.00 s .*too short; a window needs 4 s"),
            (5.0, 0.0, r"0\.00 s .*too short; a window needs 4 s"),
            (5.0, -1.0, r"-1\.00 s .*too short; a window needs 4 s"),
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

    def test_a_query_of_a_few_notes_is_answered(self, store: Store, tmp_path: Path):
        hits = search(write_scale(tmp_path / "three.mid", count=3), store, EMBEDDER)
        assert len(hits) == 7
        assert (hits[0].tempo, hits[0].query_end_s) == (1.0, 4.0)

    def test_a_copy_of_a_recording_takes_its_confidence_away(
        self, some: tuple[Recording, ...], store: Store, tmp_path: Path
    ):
        sure = search(some[0].audio_path, store, EMBEDDER, 7.3, 10.0)[0]
        for name in ("one.mid", "two.mid"):
            shutil.copy(some[0].notes_path, tmp_path / name)
        build_index([tmp_path, some[1].notes_path], EMBEDDER, "template", tmp_path / "index")
        with Store(tmp_path / "index") as twins:
            hits = search(some[0].audio_path, twins, EMBEDDER, 7.3, 10.0)
        assert {Path(hit.file).name for hit in hits[:2]} == {"one.mid", "two.mid"}
        assert hits[0].score == hits[1].score == sure.score
        assert max(hits[0].confidence, hits[1].confidence) == 0.0 < sure.confidence


class TestPicture:
    @pytest.mark.parametrize("title", ["found at 7.3 s [1] & <b>", "worth $_{$ \\frac"])
    def test_is_a_png_in_which_something_is_drawn(self, some: tuple[Recording, ...], tmp_path: Path, title: str):
        one, path = some[0], tmp_path / "new" / "match.png"
        assert one.audio_path is not None
        samples = read_audio(one.audio_path, 24_000, 7.3, 10.0)
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
