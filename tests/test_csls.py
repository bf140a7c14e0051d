"""Holding hubs back: against the formula typed slowly, and on a hub made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.evaluation.csls import closeness, csls


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def random_rows(seed: int, count: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(count, 8)))


def test_scores_equal_the_formula():
    asking, answering, bank = random_rows(0, 5), random_rows(1, 7), random_rows(2, 20)
    longer, held = csls(asking, answering, bank, neighbours=3, weight=0.4)
    for i, query in enumerate(asking):
        for j, answer in enumerate(answering):
            nearest = sorted((float(one @ answer) for one in bank), reverse=True)[:3]
            assert longer[i] @ held[j] == pytest.approx(float(query @ answer) - 0.4 * sum(nearest) / 3, abs=1e-5)


def test_a_hub_no_longer_comes_before_the_right_answer():
    """Queries share a direction that one answer consists of: it is nearest to all of them, and to all of the bank."""
    own, shared = np.eye(21)[:20], np.eye(21)[20]
    asking, bank = unit(own[:10] + 2 * shared), unit(own[10:] + 2 * shared)
    answering = unit(np.vstack([own[:10] + 0.3 * shared, shared]))
    assert ((asking @ answering.T).argmax(axis=1) == 10).all()
    longer, held = csls(asking, answering, bank, neighbours=5)
    assert ((longer @ held.T).argmax(axis=1) == np.arange(10)).all()


def test_rows_of_zeros_stay_zeros():
    asking, answering = random_rows(0, 3), random_rows(1, 3)
    asking[1] = answering[2] = 0
    longer, held = csls(asking, answering, random_rows(2, 10), neighbours=2)
    assert not longer[1].any()
    assert not held[2].any()


@pytest.mark.parametrize("neighbours", [0, 11])
def test_more_neighbours_than_the_bank_has_are_refused(neighbours: int):
    with pytest.raises(ValueError, match="bank of 10"):
        closeness(random_rows(0, 3), random_rows(1, 10), neighbours)
