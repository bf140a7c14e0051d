"""Localisation of queries at arbitrary times against a slow oracle; ties and empty vectors; repeats of the music."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from antiphon.corpora import Corpus, Recording
from antiphon.corpora.segment_table import WindowGrid, cut_windows
from antiphon.errors import AntiphonError
from antiphon.evaluation import localisation
from antiphon.evaluation.localisation import EmbeddedRecording, Queries, localise, score_localisation
from antiphon.evaluation.repeats import is_repeat
from antiphon.io.notes import Notes, write_midi
from antiphon.models.template import TemplateEmbedder
from builders import random_notes, unit

SHORT, LONG = Queries(4.0, 0.5, per_recording=6), Queries(6.0, 1.0, per_recording=6)
SHIFTED = Queries(6.0, 0.3, per_recording=6, times=4)
NO_NOTES = Notes.of([], [], [], [])
DIRECTIONS = {"a2m": ("audio", "notes"), "m2a": ("notes", "audio")}
SCORES = ("place", "piece", "repeats_forgiven")


def synthetic(
    queries: Queries, windows: tuple[int, ...], works: str, noise: float = 0.5, seed: int = 0, notes: Notes = NO_NOTES
) -> list[EmbeddedRecording]:
    """Recordings of random windows; a query's windows are the nearest ones of the grid with noise of their own, which
    grows with the distance from them."""
    rng, width, made = np.random.default_rng(seed), 6, []
    for count, work in zip(windows, works, strict=True):
        common = rng.normal(size=(count, width))
        room = count - queries.windows + (queries.times > 1)
        start_s = rng.uniform(0, room, queries.per_recording) if room > 0 else np.zeros(0)
        begins_s = start_s[:, None, None] - queries.shifts_s[:, None] + np.arange(queries.windows)
        near = np.clip(np.rint(begins_s).astype(int), 0, count - 1)
        apart = np.abs(begins_s - near)[..., None] * (queries.times > 1)
        library = {side: unit(common + noise * rng.normal(size=common.shape)) for side in ("audio", "notes")}
        rows = {
            side: unit(
                (common[near] + (noise + 2 * apart**2) * rng.normal(size=(*near.shape, width))).reshape(-1, width)
            )
            for side in ("audio", "notes")
        }
        shaped = {side: own.reshape(*near.shape, width) for side, own in rows.items()}
        made.append(EmbeddedRecording(work, notes, library, shaped, start_s))
    return made


def slow_scores(recordings: list[EmbeddedRecording], queries: Queries, way: str) -> dict[str, float]:
    """Every query against every candidate, one cosine at a time."""
    query_side, library_side = DIRECTIONS[way]
    placed, in_piece, chances, count = 0, 0, [], 0
    for own, mine in enumerate(recordings):
        for number, start_s in enumerate(mine.start_s):
            candidates = []
            for other, theirs in enumerate(recordings):
                if other != own and theirs.work == mine.work:
                    continue
                for place in range(len(theirs.library[library_side]) - queries.windows + 1):
                    for shift, shift_s in enumerate(queries.shifts_s):
                        cosines, weights = [], []
                        for w in range(queries.windows):
                            window = mine.queries[query_side][number, shift, w]
                            cosines.append(float(np.dot(window, theirs.library[library_side][place + w])))
                            out_s = max(0.0, shift_s - w) + max(0.0, w - shift_s + 4.0 - queries.length_s)
                            weights.append(1 - queries.reaching_loses * out_s)
                        right = other == own and abs(place + shift_s - start_s) <= queries.tolerance_s
                        candidates.append((np.average(cosines, weights=weights), other == own, right))
            best = max(score for score, *_ in candidates)
            winners = [one for one in candidates if one[0] >= best - 1e-7]
            in_piece += all(own_piece for _, own_piece, _ in winners)
            placed += all(right for *_, right in winners)
            chances.append([np.mean([one[position] for one in candidates]) for position in (2, 1)])
            count += 1
    place, piece = 100 * np.mean(chances, axis=0)
    return {
        "place": 100 * placed / count,
        "piece": 100 * in_piece / count,
        "queries": count,
        "chance": {"place": place, "piece": piece},
    }


def of_one(recordings: list[EmbeddedRecording], queries: Queries) -> dict[str, list[float]]:
    """The three scores of each direction."""
    result = score_localisation(recordings, queries)
    return {way: [result[way][score] for score in SCORES] for way in DIRECTIONS}


@pytest.mark.parametrize("queries", [SHORT, LONG, SHIFTED], ids=["one window", "three windows", "shifted"])
@pytest.mark.parametrize("chunk", [1, 1 << 24], ids=["in blocks", "in one block"])
class TestScores:
    def test_equal_the_oracle(self, queries: Queries, chunk: int, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(localisation, "_CHUNK", chunk)
        recordings = synthetic(queries, (9, 2, 14, 6, 3, 11), "aabcdd", noise=1.1)
        result = score_localisation(recordings, queries)
        for way in DIRECTIONS:
            slow = slow_scores(recordings, queries, way)
            assert [result[way][name] for name in ("place", "piece", "queries")] == pytest.approx(
                [slow[name] for name in ("place", "piece", "queries")]
            )
            assert result["chance"] == pytest.approx(slow["chance"])
            assert 0 < slow["place"] < slow["piece"] < 100
            assert result[way]["repeats_forgiven"] == result[way]["place"]
        assert result["a2m"] != result["m2a"]
        assert result["library"] == 45

    def test_other_performances_are_no_candidates(self, queries: Queries, chunk: int, monkeypatch):
        monkeypatch.setattr(localisation, "_CHUNK", chunk)
        one, other = synthetic(queries, (12, 12), "ab", noise=0.0)
        twin = replace(one, queries=other.queries, start_s=other.start_s, library=one.library)
        perfect = {"a2m": [100.0] * 3, "m2a": [100.0] * 3}
        assert of_one([one, other], queries) == perfect
        silent = replace(twin, queries={side: rows[:0] for side, rows in twin.queries.items()}, start_s=np.zeros(0))
        assert of_one([one, replace(silent, work="a"), other], queries) == perfect
        half = {"a2m": [50.0] * 3, "m2a": [50.0] * 3}
        assert of_one([one, replace(silent, work="c"), other], queries) == half


def with_library(one: EmbeddedRecording, rows: NDArray[np.float32]) -> EmbeddedRecording:
    return replace(one, library={"audio": rows, "notes": rows})


class TestTies:
    @pytest.mark.parametrize("queries", [SHORT, LONG], ids=["one window", "three windows"])
    @pytest.mark.parametrize("value", [1.0, 0.0, np.nan])
    def test_a_constant_embedding_scores_zero(self, queries: Queries, value: float):
        recordings = []
        for one in synthetic(queries, (12, 12), "ab"):
            rows = {side: np.full_like(found, value) for side, found in one.library.items()}
            queried = {side: np.full_like(found, value) for side, found in one.queries.items()}
            recordings.append(replace(one, library=rows, queries=queried))
        assert of_one(recordings, queries) == {"a2m": [0.0] * 3, "m2a": [0.0] * 3}

    def test_an_equal_candidate_in_the_same_recording_is_an_error_of_place_but_not_of_piece(self):
        one, other = synthetic(SHORT, (12, 12), "ab", noise=0.0)
        again = with_library(one, np.concatenate([one.library["audio"]] * 2))
        assert of_one([again, other], SHORT)["a2m"] == [50.0, 100.0, 50.0]

    def test_an_equal_candidate_in_another_recording_is_an_error_of_both(self):
        one, other = synthetic(SHORT, (12, 12), "ab", noise=0.0)
        longer = with_library(other, np.concatenate([other.library["audio"], one.library["audio"]]))
        assert of_one([one, longer], SHORT)["a2m"] == [50.0] * 3

    @pytest.mark.parametrize(("angle", "expected"), [(7e-4, 0.0), (7e-3, 100.0)])
    def test_scores_within_rounding_are_ties(self, angle: float, expected: float):
        """A wrong candidate whose cosine is 2e-7 below the right one's, then one that is 2e-5 below it."""
        rows = np.tile(np.array([0.0, 1.0], np.float32), (6, 1))
        rows[2], rows[5] = (1.0, 0.0), (np.cos(angle), np.sin(angle))
        query = np.array([[[[1.0, 0.0]]]], np.float32)
        sides = {"audio": rows, "notes": rows}, {"audio": query, "notes": query}
        one = EmbeddedRecording("a", NO_NOTES, *sides, np.array([2.2]))
        assert of_one([one], replace(SHORT, per_recording=1))["a2m"] == [expected, 100.0, expected]

    def test_an_empty_window_never_wins(self):
        """The right window is empty and all others have negative scores; the empty one must not win."""
        queries = replace(SHORT, per_recording=1)
        rows = np.tile(np.array([-1.0, 0.0], np.float32), (6, 1))
        rows[2] = 0.0
        query = np.array([[[[1.0, 0.0]]]], np.float32)
        empty = EmbeddedRecording(
            "a", NO_NOTES, {"audio": rows, "notes": rows}, {"audio": query, "notes": query}, np.array([2.2])
        )
        assert of_one([empty], queries)["a2m"] == [0.0] * 3
        rows[2] = (0.5, 0.0)
        assert of_one([empty], queries)["a2m"] == [100.0] * 3


