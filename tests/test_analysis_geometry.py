"""Alignment, uniformity, gap and hubness against loops and planted cases; the map with and without its packages."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import skew

from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError
from antiphon.experiments.analysis import ANALYSES, geometry
from antiphon.experiments.analysis.geometry import (
    alignment,
    flatten,
    hubness,
    hubness_by_chance,
    k_occurrence,
    modality_gap,
    uniformity,
)
from antiphon.experiments.analysis.sample import embed_sample, sample_windows
from models_under_test import small_subject


def sphere(count: int, dimensions: int = 5, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, dimensions))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither UMAP nor scikit-learn: maps are PCA's, and quick."""
    monkeypatch.setattr(geometry, "find_spec", lambda name: None if name in ("umap", "sklearn") else object())


def test_alignment_is_the_mean_squared_distance_of_pairs():
    x, y = sphere(9, seed=1), sphere(9, seed=2)
    expected = (
        sum(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) for one, other in zip(x, y, strict=True)) / 9
    )
    assert alignment(x, y) == pytest.approx(expected)
    assert alignment(x, x) == 0.0
    assert alignment(x, -x) == pytest.approx(4.0)


def test_uniformity_is_the_log_mean_of_a_gaussian_of_all_pairs():
    x = sphere(9)
    total, pairs = 0.0, 0
    for i in range(9):
        for j in range(i + 1, 9):
            total += math.exp(-2 * sum((a - b) ** 2 for a, b in zip(x[i], x[j], strict=True)))
            pairs += 1
    assert uniformity(x) == pytest.approx(math.log(total / pairs))
    assert uniformity(np.ones((5, 1))) == pytest.approx(0.0)
    assert uniformity(sphere(400, 200)) == pytest.approx(-4.0, abs=0.1)


def test_modality_gap_is_the_distance_of_the_means():
    x = sphere(9)
    assert modality_gap(x, x[::-1]) == pytest.approx(0.0, abs=1e-12)
    assert modality_gap(x, x + [3.0, 4.0, 0, 0, 0]) == pytest.approx(5.0)  # noqa: RUF005


def test_k_occurrence_counts_queries_one_by_one():
    queries, candidates = sphere(20, seed=1), sphere(15, seed=2)
    expected = [0] * 15
    for query in queries:
        ranked = sorted(range(15), key=lambda number: -float(query @ candidates[number]))
        for number in ranked[:4]:
            expected[number] += 1
    assert k_occurrence(queries, candidates, 4).tolist() == expected


def test_a_planted_hub_is_found():
    rng = np.random.default_rng(0)
    queries, candidates = rng.normal(size=(60, 30)), rng.normal(size=(60, 30))
    queries[:, 0] += 6.0  # all lean to where the hub is
    candidates[7] = [10.0] + [0.0] * 29
    occurrence = k_occurrence(queries, candidates)
    found = hubness(occurrence)
    assert occurrence[7] == found["largest"] == 60
    assert found["skewness"] == pytest.approx(skew(occurrence))
    assert found["anti-hubs"] == pytest.approx((occurrence == 0).mean())
    assert found["skewness"] > 1.5
    fair = hubness(k_occurrence(sphere(60), sphere(60)))
    assert fair["skewness"] < found["skewness"]


def test_equal_occurrence_is_no_hubness():
    assert hubness(np.full(8, 10)) == {"skewness": 0.0, "anti-hubs": 0.0, "largest": 10.0}


def test_chance_level_is_that_of_random_draws():
    rng = np.random.default_rng(0)
    drawn = np.concatenate([
        np.bincount(np.concatenate([rng.choice(40, 3, replace=False) for _ in range(40)]), minlength=40)
        for _ in range(500)
    ])  # fmt: skip
    expected, found = hubness_by_chance(40, 3), hubness(drawn)
    assert found["anti-hubs"] == pytest.approx(expected["anti-hubs"], rel=0.05)
    assert found["skewness"] == pytest.approx(expected["skewness"], abs=0.03)


@pytest.mark.usefixtures("without_packages")
def test_without_packages_the_map_is_the_plane_of_largest_variance():
    rows = np.random.default_rng(0).normal(size=(50, 4)) * [1.0, 9.0, 0.1, 4.0]
    name, points = flatten(rows, 0)
    assert name == "PCA"
    for axis, column in ((0, 1), (1, 3)):
        assert abs(np.corrcoef(points[:, axis], rows[:, column])[0, 1]) > 0.95


@pytest.mark.parametrize(("name", "package"), [("UMAP", "umap"), ("t-SNE", "sklearn")])
def test_maps_keep_clusters_apart_and_are_the_same_each_time(name: str, package: str):
    pytest.importorskip(package)
    method = next(found for title, _, found in geometry._MAPS if title == name)
    rows = np.repeat(np.eye(3), 12, axis=0) + np.random.default_rng(0).normal(0.0, 0.05, (36, 3))
    points = method(rows, 4)
    np.testing.assert_array_equal(points, method(rows, 4))
    centres = points.reshape(3, 12, 2).mean(axis=1)
    distance = np.linalg.norm(points[:, None] - centres[None], axis=-1)
    assert (distance.argmin(axis=1) == np.repeat(np.arange(3), 12)).all()


@pytest.mark.usefixtures("without_packages")
def test_the_result_has_a_row_for_every_window(demo: Corpus):
    tested = small_subject(demo, recordings=4)
    found = ANALYSES["geometry"].run(tested)
    audio, notes = embed_sample(tested.model, sample_windows(tested))
    assert [row["N10 of notes"] for row in found.rows] == k_occurrence(audio, notes).tolist()
    assert len(found.rows) == found.facts["windows"] == 32
    for way in ("notes", "audio"):
        assert sum(row[f"N10 of {way}"] for row in found.rows) == 320
    cosine = np.mean([row["cosine"] for row in found.rows])
    assert found.facts["cosine of pairs"] == pytest.approx(cosine)
    assert found.facts["alignment"] == pytest.approx(2 - 2 * cosine)
    assert found.facts["map"] == "PCA"
    assert found.facts["hubness"]["a2m"]["largest"] == max(row["N10 of notes"] for row in found.rows)
    assert "random draws" in found.summary


@pytest.mark.usefixtures("without_packages")
def test_ten_windows_are_too_few(demo: Corpus):
    with pytest.raises(AntiphonError, match="10 windows; geometry needs more than 10"):
        ANALYSES["geometry"].run(small_subject(demo, recordings=2, windows=5))
