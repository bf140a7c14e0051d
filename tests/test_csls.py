"""CSLS against its formula, and on a hand-made candidate that is near all queries."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.evaluation.csls import closeness, csls


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def random_rows(seed: int, count: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(count, 8)))


def test_scores_equal_the_formula():
    queries, candidates, bank = random_rows(0, 5), random_rows(1, 7), random_rows(2, 20)
    longer, corrected = csls(queries, candidates, bank, neighbours=3, weight=0.4)
    for i, query in enumerate(queries):
        for j, candidate in enumerate(candidates):
            nearest = sorted((float(one @ candidate) for one in bank), reverse=True)[:3]
            assert longer[i] @ corrected[j] == pytest.approx(
                float(query @ candidate) - 0.4 * sum(nearest) / 3, abs=1e-5
            )


def test_a_candidate_near_all_queries_no_longer_ranks_before_the_positive():
    """Queries share a direction that is one candidate: it is nearest to all of them and to all of the bank."""
    own, shared = np.eye(21)[:20], np.eye(21)[20]
    queries, bank = unit(own[:10] + 2 * shared), unit(own[10:] + 2 * shared)
    candidates = unit(np.vstack([own[:10] + 0.3 * shared, shared]))
    assert ((queries @ candidates.T).argmax(axis=1) == 10).all()
    longer, corrected = csls(queries, candidates, bank, neighbours=5)
    assert ((longer @ corrected.T).argmax(axis=1) == np.arange(10)).all()


def test_rows_of_zeros_stay_zeros():
    queries, candidates = random_rows(0, 3), random_rows(1, 3)
    queries[1] = candidates[2] = 0
    longer, corrected = csls(queries, candidates, random_rows(2, 10), neighbours=2)
    assert not longer[1].any()
    assert not corrected[2].any()


@pytest.mark.parametrize("neighbours", [0, 11])
def test_a_number_of_neighbours_that_the_bank_lacks_is_an_error(neighbours: int):
    with pytest.raises(ValueError, match="bank of 10"):
        closeness(random_rows(0, 3), random_rows(1, 10), neighbours)