def test_a_query_of_one_window_finds_the_nearest_window():
    recordings = synthetic(SHORT, (9, 14, 11), "abc")
    library = np.concatenate([one.library["notes"] for one in recordings])
    owner = np.repeat(np.arange(3), [9, 14, 11])
    start_s = np.concatenate([np.arange(count) for count in (9, 14, 11)])
    right = []
    for number, one in enumerate(recordings):
        for query, begins_s in zip(one.queries["audio"], one.start_s, strict=True):
            nearest = np.argmax(library @ query[0, 0])
            right.append(owner[nearest] == number and abs(start_s[nearest] - begins_s) <= 0.5)
    assert score_localisation(recordings, SHORT)["a2m"]["place"] == pytest.approx(100 * np.mean(right))
    assert 0 < np.mean(right) < 1


def test_intervals_are_over_pieces():
    recordings = synthetic(SHORT, (20,) * 12, "aabbccddeeff", noise=0.0)
    unrelated = synthetic(SHORT, (20,), "x", seed=9)[0].queries
    missed = [replace(one, queries=unrelated) if one.work in "abc" else one for one in recordings]
    result = score_localisation(missed, SHORT)
    for way in DIRECTIONS:
        for score in SCORES:
            low, high = result["intervals_95"]["pieces"][way][score]
            assert low <= result[way][score] <= high
            assert high - low > 60  # three of six works are missed
    assert score_localisation(missed, SHORT) == result


