"""Ranks against a slow oracle, pools as published, intervals, corpus embedding; ties never favour the positive."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from antiphon.corpora import Corpus, Recording
from antiphon.corpora.segment_table import SegmentTable
from antiphon.errors import AntiphonError, UnknownName, UnreadableInput
from antiphon.evaluation.pools import Pools, false_negatives, sample_pools
from antiphon.evaluation.protocols import PROTOCOLS, default_split, score_embeddings, scores_as_text
from antiphon.evaluation.ranks import pair_accuracy, pool_ranks, whole_pool_ranks
from antiphon.evaluation.scores import chance, intervals, per_query, summary
from antiphon.io.notes import Notes
from antiphon.models.corpus_embedding import EmbeddedSegments, embed_corpus
from builders import table, unit
from helpers import sine, write_scale

TWELVE = table([100] * 12, [f"w{i // 2 if i < 4 else i}" for i in range(12)], [f"c{i // 4}" for i in range(12)])
"""Three composers of four recordings each; the first composer has two works with two performances each."""
SMALL = table([9, 6, 8, 5], ["a", "a", "b", "c"], ["x", "x", "x", "y"])


def random_rows(count: int, width: int = 8, seed: int = 0) -> NDArray[np.float32]:
    return unit(np.random.default_rng(seed).normal(size=(count, width)))


def segments_of(owner: SegmentTable, audio: NDArray[np.float32], notes: NDArray[np.float32]) -> EmbeddedSegments:
    return EmbeddedSegments(owner, audio, notes, ())


def slow_false_negative(owner: SegmentTable, query: int, other: int) -> bool:
    one, two = (owner.recordings[owner.recording[i]] for i in (query, other))
    if one.id == two.id:
        return abs(owner.start_s[query] - owner.start_s[other]) < 4.0
    return one.work == two.work


def slow_rank(query: NDArray[np.float32], candidates: NDArray[np.float32], positive: int, pool: list[int]) -> int:
    """1 + the number of other candidates that score at least as high."""
    score = float(np.dot(query, candidates[positive]))
    return 1 + sum(float(np.dot(query, candidates[other])) >= score for other in pool if other != positive)


class TestRanks:
    @pytest.mark.parametrize("strict", [False, True])
    def test_in_pools_equal_the_oracle(self, strict: bool):
        audio, notes = random_rows(len(SMALL)), random_rows(len(SMALL), seed=1)
        pools = sample_pools(SMALL, strict)
        ranks, sizes = pool_ranks(audio[pools.query], notes, pools.candidate)
        listed = [[int(one) for one in pool if one >= 0] for pool in pools.candidate]
        slow = [slow_rank(audio[q], notes, q, pool) for q, pool in zip(pools.query, listed, strict=True)]
        assert ranks.tolist() == slow
        assert sizes.tolist() == [len(pool) for pool in listed]
        assert len(set(slow)) > 5

    @pytest.mark.parametrize("strict", [False, True])
    def test_in_the_whole_pool_equal_the_oracle(self, strict: bool):
        audio, notes = random_rows(len(SMALL)), random_rows(len(SMALL), seed=1)
        ranks, sizes = whole_pool_ranks(audio, notes, SMALL, strict)
        everyone = range(len(SMALL))
        listed = [
            [o for o in everyone if o == q or not (strict and slow_false_negative(SMALL, q, o))] for q in everyone
        ]
        assert ranks.tolist() == [slow_rank(audio[q], notes, q, listed[q]) for q in everyone]
        assert sizes.tolist() == [len(pool) for pool in listed]
        assert (sizes == len(SMALL)).all() != strict

    @pytest.mark.parametrize("strict", [False, True])
    def test_do_not_depend_on_the_chunk(self, strict: bool):
        audio, notes = random_rows(len(SMALL)), random_rows(len(SMALL), seed=1)
        whole = whole_pool_ranks(audio, notes, SMALL, strict, chunk=10_000)
        chunked = whole_pool_ranks(audio, notes, SMALL, strict, chunk=7)
        np.testing.assert_array_equal(whole, chunked)

    def test_of_a_perfect_embedding_are_one_and_copies_of_the_positive_push_it_down(self):
        rows = np.eye(len(SMALL), dtype=np.float32)
        pools = np.tile(np.arange(len(SMALL)), (1, 1))
        assert pool_ranks(rows[:1], rows, pools)[0].tolist() == [1]
        rows[[3, 11, 20]] = rows[0]
        assert pool_ranks(rows[:1], rows, pools)[0].tolist() == [4]
        assert whole_pool_ranks(rows, rows, SMALL, strict=False)[0][0] == 4
        # Windows 3 and 11 are false negatives of 0 (overlap, same work); 20 is a negative.
        assert whole_pool_ranks(rows, rows, SMALL, strict=True)[0][0] == 2

    @pytest.mark.parametrize("fault", [0.0, np.nan])
    @pytest.mark.parametrize("side", ["query", "positive"])
    def test_rows_without_a_vector_are_misses(self, fault: float, side: str):
        queries, candidates = random_rows(len(SMALL)), random_rows(len(SMALL))  # many score below zero
        (queries if side == "query" else candidates)[4] = fault
        for ranks, sizes in (
            pool_ranks(queries[4:5], candidates, np.roll(np.arange(len(SMALL)), -4)[None]),
            whole_pool_ranks(queries, candidates, SMALL, strict=False),
            whole_pool_ranks(queries, candidates, SMALL, strict=True),
        ):
            row = 0 if len(ranks) == 1 else 4
            assert ranks[row] == sizes[row]

    @given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 3))
    @settings(max_examples=50)
    def test_lie_between_one_and_the_pool_size_and_do_not_depend_on_the_order(self, seed: int, n: int, width: int):
        rng = np.random.default_rng(seed)
        # Few directions: many exact ties.
        queries, candidates = (unit(rng.integers(1, 3, (n, width)).astype(float)) for _ in range(2))
        pool = rng.permutation(n)[None]
        shuffled = np.concatenate([pool[:, :1], rng.permutation(pool[0, 1:])[None]], axis=1)
        rank, size = pool_ranks(queries[:1], candidates, pool)
        assert 1 <= rank[0] <= size[0] == n
        assert pool_ranks(queries[:1], candidates, shuffled)[0] == rank
        scores = candidates[pool[0]] @ queries[0]
        assert rank[0] == sum(scores[0] - 1e-6 <= score for score in scores)


class TestFalseNegatives:
    def test_equals_a_table_made_by_hand(self):
        owner = table([6, 5, 5], ["a", "a", "b"])  # windows 0–5, 6–10 play work a, 11–15 work b
        found = false_negatives(owner, np.array([0, 4, 8, 11]))
        expected = np.zeros((4, 16), bool)
        expected[0, [0, 1, 2, 3, *range(6, 11)]] = True  # 4 s later begins where the first ends: no overlap
        expected[1, [1, 2, 3, 4, 5, *range(6, 11)]] = True
        expected[2, [6, 7, 8, 9, 10, *range(6)]] = True
        expected[3, [11, 12, 13, 14]] = True
        np.testing.assert_array_equal(found, expected)

    def test_equals_the_oracle_off_the_grid(self):
        rng = np.random.default_rng(0)
        owner = replace(SMALL, start_s=rng.uniform(0, 9, len(SMALL)))
        everyone = np.arange(len(owner))
        slow = [[slow_false_negative(owner, q, o) for o in everyone] for q in everyone]
        np.testing.assert_array_equal(false_negatives(owner, everyone), slow)

    def test_a_corpus_without_composers_has_a_composer_per_recording(self):
        owner = table([4, 4], ["a", "b"], ["", ""])
        assert len(set(owner.composer.tolist())) == 2


@pytest.fixture(scope="module")
def drawn() -> dict[bool, Pools]:
    """Pools of the twelve recordings; the key is `strict`."""
    return {strict: sample_pools(TWELVE, strict) for strict in (False, True)}


class TestPools:
    @pytest.mark.parametrize("strict", [False, True])
    def test_are_composed_as_published(self, drawn: dict[bool, Pools], strict: bool):
        pools = drawn[strict]
        assert pools.candidate.shape == (500, 256)
        assert (pools.candidate >= 0).all()
        np.testing.assert_array_equal(pools.candidate[:, 0], pools.query)
        assert len(np.unique(pools.query)) == 500
        for pool in pools.candidate:
            assert len(set(pool.tolist())) == 256
        same = TWELVE.recording[pools.candidate[:, 1:]] == TWELVE.recording[pools.query][:, None]
        akin = TWELVE.composer[pools.candidate[:, 1:]] == TWELVE.composer[pools.query][:, None]
        assert (same.sum(axis=1) == 64).all()
        assert ((akin & ~same).sum(axis=1) >= 32).all()
        assert (~akin).any(axis=1).all()

    def test_have_exactly_32_of_the_composer_where_the_rest_is_by_others(self):
        # Two recordings of 40 and 32 windows by one composer: the rest can only come from others.
        owner = table([40, 32, *[100] * 6], list("abcdefgh"), ["x", "x", *"mnopqr"])
        pools = sample_pools(owner, strict=False)
        row = int(np.flatnonzero(owner.recording[pools.query] == 0)[0])
        counts = np.bincount(owner.recording[pools.candidate[row]], minlength=8)
        assert counts[:2].tolist() == [40, 32]
        assert counts[2:].sum() == 256 - 72

    def test_strict_ones_exclude_false_negatives(self, drawn: dict[bool, Pools]):
        faults = {}
        for strict, pools in drawn.items():
            named = false_negatives(TWELVE, pools.query)
            faults[strict] = np.take_along_axis(named, pools.candidate[:, 1:], axis=1).sum()
        assert faults[True] == 0
        assert faults[False] > 0  # the paper's include them; otherwise this test could not fail

    def test_pairs_have_one_negative_of_the_piece_and_one_of_another(self, drawn: dict[bool, Pools]):
        for pools in drawn.values():
            own = TWELVE.recording[pools.query]
            assert (TWELVE.recording[pools.same_piece] == own).all()
            assert (pools.same_piece != pools.query).all()
            assert (TWELVE.recording[pools.other_piece] != own).all()

    def test_are_repeatable_by_seed(self, drawn: dict[bool, Pools]):
        again, other = sample_pools(TWELVE, True), sample_pools(TWELVE, True, seed=43)
        for name in ("query", "candidate", "same_piece", "other_piece"):
            np.testing.assert_array_equal(getattr(again, name), getattr(drawn[True], name))
        assert not np.array_equal(other.query, again.query)

    @given(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.booleans())
    @settings(max_examples=30)
    def test_of_small_corpora_are_smaller(self, windows: list[int], strict: bool):
        owner = table(windows, [f"w{i // 2}" for i in range(len(windows))])
        pools = sample_pools(owner, strict)
        assert pools.query.tolist() == list(range(len(owner)))
        for query, padded in zip(pools.query, pools.candidate, strict=True):
            pool = padded[padded >= 0]
            assert (padded[len(pool) :] == -1).all()
            assert pool[0] == query
            left = {o for o in range(len(owner)) if o == query or not (strict and slow_false_negative(owner, query, o))}
            assert sorted(pool.tolist()) == sorted(left)


class TestScores:
    def test_of_a_rank_list(self):
        found = summary(np.array([1, 1, 4, 10, 11, 20, 21, 200]))
        assert (found["R@1"], found["R@5"], found["R@10"], found["R@20"]) == (25.0, 37.5, 50.0, 75.0)
        assert found["MRR"] == pytest.approx((2 + 1 / 4 + 1 / 10 + 1 / 11 + 1 / 20 + 1 / 21 + 1 / 200) / 8)
        assert found["mean_rank"] == pytest.approx(268 / 8)

    def test_chance_never_exceeds_100(self):
        assert chance(np.array([256])) == pytest.approx({f"R@{k}": 100 * k / 256 for k in (1, 5, 10, 20)})
        assert chance(np.array([5, 20]))["R@10"] == 75.0

    def test_intervals_hold_the_mean_and_are_repeatable_by_seed(self):
        rng = np.random.default_rng(0)
        ranks = {"a2m": rng.integers(1, 40, 300), "m2a": rng.integers(1, 60, 300)}
        found = intervals(ranks, np.arange(300), seed=1)
        for direction, own in ranks.items():
            for name, values in per_query(own).items():
                low, high = found[direction][name]
                assert low < values.mean() < high
                assert high - low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(300), rel=0.15)
        assert found["S"][0] <= found["a2m"]["R@10"][1]
        assert found["S"][0] < min(summary(own)["R@10"] for own in ranks.values()) < found["S"][1]
        assert intervals(ranks, np.arange(300), seed=1) == found
        assert intervals(ranks, np.arange(300), seed=2) != found

    def test_intervals_over_pieces_are_wider_when_hits_come_in_clusters(self):
        piece = np.repeat(np.arange(20), 15)
        clustered = np.where(piece % 2 == 0, 1, 100)
        scattered = np.where(np.arange(300) % 2 == 0, 1, 100)
        width = {}
        for name, ranks in (("clustered", clustered), ("scattered", scattered)):
            for kind, cluster in (("queries", np.arange(300)), ("pieces", piece)):
                low, high = intervals({"a2m": ranks, "m2a": ranks}, cluster, seed=0)["S"]
                assert low < 50 < high
                width[name, kind] = high - low
        assert width["clustered", "pieces"] > 3 * width["clustered", "queries"]
        assert width["scattered", "pieces"] < width["scattered", "queries"]

    def test_pair_accuracy_counts_ties_and_missing_vectors_against_us(self):
        near, far, nothing = np.eye(3, dtype=np.float32)[0], np.eye(3, dtype=np.float32)[1], np.zeros(3, np.float32)
        candidates = np.stack([near, far])
        queries, positives = np.stack([near, near, near, nothing, near]), np.stack([near, far, near, near, near])
        negative = np.array([1, 0, 0, 1, -1])  # right, wrong, tie, no vector, no negative
        assert pair_accuracy(queries, positives, candidates, negative) == 25.0
        assert pair_accuracy(queries, positives, candidates, np.full(5, -1)) is None


class TestEvaluate:
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_perfect_embeddings_score_100(self, protocol: str):
        rows = random_rows(len(TWELVE), 64)
        result = score_embeddings(segments_of(TWELVE, rows, rows), protocol)
        assert result["S"] == result["whole_pool"]["a2m"]["R@1"] == result["whole_pool"]["m2a"]["R@1"] == 100.0
        assert result["a2m"]["MRR"] == result["m2a"]["MRR"] == 1.0
        assert result["a2m"]["pair_accuracy_same_piece"] == 100.0

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    @pytest.mark.parametrize("value", [1.0, 0.0, np.nan])
    def test_constant_embeddings_score_nothing(self, protocol: str, value: float):
        rows = np.zeros((len(TWELVE), 8), np.float32)
        rows[:, 0] = value
        result = score_embeddings(segments_of(TWELVE, rows, rows), protocol)
        assert result["S"] == 0.0
        for scores, pool_size in ((result, 256), (result["whole_pool"], result["whole_pool"]["pool_size"])):
            assert scores["pool_size"] == pool_size
            for direction in ("a2m", "m2a"):
                assert scores[direction]["mean_rank"] == pytest.approx(pool_size)
                assert scores[direction]["R@20"] == 0.0

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_random_embeddings_score_chance(self, protocol: str):
        result = score_embeddings(segments_of(TWELVE, random_rows(1200, 64), random_rows(1200, 64, seed=1)), protocol)
        for scores, queries in ((result, 500), (result["whole_pool"], 1200)):
            for direction in ("a2m", "m2a"):
                for name, expected in scores["chance"].items():
                    share = expected / 100
                    four_deviations = 4 * math.sqrt(share * (1 - share) / queries)
                    assert abs(scores[direction][name] / 100 - share) < four_deviations

    def test_s_is_the_worse_direction(self):
        # The notes of every fourth window are near all audio windows: hubness.
        own, common = random_rows(len(TWELVE), 32), np.eye(32, dtype=np.float32)[0]
        rows, notes = unit(own + 2 * common), own.copy()
        notes[::4] = common
        result = score_embeddings(segments_of(TWELVE, rows, notes), "paper")
        turned = score_embeddings(segments_of(TWELVE, notes, rows), "paper")
        assert result["S"] == min(result["a2m"]["R@10"], result["m2a"]["R@10"])
        assert result["a2m"]["R@10"] < 5 < 50 < result["m2a"]["R@10"]
        assert (turned["S"], turned["a2m"], turned["m2a"]) == (result["S"], result["m2a"], result["a2m"])

    def test_strict_does_not_count_false_negatives(self):
        """Similar windows within a recording or work lower the scores of `paper` more than those of `strict`."""
        owner = table([20] * 12, [f"w{i // 2}" for i in range(12)])
        rng = np.random.default_rng(0)
        by_work = unit(rng.normal(size=(len(set(owner.work)), 32)))[owner.work]
        by_place = unit(np.cos(owner.start_s[:, None] * rng.normal(0, 0.4, 32) + rng.uniform(0, 6, 32)))
        rows = [unit(by_work + by_place + 0.03 * rng.normal(size=by_work.shape)) for _ in range(2)]
        paper, strict = (score_embeddings(segments_of(owner, *rows), protocol) for protocol in ("paper", "strict"))
        assert strict["a2m"]["R@1"] > paper["a2m"]["R@1"] + 10
        assert strict["whole_pool"]["pool_size"] < paper["whole_pool"]["pool_size"] == len(owner)

    def test_a_result_has_the_keys_of_the_contract_and_is_json(self):
        result = score_embeddings(segments_of(SMALL, random_rows(28), random_rows(28, seed=1)), "strict", seed=7)
        assert json.loads(json.dumps(result, allow_nan=False)) == result
        assert {"S", "a2m", "m2a", "whole_pool", "chance", "intervals_95", "protocol", "seed", "queries"} <= set(result)
        assert (result["protocol"], result["seed"], result["queries"]) == ("strict", 7, 28)
        assert result["whole_pool"]["n"] == 28
        recalls = {"R@1", "R@5", "R@10", "R@20", "MRR"}
        for scores in (result, result["whole_pool"]):
            assert recalls - {"MRR"} == set(scores["chance"])
            for direction in ("a2m", "m2a"):
                assert recalls <= set(scores[direction])
                for kind in ("queries", "pieces"):
                    assert recalls == set(scores["intervals_95"][kind][direction])
                    low, high = scores["intervals_95"][kind]["S"]
                    assert 0 <= low <= high <= 100

    def test_intervals_over_pieces_are_wider_when_whole_pieces_are_missed(self):
        audio, notes = random_rows(len(TWELVE), 64), random_rows(len(TWELVE), 64)
        missed = np.isin(TWELVE.work, np.unique(TWELVE.work)[::2])
        notes[missed] = random_rows(len(TWELVE), 64, seed=1)[missed]
        result = score_embeddings(segments_of(TWELVE, audio, notes), "strict")
        for scores in (result, result["whole_pool"]):
            width = {kind: float(np.diff(found["S"])[0]) for kind, found in scores["intervals_95"].items()}
            assert width["pieces"] > 3 * width["queries"] > 0

    def test_is_repeatable_by_seed(self):
        segments = segments_of(TWELVE, random_rows(1200, 4), random_rows(1200, 4, seed=1))
        assert score_embeddings(segments, "paper") == score_embeddings(segments, "paper")
        assert score_embeddings(segments, "paper", seed=1)["a2m"] != score_embeddings(segments, "paper", seed=2)["a2m"]

    def test_one_window_alone_is_scored_without_failing(self):
        rows = random_rows(1)
        result = score_embeddings(segments_of(table([1], ["a"]), rows, rows), "strict")
        assert result["S"] == 100.0 == result["chance"]["R@1"]
        assert result["a2m"]["pair_accuracy_same_piece"] is None
        json.dumps(result, allow_nan=False)

    def test_an_unknown_protocol_offers_the_nearest(self):
        rows = random_rows(28)
        with pytest.raises(UnknownName, match="'papper'; did you mean 'paper'"):
            score_embeddings(segments_of(SMALL, rows, rows), "papper")
        with pytest.raises(UnknownName, match="did you mean 'strict'"):
            default_split("stricct", ["test"])

    def test_each_protocol_has_its_split_where_the_corpus_has_it(self):
        assert default_split("paper", ["train", "validation", "test"]) == "validation"
        assert default_split("strict", ["train", "validation", "test"]) == "test"
        assert default_split("paper", [""]) is None

    def test_as_text_names_score_and_chance(self):
        rows = random_rows(28)
        result = score_embeddings(segments_of(SMALL, rows, rows), "paper")
        text = scores_as_text({"model": "template", "corpus": "small", "split": None, **result})
        assert "S 100.0 %" in text
        assert text.count("chance") == 3
        assert len(text.splitlines()) == 8


class FakeEmbedder:
    """Rows of the window's start and the recording's largest sample or lowest pitch."""

    name, fingerprint = "fake", "fake"
    sample_rate_hz, dimensions = 24_000, 2

    def __init__(self, window_s: float = 4.0) -> None:
        self.window_s = window_s

    def embed_audio_windows(self, samples: NDArray[np.float32], starts_s: NDArray[np.float64]) -> NDArray[np.float32]:
        assert len(samples) >= (starts_s[-1] + self.window_s) * self.sample_rate_hz
        return np.stack([starts_s, np.full(len(starts_s), samples.max())], axis=1).astype(np.float32)

    def embed_notes_windows(self, notes: Notes, starts_s: NDArray[np.float64]) -> NDArray[np.float32]:
        return np.stack([starts_s, np.full(len(starts_s), notes.pitch.min())], axis=1).astype(np.float32)

    def embed_pairs(
        self, samples: NDArray[np.float32], notes: Notes, starts_s: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.embed_audio_windows(samples, starts_s), self.embed_notes_windows(notes, starts_s)


def recording(folder: Path, number: int, duration_s: float) -> Recording:
    """A tone of level `number / 10` and a scale from pitch `40 + number`."""
    audio_path, notes_path = folder / f"{number}.flac", folder / f"{number}.mid"
    soundfile.write(audio_path, sine(duration_s, level=number / 10), 24_000)
    write_scale(notes_path, lowest=40 + number)
    return Recording(str(number), notes_path, audio_path, duration_s, "", str(number), "test", str(number))


class TestEmbedCorpus:
    @pytest.fixture
    def corpus(self, tmp_path: Path) -> Corpus:
        """Eight recordings, of which the first, third, fourth, sixth and eighth cannot be used."""
        recordings = [recording(tmp_path, number, 4.5 + number) for number in range(1, 9)]
        files = [one.audio_path for one in recordings]
        files[0].unlink()
        recordings[2].notes_path.write_bytes(b"MThd and no more")
        soundfile.write(files[3], np.zeros(240_000, np.float32), 24_000)
        soundfile.write(files[5], sine(3.0), 24_000)
        recordings[6] = replace(recordings[6], audio_path=None)
        files[7].write_bytes(b"fLaC and no more")
        return Corpus("mixed", tuple(recordings), (UnreadableInput("earlier.mid", "no such file"),))

    def test_names_skipped_recordings_and_keeps_rows_aligned_with_windows(self, corpus: Corpus):
        found = embed_corpus(FakeEmbedder(), corpus)
        assert [one.id for one in found.table.recordings] == ["2", "5"]
        assert len(found.table) == len(found.audio) == len(found.notes) == 3 + 6
        number = np.array([int(one.id) for one in found.table.recordings])[found.table.recording]
        np.testing.assert_array_equal(found.audio[:, 0], found.table.start_s)
        np.testing.assert_array_equal(found.notes[:, 0], found.table.start_s)
        np.testing.assert_allclose(found.audio[:, 1], number / 10, atol=1e-3)
        np.testing.assert_array_equal(found.notes[:, 1], 40 + number)
        assert [(error.path.name, error.reason) for error in found.skipped] == [
            ("earlier.mid", "no such file"),
            ("1.flac", "no such file"),
            *[(error.path.name, error.reason) for error in found.skipped[2:]],
        ]
        words = ["3.mid", "4.flac: it is silent", "6.flac: 3.00 s of sound is too short", "8.flac: not a readable"]
        for error, expected in zip(found.skipped[2:], words, strict=True):
            assert expected in str(error)

    @pytest.mark.parametrize("window_s", [2.0, 6.0])
    def test_cuts_and_masks_windows_of_the_models_length(self, window_s: float, tmp_path: Path):
        corpus = Corpus("two", tuple(recording(tmp_path, number, 9.0) for number in (1, 2)))
        found = embed_corpus(FakeEmbedder(window_s), corpus)
        count = int(9 - window_s) + 1
        assert found.table.window_s == window_s
        assert found.table.start_s.tolist() == [*range(count)] * 2
        near = [index for index in range(count) if index < window_s]
        assert np.flatnonzero(false_negatives(found.table, np.array([0]))[0]).tolist() == near

    def test_fails_with_the_first_reason_when_no_recording_is_readable(self, corpus: Corpus):
        broken = replace(corpus, recordings=corpus.recordings[:1], skipped=())
        with pytest.raises(
            AntiphonError, match=r"none of its 1 recordings can be read; first: .*1\.flac: no such file"
        ):
            embed_corpus(FakeEmbedder(), broken)

    def test_without_any_audio_names_the_option(self, corpus: Corpus):
        silent = replace(corpus, recordings=(corpus.recordings[6],))
        with pytest.raises(AntiphonError, match="--audio DIR"):
            embed_corpus(FakeEmbedder(), silent)
