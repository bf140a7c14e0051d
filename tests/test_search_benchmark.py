"""The search benchmark: scoring of results, sampling of queries, exchange with peers, and complete runs of rows."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.search import __main__ as command
from benchmarks.search import sampling
from benchmarks.search.peers import merge
from benchmarks.search.queries import (
    BestMatch,
    Library,
    Outcome,
    Query,
    QuerySet,
    Source,
    read_queries,
    sample_stretches,
    write_queries,
)
from benchmarks.search.querying import Indexes, run_queries
from benchmarks.search.report import peers_as_markdown, rows_as_markdown
from benchmarks.search.sampling import Data
from benchmarks.search.scoring import Measure, score_query, short_path, summarise, wilson_95
from benchmarks.search.tasks import ROWS, RetrievalTask, Setting, outcomes_as_dict

from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.audio import audio_info, read_samples
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes, write_midi
from antiphon.models.template import TemplateEmbedder
from helpers import write_scale

LIKELY = 0.5


def found(file: Path | str, start_s: float, query_start_s: float = 10.0, confidence: float | None = 0.9) -> BestMatch:
    return BestMatch(str(file), start_s, start_s + 10.0, query_start_s, 1.0, 0.8, confidence)


def query(file: Path | str, file_s: float | None = 10.0, **how: object) -> Query:
    return Query("r", Path("r.flac"), 10.0, 10.0, str(file), file_s, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(95, 100, 88.82, 97.85), (0, 100, 0.0, 3.70), (10, 10, 72.25, 100.0), (1, 2, 9.45, 90.55), (0, 0, 0.0, 100.0)],
)
def test_wilson_interval_equals_known_values(count: int, of: int, low: float, high: float):
    assert wilson_95(count, of) == (pytest.approx(low, abs=0.005), pytest.approx(high, abs=0.005))


@pytest.mark.parametrize(("count", "of"), [(3, 2), (-1, 2)])
def test_wilson_interval_refuses_impossible_counts(count: int, of: int):
    with pytest.raises(ValueError, match=f"{count} of {of} is not a proportion"):
        wilson_95(count, of)


class TestScoring:
    @pytest.fixture
    def library(self, tmp_path: Path) -> Library:
        """Two performances of one work, the first of which repeats its first 8 s at second 20, and another work."""
        onset_s = np.arange(0.0, 8.0, 0.25)
        pitch = 60 + (np.arange(len(onset_s)) * 7) % 24
        again = np.concatenate([onset_s, onset_s + 20.0])
        write_midi(Notes.of(again, np.full(64, 0.2), np.tile(pitch, 2), np.full(64, 80)), tmp_path / "a.mid")
        files = tmp_path / "a.mid", write_scale(tmp_path / "b.mid"), write_scale(tmp_path / "c.mid", lowest=40)
        return Library(files, {str(files[0]): "one", str(files[1]): "one"})

    @pytest.mark.parametrize(("start_s", "right"), [(10.0, True), (10.5, True), (9.5, True), (10.51, False)])
    def test_a_match_is_localised_within_half_a_second(self, library: Library, start_s: float, right: bool):
        scored = score_query(query(library.files[1]), Outcome(found(library.files[1], start_s), 0.1), library, LIKELY)
        assert (scored.performance, scored.work, scored.sure) == (True, True, True)
        assert (scored.place, scored.place_or_repeat) == (right, right)

    def test_a_match_may_cover_the_later_part_of_the_query(self, library: Library):
        late = found(library.files[1], 13.0, query_start_s=13.0)
        assert score_query(query(library.files[1]), Outcome(late, 0.1), library, LIKELY).place
        early = found(library.files[1], 10.0, query_start_s=13.0)
        assert not score_query(query(library.files[1]), Outcome(early, 0.1), library, LIKELY).place

    def test_another_performance_of_the_work_counts_for_the_work_only(self, library: Library):
        scored = score_query(query(library.files[0]), Outcome(found(library.files[1], 10.0), 0.1), library, LIKELY)
        assert (scored.work, scored.performance, scored.place, scored.place_or_repeat) == (True, False, False, False)
        scored = score_query(query(library.files[0]), Outcome(found(library.files[2], 10.0), 0.1), library, LIKELY)
        assert not scored.work

    def test_the_same_notes_at_another_position_are_a_repeat(self, library: Library):
        asked = replace(query(library.files[0], 0.0), start_s=0.0, length_s=6.0)
        for start_s, forgiven in ((20.0, True), (20.3, True), (13.0, False)):
            outcome = Outcome(found(library.files[0], start_s, query_start_s=0.0), 0.1)
            scored = score_query(asked, outcome, library, LIKELY)
            assert (scored.place, scored.place_or_repeat) == (False, forgiven)

    def test_repeats_of_a_recording_are_those_of_its_notes(self, library: Library):
        sound = replace(query("/music/a.flac", 0.0), path=library.files[0], start_s=0.0, length_s=6.0, against="audio")
        for start_s, forgiven in ((20.0, True), (13.0, False)):
            outcome = Outcome(found("/music/a.flac", start_s, query_start_s=0.0), 0.1)
            scored = score_query(sound, outcome, library, LIKELY)
            assert (scored.performance, scored.place, scored.place_or_repeat) == (True, False, forgiven)

    @pytest.mark.parametrize(("confidence", "sure"), [(0.5, True), (0.49, False), (None, True)])
    def test_a_match_is_confident_from_the_threshold_on(self, library: Library, confidence: float | None, sure: bool):
        outcome = Outcome(found(library.files[1], 10.0, confidence=confidence), 0.1)
        scored = score_query(query(library.files[1]), outcome, library, LIKELY)
        assert (scored.sure, scored.place) == (sure, True)

    def test_a_query_without_a_match_counts_for_no_measure(self, library: Library):
        for asked in (query(library.files[0]), query("", None)):
            scored = score_query(asked, Outcome(None, 0.1), library, LIKELY)
            assert not any((scored.work, scored.performance, scored.place, scored.place_or_repeat, scored.sure))

    def test_a_match_for_an_absent_piece_is_never_correct(self, library: Library):
        scored = score_query(query("", None), Outcome(found(library.files[0], 10.0), 0.1), library, LIKELY)
        assert (scored.work, scored.performance, scored.place, scored.sure) == (False, False, False, True)

    def test_without_a_true_position_only_the_file_is_scored(self, library: Library):
        scored = score_query(
            query(library.files[0], None), Outcome(found(library.files[0], 10.0), 0.1), library, LIKELY
        )
        assert (scored.performance, scored.place, scored.place_or_repeat) == (True, False, False)


def row(name: str) -> RetrievalTask:
    task = next(one.run for one in ROWS if one.name == name)
    assert isinstance(task, RetrievalTask)
    return task


class TestCounting:
    """Figures of rows for a fake search with correct, incorrect and missing matches."""

    LIBRARY = Library((Path("/music/a.mid"), Path("/music/b.mid")))

    def count(self, name: str, pairs: list[tuple[Query, BestMatch | None]]) -> dict:
        query_set = QuerySet(tuple(asked for asked, _ in pairs), self.LIBRARY)
        outcomes = [Outcome(outcome, 0.1 * number) for number, (_, outcome) in enumerate(pairs, start=1)]
        return row(name).count(query_set, outcomes, LIKELY)

    @pytest.fixture(autouse=True)
    def no_repeats(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("benchmarks.search.scoring._is_repeat", lambda *_: False)

    def test_localisation(self):
        right, elsewhere = found("/music/a.mid", 10.1), found("/music/a.mid", 30.0)
        unsure, wrong = found("/music/a.mid", 10.1, confidence=0.1), found("/music/b.mid", 10.0)
        asked = query("/music/a.mid")
        result = self.count("sound-10s", [(asked, one) for one in (right, elsewhere, unsure, wrong, None)])
        counts = {name: (facts["count"], facts["of"]) for name, facts in result["measures"].items()}
        assert counts == {
            "place": (2, 5),
            "place, repeats forgiven": (2, 5),
            "performance": (3, 5),
            "place, and sure": (1, 5),
        }
        assert result["measures"]["place"]["percent"] == 40.0
        assert result["measures"]["place"]["met"] is False
        assert "met" not in result["measures"]["performance"]
        assert result["seconds"]["p50"] == pytest.approx(0.3)
        assert [miss["found"] and miss["found"]["start_s"] for miss in result["misses"]] == [30.0, 10.0, None]
        assert [miss.get("right") for miss in result["misses"]] == [["work", "performance"], [], None]
        assert result["misses"][2]["why"] == "nothing found"

    def test_the_target_is_met_only_when_enough_are_localised(self):
        asked, right = query("/music/a.mid"), found("/music/a.mid", 10.0)
        for wrong, met in ((4, True), (5, False)):
            result = self.count("sound-4s", [(asked, right)] * (100 - wrong) + [(asked, None)] * wrong)
            assert result["measures"]["place"]["met"] is met

    def test_absent_pieces(self):
        absent, present = query("", None, kind="absent"), query("/music/a.mid", kind="present")
        pairs = [
            (present, found("/music/a.mid", 10.0)),
            (absent, found("/music/b.mid", 3.0)),
            (present, found("/music/a.mid", 10.0, confidence=0.2)),
            (absent, found("/music/b.mid", 3.0, confidence=0.2)),
            (present, found("/music/b.mid", 10.0)),
            (absent, None),
            (present, found("/music/a.mid", 20.0)),
        ]
        result = self.count("absent", pairs)
        counts = {name: (facts["count"], facts["of"]) for name, facts in result["measures"].items()}
        assert counts == {
            "false alarms": (1, 3),
            "place, and sure": (1, 4),
            "place": (2, 4),
            "performance": (3, 4),
        }
        assert [miss["kind"] for miss in result["misses"]] == ["absent", "present", "present", "present"]
        quiet = self.count("absent", [(absent, None), (present, found("/music/a.mid", 10.0))])
        assert all(facts["met"] for facts in quiet["measures"].values() if "bar" in facts)

    def test_scores_are_counted_per_kind_of_query(self):
        sound, notes = (query("/music/a.mid", None, by_work=True, kind=kind) for kind in ("sound", "notes"))
        right, wrong = found("/music/a.mid", 99.0), found("/music/b.mid", 10.0)
        result = self.count("scores", [(sound, right), (sound, wrong), (notes, right)])
        counts = {name: (facts["count"], facts["of"]) for name, facts in result["measures"].items()}
        assert counts["work"] == (2, 3)
        assert counts["work, queried with sound"] == (1, 2)
        assert counts["work, queried with notes"] == (1, 1)

    def test_transpositions(self):
        asked, right = query("/music/a.mid", semitones=-3), found("/music/a.mid", 10.0)
        outcomes = [replace(right, semitones=-3), replace(right, semitones=3), right, None]
        result = self.count("transposed", [(asked, one) for one in outcomes])
        assert result["measures"]["place"]["count"] == 3
        assert result["measures"]["place and key"]["count"] == 1

    def test_seconds_per_query(self):
        fast, slow = Outcome(None, 0.2), Outcome(None, 0.6)
        query_set = QuerySet((query("/music/a.mid"),) * 100, self.LIBRARY)
        assert row("latency").count(query_set, [fast] * 96 + [slow] * 4, LIKELY)["seconds"]["met"] is True
        assert row("latency").count(query_set, [fast] * 94 + [slow] * 6, LIKELY)["seconds"]["met"] is False

    def test_a_measure_without_queries_misses_its_target(self):
        measure = Measure("place", lambda one: one.place, lambda one: False, 98.0)
        scored = score_query(query("/music/a.mid"), Outcome(None, 0.1), self.LIBRARY, LIKELY)
        facts = summarise([scored], [measure])["measures"]["place"]
        assert (facts["percent"], facts["met"]) == (None, False)


class TestSampling:
    @pytest.fixture
    def sources(self, tmp_path: Path) -> list[Source]:
        """A source of 8 s, one of 60 s with notes in the first 6 s only, and one shorter than a query."""
        files = [write_scale(tmp_path / f"{name}.mid", count) for name, count in (("a", 16), ("b", 12), ("c", 4))]
        ends_s = 8.0, 60.0, 2.0
        return [Source(p.stem, p, p, 0.0, end_s, str(p)) for p, end_s in zip(files, ends_s, strict=True)]

    def test_fewer_stretches_are_the_first_of_more_and_depend_on_the_seed(self, sources: list[Source]):
        many = sample_stretches(sources, 30, 4.0, seed=1)
        assert sample_stretches(sources, 10, 4.0, seed=1) == many[:10]
        assert sample_stretches(sources, 10, 4.0, seed=2) != many[:10]

    def test_stretches_lie_inside_their_source_and_hold_an_onset(self, sources: list[Source]):
        for one, start_s in sample_stretches(sources, 50, 4.0, seed=1):
            assert one.recording in ("a", "b")
            assert 0.0 <= start_s <= one.end_s - 4.0
            assert start_s == round(start_s, 3)
            onset_s = read_notes(one.path).onset_s
            assert np.any((onset_s >= start_s) & (onset_s < start_s + 4.0))

    def test_evenly_samples_every_source_equally_often(self, sources: list[Source]):
        drawn = Counter(one.recording for one, _ in sample_stretches(sources[:2], 40, 4.0, seed=1, evenly=True))
        assert drawn == {"a": 20, "b": 20}

    def test_refuses_sources_that_are_too_short_or_silent(self, sources: list[Source]):
        with pytest.raises(AntiphonError, match="none of 3 recordings is as long as a query of 100 s"):
            sample_stretches(sources, 1, 100.0, seed=1)
        silent = replace(sources[1], begin_s=30.0)
        with pytest.raises(AntiphonError, match=r"b\.mid: it has too few notes"):
            sample_stretches([silent], 1, 4.0, seed=1)

    def test_sound_queries_have_their_own_notes_as_target(self, demo: Corpus):
        query_set = sampling.sound_queries(demo, 10.0, 12, seed=3)
        by_id = {one.id: one for one in demo.recordings}
        assert len(query_set.library.files) == len(demo)
        assert len(query_set.queries) == 12
        for one in query_set.queries:
            assert one.path == by_id[one.recording].audio_path
            assert one.file == str(by_id[one.recording].notes_path.resolve())
            assert one.file_s == one.start_s
        assert query_set.data_hash == demo.manifest_hash

    def test_notes_queries_have_their_own_sound_as_target(self, demo: Corpus, folder: Path):
        real = command.open_corpus(folder)
        query_set = sampling.notes_queries(real, demo, 10.0, 6, seed=3)
        by_id = {one.id: one for one in real.recordings}
        assert query_set.library.modality == "audio"
        assert len(query_set.library.files) == len(real.with_sound()) + len(demo.with_sound())
        for one in query_set.queries:
            recording = by_id[one.recording]
            assert (one.path, one.against) == (recording.notes_path, "audio")
            assert one.file == str(recording.audio_path.resolve())
            assert Path(one.file) in query_set.library.files
            assert one.file_s == one.start_s

    def test_the_library_holds_no_performance_of_an_absent_piece(self, demo: Corpus):
        query_set = sampling.half_absent_queries(demo, (), 20.0, 9, seed=3)
        assert [one.kind for one in query_set.queries] == ["present", "absent"] * 4 + ["present"]
        composer = {one.id: one.composer for one in demo.recordings}
        held = {one.composer for one in demo.recordings if one.notes_path.resolve() in query_set.library.files}
        for one in query_set.queries:
            assert (composer[one.recording] in held) == (one.kind == "present")
            assert (one.file in map(str, query_set.library.files)) == (one.kind == "present")
            assert (one.file == "", one.file_s is None) == (one.kind == "absent",) * 2
        assert len(held) == len(set(composer.values())) // 2

    def test_composers_of_arrangements_stay_together(self):
        groups = sampling._composers_together(["A / B", "C", "B", "D / C", "E"])
        assert sorted(map(sorted, groups)) == [["A", "B"], ["C", "D"], ["E"]]

    def test_real_sound_queries_search_further_notes_as_well(self, folder: Path, demo: Corpus):
        corpus = command.open_corpus(folder)
        others = demo.recordings[0].notes_path.parent
        query_set = sampling.real_sound_queries(corpus, [others], 10.0, 4, seed=3)
        assert {one.notes_path.resolve() for one in corpus.recordings} < set(query_set.library.files)
        assert len(query_set.library.files) == len(corpus) + len(list(others.rglob("*.mid")))
        with pytest.raises(AntiphonError, match="this folder cannot be opened"):
            Library.below([folder / "deeper" / "c.flac"])

    def test_transposed_queries_are_rendered_in_another_key(self, demo: Corpus, tmp_path: Path):
        query_set = sampling.transposed_queries(demo, 10.0, 6, 3, "additive", tmp_path)
        assert {abs(one.semitones) for one in query_set.queries} <= {1, 2, 3, 4, 5, 6}
        assert len({one.semitones for one in query_set.queries}) > 1
        one = query_set.queries[0]
        assert one.transpose
        assert one.file_s is not None
        assert audio_info(one.path).duration_s == pytest.approx(one.start_s + one.length_s, abs=1e-3)
        # The embedding of the transposed notes is more similar to the audio than that of the original notes.
        embedder = TemplateEmbedder()
        notes = read_notes(one.file)
        pitch = notes.pitch.astype(int) + one.semitones
        kept = (pitch >= 0) & (pitch < 128)
        moved = Notes.of(notes.onset_s[kept], notes.duration_s[kept], pitch[kept], notes.velocity[kept])
        starts_s = np.arange(0.0, 6.0)
        sound = embedder.embed_audio_windows(
            read_samples(one.path, embedder.sample_rate_hz, one.start_s, one.length_s), starts_s
        )
        similarity = [
            float((sound * embedder.embed_notes_windows(version, starts_s + one.file_s)).sum(axis=1).mean())
            for version in (moved, notes)
        ]
        assert similarity[0] > similarity[1] + 0.1


class TestExchange:
    @pytest.fixture
    def query_set(self) -> QuerySet:
        files = tuple(Path(f"/music/{number:02d}.mid") for number in range(20))
        queries = tuple(query(files[number % 7]) for number in range(10))
        return QuerySet((*queries, query("", None)), Library(files, {str(files[0]): "w"}), "hash")

    def test_queries_survive_writing_and_reading(self, query_set: QuerySet, tmp_path: Path):
        write_queries(tmp_path / "q.json", "real", 42, query_set)
        row_name, seed, again = read_queries(tmp_path / "q.json")
        assert (row_name, seed) == ("real", 42)
        assert again.library == query_set.library
        assert [replace(one, path=Path("r.flac")) for one in again.queries] == list(query_set.queries)

    def test_refuses_other_json_files(self, tmp_path: Path):
        (tmp_path / "q.json").write_text('{"row": "real"}', encoding="utf-8")
        with pytest.raises(UnreadableInput, match=r"not a query file of benchmarks\.search \(KeyError"):
            read_queries(tmp_path / "q.json")

    def test_a_smaller_library_holds_the_target_files(self, query_set: QuerySet):
        part = query_set.sample(3, 8, seed=1)
        assert part.queries == query_set.queries[:3]
        assert len(part.library.files) == 8
        assert {Path(one.file) for one in part.queries} < set(part.library.files)
        assert part == query_set.sample(3, 8, seed=1)
        assert query_set.sample(None, None, seed=1) == query_set
        assert len(query_set.sample(10, 3, seed=1).library.files) == 7

    def test_peers_are_scored_on_the_queries_that_they_ran(self, query_set: QuerySet, tmp_path: Path):
        exchange, peers = tmp_path / "exchange", tmp_path / "answers"
        query_set = replace(query_set, queries=query_set.queries[:10])
        hash_ = write_queries(exchange / "sound-10s.queries.json", "sound-10s", 42, query_set)
        ours = [Outcome(found(one.file, 10.0), 0.2) for one in query_set.queries]
        theirs = [Outcome(found(query_set.queries[0].file, 10.0, confidence=None), 3.0), Outcome(None, 3.0, "silent")]
        for path, name, outcomes in (
            (exchange / "sound-10s.answers.json", "antiphon", ours),
            (peers / "chroma.json", "chroma", theirs),
        ):
            path.parent.mkdir(exist_ok=True)
            path.write_text(
                json.dumps(outcomes_as_dict(name, "sound-10s", hash_, query_set.library, outcomes, None)),
                encoding="utf-8",
            )
        merged = {one["peer"]: one for one in merge(peers, exchange)}
        shares = {name: (one["measures"]["place"]["count"], one["queries"]) for name, one in merged.items()}
        assert shares == {"chroma": (1, 2), "antiphon": (2, 2)}
        assert merged["chroma"]["refused"] == 1
        table = peers_as_markdown(list(merged.values()))
        assert "| sound-10s | chroma   | 20      | 2       | place   | 50.0" in table

    def test_results_on_other_queries_are_refused(self, query_set: QuerySet, tmp_path: Path):
        write_queries(tmp_path / "real.queries.json", "real", 42, query_set)
        (tmp_path / "answers").mkdir()
        with pytest.raises(AntiphonError, match="no results of peers in this folder"):
            merge(tmp_path / "answers", tmp_path)
        content = outcomes_as_dict("chroma", "real", "another", query_set.library, [Outcome(None, 1.0)], None)
        (tmp_path / "answers" / "chroma.json").write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(AntiphonError, match="belongs to other queries than"):
            merge(tmp_path / "answers", tmp_path)


def test_a_refused_query_is_a_miss_with_its_reason(demo: Corpus):
    query_set = sampling.sound_queries(demo, 10.0, 3, seed=3)
    turns = iter(range(100))

    def search(one: Query) -> BestMatch:
        if next(turns) == 2:
            raise UnreadableInput(one.path, "it is silent")
        return found(one.file, one.start_s, one.start_s)

    outcomes = run_queries(query_set, search)
    assert next(turns) == 4  # the first query also runs once untimed
    result = row("sound-10s").count(query_set, outcomes, LIKELY)
    assert (result["queries"], result["refused"], result["measures"]["place"]["count"]) == (3, 1, 2)
    assert [miss["why"] for miss in result["misses"]] == ["it is silent"]
    assert all(outcome.seconds >= 0 for outcome in outcomes)


class TestRunning:
    def test_indexes_hold_exactly_their_library_and_embed_each_file_once(
        self, demo: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        embedded: list[Path] = []
        from antiphon.index import build

        embed_file = build.embed_file
        monkeypatch.setattr(build, "embed_file", lambda path, *rest: embedded.append(path) or embed_file(path, *rest))
        indexes = Indexes(tmp_path, "template", TemplateEmbedder())
        files = [one.notes_path.resolve() for one in demo.recordings]
        for part in (files[:3], files[2:5], files[:3]):
            with indexes.open(Library(tuple(part), {str(part[0]): "w"})) as store:
                assert set(store.known()) == set(map(str, part))
                assert store.about()[str(part[0])].work == "w"
                assert set(store.library("notes").paths) == set(map(str, part))
        assert sorted(embedded) == sorted(files[:5])
        assert indexes.failed == []

    def test_the_command_prints_and_writes_rows_and_keeps_earlier_ones(
        self, short_demo: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ):
        page = tmp_path / "page.md"
        page.write_text("before\n<!-- search: begin -->\n<!-- search: end -->\nafter\n", encoding="utf-8")
        how = ["--corpus", short_demo.spec, *"--model template --queries 4 --threads 1".split()]
        how += ["--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "results" / "search.json")]
        for rows in (("sound-10s", "real"), ("absent", "notes-4s")):
            argv = ["benchmarks.search", *how, "--update", str(page), "--rows", *rows]
            monkeypatch.setattr(sys, "argv", argv)
            command.main()
        printed = capsys.readouterr().out
        assert "real is skipped: needs --real" in printed
        results = json.loads((tmp_path / "results" / "search.json").read_text(encoding="utf-8"))
        assert list(results["rows"]) == ["sound-10s", "absent", "notes-4s"]
        assert results["rows"]["notes-4s"]["measures"]["performance"]["count"] >= 2
        assert results["rows"]["notes-4s"]["library"]["recordings"] == len(short_demo)
        row_facts = results["rows"]["sound-10s"]
        assert row_facts["measures"]["performance"]["of"] == 4
        assert row_facts["measures"]["performance"]["count"] >= 2
        assert row_facts["model_hash"] == TemplateEmbedder.fingerprint
        assert row_facts["library"]["recordings"] == len(short_demo)
        assert row_facts["seed"] == 42
        assert str(tmp_path) not in (tmp_path / "results" / "search.json").read_text(encoding="utf-8")
        assert page.read_text(encoding="utf-8").startswith("before\n<!-- search: begin -->\n| row ")
        assert rows_as_markdown(results["rows"]) in page.read_text(encoding="utf-8")
        written = json.loads((tmp_path / "cache" / "exchange" / "absent.answers.json").read_text(encoding="utf-8"))
        assert len(written["answers"]) == 4

    def test_the_command_names_an_unknown_row(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ):
        monkeypatch.setattr(sys, "argv", ["benchmarks.search", "--rows", "sound-9s"])
        with pytest.raises(SystemExit) as caught:
            command.main()
        assert caught.value.code == 2
        assert "sound-9s" in capsys.readouterr().err

    def test_a_row_can_run_any_function(self, demo: Corpus, tmp_path: Path):
        indexes = Indexes(tmp_path, "template", TemplateEmbedder())
        setting = Setting(Data(corpus=demo), indexes, 1, 42, tmp_path)
        pair = replace(ROWS[0], name="pair", run=lambda row, setting: {"row": row.name, "queries": setting.queries})
        assert pair.run(pair, setting) == {"row": "pair", "queries": 1}
        assert ROWS[0].missing_inputs(Data()) == ["corpus"]
        assert ROWS[0].missing_inputs(setting.data) == []


def test_short_paths_name_no_machine():
    assert short_path("/home/me/asap/Bach/bwv_846/midi_score.mid") == "Bach/bwv_846/midi_score.mid"
    assert short_path("a.mid") == "a.mid"