def repeated(period_s: float = 8.0, times: int = 3, jitter_s: float = 0.0) -> Notes:
    """Forty random notes, repeated `times` times."""
    rng = np.random.default_rng(5)
    once = random_notes(rng, 40, period_s)
    onset_s = np.concatenate([once.onset_s + round_ * period_s for round_ in range(times)])
    moved_s = np.maximum(onset_s + rng.uniform(-jitter_s, jitter_s, len(onset_s)), 0.0)
    return Notes.of(moved_s, np.full(len(onset_s), 0.2), np.tile(once.pitch, times), np.full(len(onset_s), 64))


class TestRepeats:
    def test_are_where_the_notes_repeat(self):
        notes = repeated()
        assert is_repeat(notes, 1.3, 9.3, 4.0, 0.5)
        assert is_repeat(notes, 9.3, 1.3, 4.0, 0.5)
        assert is_repeat(notes, 1.3, 9.7, 4.0, 0.5)  # the candidate is 0.4 s late
        assert not is_repeat(notes, 1.3, 9.9, 4.0, 0.5)
        assert is_repeat(notes, 1.3, 10.2, 10.0, 1.0)
        assert not is_repeat(notes, 1.3, 5.3, 4.0, 0.5)

    def test_may_deviate_by_50_ms(self):
        assert is_repeat(repeated(jitter_s=0.02), 1.3, 9.3, 6.0, 0.5)
        assert not is_repeat(repeated(jitter_s=0.2), 1.3, 9.3, 6.0, 0.5)

    @pytest.mark.parametrize(("changed", "expected"), [(2, True), (3, False)])
    @pytest.mark.parametrize("swapped", [False, True])
    def test_need_nine_notes_in_ten_of_both_stretches(self, changed: int, expected: bool, swapped: bool):
        """Twenty notes, and later the same without some of them; neither is a repeat of the other with 3 missing."""
        onset_s = np.arange(20) * 0.2 + 0.1
        later_s = np.delete(onset_s, np.arange(changed) * 5 + 3) + 10
        pitch = np.arange(20) + 40
        both = np.concatenate([onset_s, later_s])
        pitches = np.concatenate([pitch, np.delete(pitch, np.arange(changed) * 5 + 3)])
        notes = Notes.of(both, np.full(len(both), 0.1), pitches, np.full(len(both), 64))
        starts = (10.0, 0.0) if swapped else (0.0, 10.0)
        assert is_repeat(notes, *starts, 4.0, 0.5) is expected

    def test_match_each_note_once(self):
        """One note does not match ten notes of one pitch within 50 ms."""
        onset_s = [*(np.arange(10) * 0.005 + 1.0), 11.0]
        notes = Notes.of(onset_s, [0.1] * 11, [60] * 11, [64] * 11)
        assert not is_repeat(notes, 0.5, 10.5, 2.0, 0.5)

    def test_do_not_occur_in_silence(self):
        assert not is_repeat(NO_NOTES, 0.0, 8.0, 4.0, 0.5)
        assert not is_repeat(repeated(times=2), 20.0, 30.0, 4.0, 0.5)

    def test_are_forgiven_where_the_best_candidate_is_one(self):
        """The query's notes repeat 8 s later, and the highest score is there."""
        queries = replace(SHORT, per_recording=1)
        rows = np.eye(21, dtype=np.float32)
        query = (0.9 * rows[10] + 0.4 * rows[2])[None, None, None]
        one = EmbeddedRecording(
            "a", repeated(), {"audio": rows, "notes": rows}, {"audio": query, "notes": query}, np.array([2.2])
        )
        assert of_one([one], queries) == {"a2m": [0.0, 100.0, 100.0], "m2a": [0.0, 100.0, 100.0]}
        unrelated = replace(one, notes=random_notes(np.random.default_rng(1), 100, 24.0))
        assert of_one([unrelated], queries)["a2m"] == [0.0, 100.0, 0.0]
        # Two equal scores, one of them at no repeat: not forgiven.
        tied = {side: found + 0.9 * rows[15] for side, found in one.queries.items()}
        assert of_one([replace(one, queries=tied)], queries)["a2m"] == [0.0, 100.0, 0.0]


