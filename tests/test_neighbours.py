"""Nearest windows: as brute force finds them below a size, as good as said above it, and never from a stale file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.experiments.listing import describe
from antiphon.index import quantised as quantised_module
from antiphon.index.artifacts import Artifacts
from antiphon.index.neighbours import Nearest, Neighbours
from antiphon.index.quantised import RECALL, Quantised, QuantisedFacts, quantise, quantised
from antiphon.index.store import Store
from antiphon.index.view import IndexView
from builders import unit
from library import bring_up_to_date, in_database

Rows = NDArray[np.float16]
ROUNDING = 1e-5


def independent(count: int, dimensions: int, seed: int = 0) -> Rows:
    return unit(np.random.default_rng(seed).standard_normal((count, dimensions))).astype(np.float16)


def moved(rows: Rows, share: float = 1.0, seed: int = 1) -> NDArray[np.float32]:
    """The rows, moved by that share of their length in a random direction."""
    noise = np.random.default_rng(seed).standard_normal(rows.shape)
    return unit(rows.astype(np.float32) + share * unit(noise))


def brute_force(vectors: Rows, queries: NDArray[np.float32], count: int, among: NDArray[np.bool_] | None) -> Nearest:
    """Compare each with each, one at a time."""
    cosine, row = np.full((len(queries), count), -1.0, np.float32), np.full((len(queries), count), -1)
    for number, query in enumerate(queries):
        allowed = [at for at in range(len(vectors)) if among is None or among[at]]
        found = sorted(((float(vectors[at].astype(np.float64) @ query), at) for at in allowed), reverse=True)[:count]
        for place, (value, at) in enumerate(found):
            cosine[number, place], row[number, place] = value, at
    return cosine, row


def assert_same(found: Nearest, true: Nearest) -> None:
    np.testing.assert_allclose(found[0], true[0], atol=ROUNDING)
    np.testing.assert_array_equal(found[1], true[1])
    assert (found[0].dtype, found[1].dtype) == (np.float32, np.int64)


def recall(found: Nearest, true: Nearest) -> float:
    return float(np.mean(found[0] >= true[0][:, -1:] - ROUNDING))


@pytest.fixture(scope="module")
def vectors() -> Rows:
    return independent(900, 24)


@pytest.fixture(scope="module")
def approximate(vectors: Rows) -> Neighbours:
    return Neighbours(vectors, quantise(vectors))


class TestExact:
    @pytest.mark.parametrize("count", [1, 10, 900])
    @pytest.mark.parametrize("share", [None, 0.3, 0.002, 0.0])
    def test_is_what_brute_force_finds(self, vectors: Rows, count: int, share: float | None):
        among = None if share is None else np.random.default_rng(2).random(len(vectors)) < share
        queries = moved(vectors[:7])
        assert_same(Neighbours(vectors).nearest(queries, count, among), brute_force(vectors, queries, count, among))

    @pytest.mark.parametrize("values", [1, 24 * 7, 24 * 899])
    def test_does_not_depend_on_how_the_rows_are_cut_into_chunks(
        self, vectors: Rows, values: int, monkeypatch: pytest.MonkeyPatch
    ):
        queries, among = moved(vectors[:5]), np.arange(len(vectors)) % 3 > 0
        whole = Neighbours(vectors).nearest(queries, 12, among)
        monkeypatch.setattr("antiphon.index.neighbours.CHUNK_VALUES", values)
        assert_same(Neighbours(vectors).nearest(queries, 12, among), whole)

    def test_pads_where_there_are_fewer(self, vectors: Rows):
        cosine, row = Neighbours(vectors[:3]).nearest(moved(vectors[:2]), 5)
        assert np.all(row[:, :3] >= 0)
        assert np.all(row[:, 3:] == -1)
        assert np.all(cosine[:, 3:] == -1.0)


class TestQuantised:
    def test_reaches_its_recall_and_gives_true_cosines(self, vectors: Rows, approximate: Neighbours):
        queries = moved(vectors[100:200])
        cosine, row = approximate.nearest(queries, 10)
        assert recall((cosine, row), brute_force(vectors, queries, 10, None)) >= RECALL - 0.01
        np.testing.assert_allclose(
            cosine, np.einsum("qd,qkd->qk", queries, vectors[row].astype(np.float32)), atol=ROUNDING
        )
        assert np.all(np.diff(cosine, axis=1) <= 0)
        assert all(len(set(one)) == 10 for one in row.tolist())

    @pytest.mark.parametrize(
        ("rows", "least"),
        [(np.repeat(independent(30, 64), 100, axis=0), 4), (independent(3000, 64), 8)],
        ids=["copies", "independent"],
    )
    def test_takes_as_many_candidates_as_its_recall_needs(self, rows: Rows, least: int):
        made, queries = quantise(rows), moved(rows[::30], seed=3)
        true = Neighbours(rows).nearest(queries, 10)
        assert made.facts.candidates_per_row == least
        assert made.facts.recall_at_10 >= RECALL
        assert recall(made.nearest(rows, queries, 10), true) == pytest.approx(made.facts.recall_at_10, abs=0.02)

    def test_half_the_candidates_would_miss_its_recall(self):
        rows = independent(3000, 64)
        made, queries = quantise(rows), moved(rows[::30], seed=3)
        half = Quantised(made.index, QuantisedFacts(made.facts.candidates_per_row // 2, 0.0, 0.0))
        assert recall(half.nearest(rows, queries, 10), Neighbours(rows).nearest(queries, 10)) < RECALL

    def test_is_made_the_same_again(self, vectors: Rows, approximate: Neighbours):
        again = Neighbours(vectors, quantise(vectors))
        assert_same(again.nearest(moved(vectors[:9]), 10), approximate.nearest(moved(vectors[:9]), 10))

    def test_is_exact_among_what_a_filter_leaves(self):
        """The filter leaves out all that is nearest: no candidate would pass it."""
        near = unit(0.05 * independent(500, 24).astype(np.float32) + independent(1, 24, 7)).astype(np.float16)
        rows, among = np.concatenate([near, independent(100, 24, 8)]), np.arange(600) >= 500
        found = Neighbours(rows, quantise(rows)).nearest(moved(near[:9]), 10, among)
        assert_same(found, brute_force(rows, moved(near[:9]), 10, among))

    @pytest.mark.parametrize("dimensions", [2, 5, 8])
    @pytest.mark.parametrize("count", [16, 40])
    def test_takes_small_libraries_of_any_dimension(self, count: int, dimensions: int):
        rows = independent(count, dimensions)
        cosine, row = Neighbours(rows, quantise(rows)).nearest(moved(rows[:3]), 50)
        assert np.all(row[:, count:] == -1)
        assert np.all(cosine[:, 0] >= brute_force(rows, moved(rows[:3]), 1, None)[0][:, 0] - ROUNDING)


class TestFile:
    @pytest.fixture
    def built(self, folder: Path, out: Path) -> Path:
        bring_up_to_date(folder, out, only="notes", exact_below=16)
        assert {path.suffix for path in out.glob("notes-*")} == {".f16", ".json", ".pq", ".onsets"}
        return out

    def ask(self, index: Path) -> Nearest:
        with Store(index, exact_below=16) as store:
            library = store.library("notes")
            return library.neighbours.nearest(library.vectors[5:8].astype(np.float32), 3)

    def test_is_made_by_a_build_and_then_only_read(self, built: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(quantised_module, "quantise", pytest.fail)
        np.testing.assert_array_equal(self.ask(built)[1][:, 0], [5, 6, 7])

    def test_is_not_made_below_its_size(self, folder: Path, out: Path):
        bring_up_to_date(folder, out, only="notes")
        assert {path.suffix for path in out.glob("notes-*")} == {".f16", ".json", ".onsets"}

    @pytest.mark.parametrize("suffix", ["pq", "pq.json"])
    @pytest.mark.parametrize(
        "damage",
        [
            Path.unlink,
            lambda path: os.truncate(path, path.stat().st_size // 2),
            lambda path: path.write_text("null", encoding="utf-8"),
        ],
        ids=["missing", "cut off", "something else"],
    )
    def test_is_made_again_by_the_first_search_that_needs_it(
        self, built: Path, suffix: str, damage: Callable[[Path], object]
    ):
        before = self.ask(built)
        (path,) = built.glob(f"notes-*.{suffix}")
        whole = path.stat().st_size
        damage(path)
        with Store(built, exact_below=16) as store:
            store.library("notes")
        assert not path.exists() or path.stat().st_size < whole  # opening alone makes nothing
        assert_same(self.ask(built), before)
        assert path.stat().st_size == whole

    def test_of_another_size_is_not_believed(self, built: Path):
        (path,) = built.glob("notes-*.pq")
        before, rows = self.ask(built), independent(20, 8)
        other = Artifacts(built, "other", 1)
        quantised(rows, other)
        os.replace(other.path(".pq"), path)
        assert_same(self.ask(built), before)

    def test_follows_the_database_and_leaves_no_old_ones(self, built: Path, folder: Path):
        old = set(built.glob("notes-*"))
        (folder / "a.mid").unlink()
        shutil.copy(folder / "b.mid", folder / "d.mid")
        bring_up_to_date(folder, built, only="notes", exact_below=16)
        now = set(built.glob("notes-*"))
        assert len(now) == len(old) == 5
        assert not old & now
        (windows, _), (same, _) = (in_database(built)[name] for name in ("b.mid", "d.mid"))
        with Store(built, exact_below=16) as store:
            library = store.library("notes")
            twins = [library.offset[library.paths.index(str(folder / name))] for name in ("b.mid", "d.mid")]
            _, row = library.neighbours.nearest(library.vectors[twins[:1]].astype(np.float32), 2)
        assert len(windows) == len(same)
        assert sorted(row[0].tolist()) == sorted(twins)

    def test_of_a_generation_that_has_passed_still_answers(self, built: Path, folder: Path):
        """A library that was opened before a change makes its own copy, which it does not leave behind."""
        with Store(built, exact_below=16) as store:
            library = store.library("notes")
            (folder / "a.mid").unlink()
            bring_up_to_date(folder, built, only="notes", exact_below=16)
            now = set(built.glob("notes-*"))
            _, row = library.neighbours.nearest(library.vectors[5:8].astype(np.float32), 3)
        np.testing.assert_array_equal(row[:, 0], [5, 6, 7])
        assert set(built.glob("notes-*")) == now

    def test_info_says_how_good_it_is(self, built: Path):
        with Store(built, exact_below=16) as store:
            facts = store.neighbours()["notes"]
            assert (facts["method"], facts["made"]) == ("product quantisation", True)
            assert facts["recall_at_10"] >= RECALL
            assert facts["candidates_per_row"] >= 4
            (path,) = built.glob("notes-*.pq.json")
            path.unlink()
            assert store.neighbours()["notes"] == {"method": "product quantisation", "made": False}
        assert describe(str(built))["notes_neighbours"] == {"method": "exact"}


def test_a_librarys_rows_are_those_of_its_recordings():
    library = IndexView(independent(8, 8), np.arange(8.0), np.array([0, 3, 4, 8]), ("a", "b", "c"), np.full(3, 9.0))
    np.testing.assert_array_equal(np.flatnonzero(library.rows_of(np.array([True, False, True]))), [0, 1, 2, 4, 5, 6, 7])
