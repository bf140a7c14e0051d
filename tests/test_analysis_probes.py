"""Probes: the regression against a system solved outright, its folds, its targets on sounds that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError
from antiphon.experiments.analysis import ANALYSES
from antiphon.experiments.analysis.probes import (
    centroid_hz,
    fit_ridge,
    folds_of,
    interval_histogram,
    mean_chroma,
    out_of_fold,
    pitch_histogram,
    r2,
)
from antiphon.models.batch import Batch, collate, collate_notes
from antiphon.models.descriptors import View
from builders import RATE_HZ, random_batch, random_notes
from helpers import sine
from models_under_test import small_subject


def view_of(*sounds: np.ndarray) -> View:
    return View(
        collate(np.stack(sounds).astype(np.float32), [random_notes(np.random.default_rng(0), 1)] * len(sounds)), RATE_HZ
    )


class TestRegression:
    def test_is_least_squares_with_the_penalty_as_further_rows(self):
        rng = np.random.default_rng(0)
        x, y = rng.normal(3.0, [1.0, 5.0, 0.1], (30, 3)), rng.normal(2.0, 1.0, (30, 2))
        scaled = (x - x.mean(axis=0)) / x.std(axis=0)
        for strength, fit in zip((0.5, 40.0), fit_ridge(x, y, [0.5, 40.0]), strict=True):
            rows = np.vstack([scaled, np.sqrt(strength) * np.eye(3)])
            weights = np.linalg.lstsq(rows, np.vstack([y - y.mean(axis=0), np.zeros((3, 2))]), rcond=None)[0]
            np.testing.assert_allclose(fit.predict(x), scaled @ weights + y.mean(axis=0), atol=1e-10)

    def test_a_constant_column_has_no_effect(self):
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(20, 2)), rng.normal(size=(20, 1))
        with_constant = np.hstack([x, np.full((20, 1), 7.0)])
        fit, plain = fit_ridge(with_constant, y, [1.0])[0], fit_ridge(x, y, [1.0])[0]
        moved = with_constant + np.array([0.0, 0.0, 100.0])
        np.testing.assert_allclose(fit.predict(moved), plain.predict(x), atol=1e-10)

    def test_finds_a_planted_map_and_nothing_in_shuffled_rows(self):
        rng = np.random.default_rng(1)
        x = rng.normal(size=(200, 12))
        y = x @ rng.normal(size=(12, 3)) + rng.normal(0.0, 0.1, (200, 3))
        groups = np.repeat(np.arange(20), 10)
        assert min(r2(y, *out_of_fold(x, y, groups, 0))) > 0.98
        assert max(r2(y, *out_of_fold(rng.permutation(x), y, groups, 0))) < 0.03

    def test_is_tested_on_groups_outside_its_training_rows(self):
        """Inputs and targets depend only on the group: a regression with leakage would be perfect."""
        rng = np.random.default_rng(2)
        groups = np.repeat(np.arange(12), 15)
        x = np.eye(12)[groups] + rng.normal(0.0, 0.01, (180, 12))
        y = rng.normal(size=(12, 2))[groups]
        assert max(r2(y, *out_of_fold(x, y, groups, 0))) < 0.2
        assert min(r2(y, *out_of_fold(x, y, np.arange(180), 0))) > 0.95

    def test_chooses_a_strength_that_suits_the_noise(self):
        rng = np.random.default_rng(3)
        x, groups = rng.normal(size=(60, 40)), np.repeat(np.arange(12), 5)
        y = rng.normal(size=(60, 1))
        unpenalised = [
            float(
                np.square(
                    fit_ridge(x[groups != g], y[groups != g], [1e-2])[0].predict(x[groups == g]) - y[groups == g]
                ).sum()
            )
            for g in range(12)
        ]
        predicted, constant = out_of_fold(x, y, groups, 0)
        assert np.square(predicted - y).sum() < 0.6 * sum(unpenalised)
        assert np.square(predicted - y).sum() < 1.25 * np.square(constant - y).sum()

    def test_the_constant_prediction_is_the_mean_of_other_groups(self):
        rng = np.random.default_rng(4)
        y, groups = rng.normal(size=(30, 2)), np.repeat(np.arange(3), 10)
        _, constant = out_of_fold(rng.normal(size=(30, 4)), y, groups, 0)
        for group in range(3):
            np.testing.assert_allclose(constant[groups == group], np.tile(y[groups != group].mean(axis=0), (10, 1)))


def test_folds_keep_groups_together_and_are_about_equal():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), rng.integers(1, 12, 40)) * 7
    fold = folds_of(groups, 5, rng)
    assert all(len(set(fold[groups == group])) == 1 for group in set(groups))
    sizes = np.bincount(fold)
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() <= 11
    assert sorted(set(folds_of(np.array([4, 4, 9]), 5, rng))) == [0, 1]


def test_r2_weighs_dimensions_by_variance_or_alike():
    y = np.array([[0.0, 0.0, 1.0], [10.0, 2.0, 1.0], [20.0, 4.0, 1.0]])
    predicted = np.array([[0.0, 2.0, 3.0], [10.0, 2.0, 3.0], [20.0, 2.0, 3.0]])  # right, constant, and left out
    weighted, uniform = r2(y, predicted, y.mean(axis=0, keepdims=True))
    assert weighted == pytest.approx(1 - 8 / 208)
    assert uniform == pytest.approx(0.5)
    assert r2(y[:, 2:], predicted[:, 2:], y[:1, 2:]) == (0.0, 0.0)


class TestTargets:
    def test_chroma_of_a_tone_is_its_pitch_class(self):
        chroma = mean_chroma(view_of(sine(4.0, 440.0), sine(4.0, 440.0, level=0.01), np.zeros(4 * RATE_HZ)))
        assert chroma.shape == (3, 12)
        assert chroma[0].argmax() == 9
        assert chroma[0, 9] > 0.95
        torch.testing.assert_close(chroma[0], chroma[1], atol=1e-4, rtol=0)
        assert chroma[2].tolist() == [0.0] * 12

    def test_centroid_of_a_tone_is_its_frequency_pauses_or_not(self):
        paused = sine(4.0, 1500.0)
        paused[2 * RATE_HZ :] = np.random.default_rng(0).uniform(-1, 1, 2 * RATE_HZ) / 2**16  # rounding noise
        found = centroid_hz(view_of(sine(4.0, 1500.0), paused, np.zeros(4 * RATE_HZ)))[:, 0]
        assert found[0].item() == pytest.approx(1500, abs=20)
        assert found[1].item() == pytest.approx(found[0].item(), abs=40)
        assert found[2] == 0.0

    def test_histograms_are_those_of_the_notes_one_by_one(self):
        rng = np.random.default_rng(0)
        windows = [random_notes(rng, count) for count in (12, 1, 0, 30)]
        pitches, steps = pitch_histogram(collate_notes(windows)), interval_histogram(collate_notes(windows))
        for row, notes in enumerate(windows):
            expected, moved = np.zeros(128), np.zeros(25)
            for pitch in notes.pitch.tolist():
                expected[pitch] += 1 / len(notes)
            for before, after in zip(notes.pitch.tolist(), notes.pitch.tolist()[1:], strict=False):
                moved[max(-12, min(12, after - before)) + 12] += 1 / (len(notes) - 1)
            np.testing.assert_allclose(pitches[row], expected, atol=1e-6)
            np.testing.assert_allclose(steps[row], moved, atol=1e-6)


class TestResult:
    @pytest.mark.parametrize("arm", ["d4a4", "film-a4"])
    def test_four_probes_with_chance_level_and_the_papers_figures(self, demo: Corpus, arm: str):
        found = ANALYSES["probes"].run(small_subject(demo, arm))
        rows = {row["probe"]: row for row in found.rows}
        assert list(rows) == [
            "midi to chroma",
            "midi to centroid",
            "audio to pitch histogram",
            "audio to interval histogram",
        ]
        assert [row["dimensions"] for row in found.rows][:2] == [12, 1]
        assert 1 < rows["audio to pitch histogram"]["dimensions"] < 88
        assert all(np.isfinite(value) for row in found.rows for name, value in row.items() if name != "probe")
        assert all(row["R² uniform"] != row["R² uniform, shuffled"] for row in found.rows)
        assert found.facts["works"] == 4
        assert ("paper, d4a4" in found.facts["paper"]) == (arm == "d4a4")
        assert "0.616" in found.summary

    def test_two_works_are_too_few(self, demo: Corpus):
        with pytest.raises(AntiphonError, match="2 works; probes need at least 3"):
            ANALYSES["probes"].run(small_subject(demo, recordings=2))


def test_padding_adds_nothing_to_a_histogram():
    batch: Batch = random_batch()
    assert (batch.notes.padding.any(dim=1)).any()
    torch.testing.assert_close(pitch_histogram(batch.notes).sum(dim=1), torch.ones(3))