class TestQueries:
    def recording(self, duration_s: float, id_: str = "one") -> Recording:
        return Recording(id_, Path("x.mid"), None, duration_s, "", "", "", id_)

    @pytest.mark.parametrize(("length_s", "windows"), [(4.0, 1), (5.0, 2), (10.0, 7)])
    def test_begin_off_the_grid_and_end_within_it(self, length_s: float, windows: int):
        queries = Queries(length_s, 0.5, per_recording=400)
        assert queries.windows == windows
        for duration_s, covered_s in ((30.4, 30.0), (500.0, 103.0)):
            start_s = queries.starts_s(self.recording(duration_s), seed=1)
            assert len(start_s) == 400
            assert start_s.min() >= 0
            assert start_s.max() + length_s <= covered_s
            assert start_s.max() > 0.95 * (covered_s - length_s)
            assert np.abs(start_s - np.rint(start_s)).mean() == pytest.approx(0.25, abs=0.03)

    def test_depend_on_the_recording_and_the_seed_only(self):
        first, again, other = (SHORT.starts_s(self.recording(40.0, name), seed=1) for name in ("a", "a", "b"))
        assert first.tolist() == again.tolist() != other.tolist()
        assert SHORT.starts_s(self.recording(40.0, "a"), seed=2).tolist() != first.tolist()

    @pytest.mark.parametrize("duration_s", [1.0, 4.0, 4.9])
    def test_need_a_recording_longer_than_they_are(self, duration_s: float):
        assert len(SHORT.starts_s(self.recording(duration_s), seed=1)) == 0
        assert len(SHORT.starts_s(self.recording(5.0), seed=1)) == 6

    @pytest.mark.parametrize("length_s", [3.0, 4.5])
    def test_divide_into_whole_windows(self, length_s: float):
        with pytest.raises(ValueError, match=f"a query of {length_s:g} s does not divide into windows of 4 s"):
            Queries(length_s, 0.5)

    def test_reject_bad_settings(self):
        with pytest.raises(ValueError, match="at least once, not 0 times"):
            Queries(4.0, 0.5, times=0)
        with pytest.raises(ValueError, match=r"a share in \[0, 1\), found 1"):
            Queries(4.0, 0.5, reaching_loses=1.0)


