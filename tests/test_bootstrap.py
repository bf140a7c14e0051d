"""The bootstrap against loops over resamples; equal seeds give equal draws."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.evaluation.bootstrap import (
    RESAMPLES,
    draw_clusters,
    interval_95,
    percentile_interval,
    resampled_differences,
    resampled_means,
)

CLUSTER = np.array([7, 7, 3, 9, 9, 9])
VALUES = {"one": np.array([1.0, 2.0, 10.0, 4.0, 5.0, 6.0]), "other": np.arange(6.0)}


def test_every_resample_draws_as_many_clusters_as_there_are():
    drawn, member = draw_clusters(CLUSTER, seed=1)
    assert drawn.shape == (RESAMPLES, 3)
    assert (drawn.sum(axis=1) == 3).all()
    assert member.tolist() == [1, 1, 0, 2, 2, 2]
    assert drawn.mean(axis=0) == pytest.approx(np.ones(3), abs=0.1)


def test_means_equal_a_loop_over_resamples():
    drawn, _ = draw_clusters(CLUSTER, seed=1)
    means = resampled_means(VALUES, CLUSTER, seed=1)
    for key, values in VALUES.items():
        members = [values[group == CLUSTER] for group in (3, 7, 9)]
        slow = [np.concatenate([np.tile(own, n) for own, n in zip(members, row, strict=True)]).mean() for row in drawn]
        np.testing.assert_allclose(means[key], slow)


def test_seeds_decide_the_draws():
    first, again, other = (resampled_means(VALUES, CLUSTER, seed)["one"] for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


def test_differences_resample_each_group_alone():
    a, b = np.array([4.0, 6.0]), np.array([1.0, 2.0, 3.0])
    differences = resampled_differences(a, b, seed=5, resamples=4000)
    assert differences.shape == (4000,)
    assert differences.mean() == pytest.approx(3.0, abs=0.05)
    assert differences.var() == pytest.approx(1.0 / 2 + (2 / 3) / 3, rel=0.1)


def test_an_interval_is_recorded_to_four_decimals():
    values = np.linspace(0.0, 1.0, 7)
    assert interval_95(values) == [round(end, 4) for end in percentile_interval(values)]