TICK = 1000.0
ROOM_S = 40.0


def write_clock(path: Path, number: int, duration_s: float) -> None:
    """Samples whose size encodes recording and time, (number · 40 + seconds) / 1000, of alternating sign."""
    seconds = np.arange(round(duration_s * 24_000)) / 24_000
    sign = np.where(np.arange(len(seconds)) % 2, -1.0, 1.0)
    sf.write(path, (sign * (number * ROOM_S + seconds) / TICK).astype(np.float32), 24_000, subtype="FLOAT")


class ClockEmbedder:
    """Embeds a window as a point on its recording's path through space, by the sample at the window's middle.

    It records its arguments: starts, notes and windows.
    """

    name, fingerprint = "clock", "clock"
    sample_rate_hz, window_s, dimensions = 24_000, 4.0, 32

    def __init__(self) -> None:
        self.starts_s: list[NDArray[np.float64]] = []
        self.notes: list[Notes] = []
        self.windows: list[NDArray[np.float32]] = []

    def embed_pairs(
        self, samples: NDArray[np.float32], notes: Notes, starts_s: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        assert len(samples) >= (starts_s.max() + self.window_s) * self.sample_rate_hz - 1
        windows = np.abs(cut_windows(samples, self.sample_rate_hz, starts_s, self.window_s))
        self.starts_s.append(starts_s)
        self.notes.append(notes)
        self.windows.append(windows)
        number, middle_s = np.divmod(windows[:, windows.shape[1] // 2].astype(np.float64) * TICK, ROOM_S)
        rows = []
        for recording, at_s in zip(number, middle_s, strict=True):
            rng = np.random.default_rng(int(recording))
            rows.append(np.cos(at_s * rng.uniform(0.2, 1.0, 32) + rng.uniform(0, 6, 32)))
        return unit(np.array(rows)), unit(np.array(rows))

    def embed_audio_windows(self, samples, starts_s):
        raise AssertionError("localisation embeds pairs")

    embed_notes_windows = embed_audio_windows


class TestLocalise:
    @pytest.fixture
    def corpus(self, tmp_path: Path) -> Corpus:
        """Recordings of 20, 16, 12, 5.5 and 4.5 s; the audio of the second is damaged. Notes of two seconds, one every
        half second."""
        made = []
        for number, duration_s in enumerate((20.0, 16.0, 12.0, 5.5, 4.5)):
            sound, notes = tmp_path / f"{number}.wav", tmp_path / f"{number}.mid"
            write_clock(sound, number, duration_s)
            onset_s = np.arange(0.0, duration_s, 0.5)
            write_midi(
                Notes.of(onset_s, np.full(len(onset_s), 2.0), 40 + np.arange(len(onset_s)), [64] * len(onset_s)), notes
            )
            made.append(Recording(str(number), notes, sound, duration_s, "", "", "", str(number)))
        (tmp_path / "1.wav").write_bytes(b"RIFF and no more")
        return Corpus("short", tuple(made))

    @pytest.mark.parametrize("times", [1, 4])
    def test_localises_queries_at_arbitrary_times(self, corpus: Corpus, times: int):
        embedder = ClockEmbedder()
        result = localise(embedder, corpus, Queries(6.0, 0.5, per_recording=5, times=times), seed=3)
        assert json.loads(json.dumps(result, allow_nan=False)) == result
        assert (result["recordings"], result["library"], result["queries"]) == (4, 17 + 9 + 2 + 1, 10)
        assert (result["length_s"], result["tolerance_s"], result["seed"]) == (6.0, 0.5, 3)
        assert ["1.wav" in error for error in result["skipped"]] == [True]
        assert embedder.starts_s[0].tolist() == list(range(17))
        for way in DIRECTIONS:
            assert result[way] == {"place": 100.0, "piece": 100.0, "repeats_forgiven": 100.0, "queries": 10}
        assert result["chance"]["place"] < result["chance"]["piece"] < 100

    def test_windows_contain_nothing_beyond_the_query(self, corpus: Corpus):
        embedder, queries = ClockEmbedder(), Queries(5.0, 0.5, per_recording=1, times=4)
        one = replace(corpus, recordings=corpus.recordings[:1])
        localise(embedder, one, queries)
        (begin_s,) = queries.starts_s(one.recordings[0], seed=42)
        _, early, other = embedder.windows
        samples = np.concatenate([early, other])
        assert sorted((samples == 0).sum(axis=1).tolist()) == [0] * 5 + [6000] * 2 + [12000] * 2 + [18000] * 2 + [24000]
        sounding = samples[samples > 0] * TICK
        assert sounding.min() == pytest.approx(begin_s, abs=1e-3)
        assert sounding.max() == pytest.approx(begin_s + 5.0, abs=1e-3)
        (_, early_notes, notes), reach_s = embedder.notes, 1.0
        assert len(early) == 3
        assert early_notes.onset_s.min() >= reach_s
        assert len(notes) - len(early_notes) == 4  # those that began in the two seconds before
        for known in (early_notes, notes):
            assert known.offset_s.max() <= reach_s + 5.0 + 1e-9

    def test_a_grid_may_cover_whole_recordings(self, corpus: Corpus):
        first = replace(corpus, recordings=(replace(corpus.recordings[0], duration_s=20.0),))
        few = Queries(4.0, 0.5, WindowGrid(max_windows=3), per_recording=50)
        for queries, library, last_s in ((few, 3, 2.0), (replace(few, grid=WindowGrid(max_windows=None)), 17, 16.0)):
            embedder = ClockEmbedder()
            assert localise(embedder, first, queries)["library"] == library
            query_s = np.concatenate(embedder.windows[1:])[:, 0] * TICK
            assert 0.9 * last_s < query_s.max() <= last_s

    def test_uses_windows_of_the_models_length(self, corpus: Corpus):
        embedder = ClockEmbedder()
        embedder.window_s = 2.0
        result = localise(embedder, corpus, Queries(6.0, 0.5, per_recording=5), seed=3)
        assert result["grid"]["window_s"] == 2.0
        assert result["library"] == 19 + 11 + 4 + 3
        assert {len(starts_s) for starts_s in embedder.starts_s} == {19, 11, 4, 3, 5}
        assert [result[way]["piece"] for way in DIRECTIONS] == [100.0, 100.0]

    def test_rejects_a_query_that_does_not_divide_into_the_models_windows(self, corpus: Corpus):
        embedder = ClockEmbedder()
        embedder.window_s = 2.5
        with pytest.raises(AntiphonError, match=r"a query of 6 s does not divide into windows of 2.5 s, one every 1 s"):
            localise(embedder, corpus, Queries(6.0, 0.5))

    def test_rejects_a_corpus_without_long_enough_recordings(self, corpus: Corpus):
        short = replace(corpus, recordings=corpus.recordings[3:])
        with pytest.raises(AntiphonError, match="short: none of its recordings is longer than a query of 10 s"):
            localise(ClockEmbedder(), short, Queries(10.0, 1.0))

    def test_the_template_localises_the_demo_with_a_shift_of_80_ms(self, demo: Corpus):
        found = {}
        for times in (12, 1):
            queries = Queries(4.0, 0.5, WindowGrid(max_windows=None), times=times)
            result = localise(TemplateEmbedder(), demo.spread(4), queries)
            for way in DIRECTIONS:
                assert result[way]["place"] <= result[way]["repeats_forgiven"] <= result[way]["piece"]
            found[times] = min(result[way]["repeats_forgiven"] for way in DIRECTIONS)
        assert found[12] > 65 > found[1] > result["chance"]["place"]
