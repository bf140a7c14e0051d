"""Calibration fits the maximum-likelihood constants, and absent pieces share no composer with the query."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.search.calibration import fit, stranger
from benchmarks.search.queries import Query


@pytest.mark.parametrize("known", [0.0, 3.0])
def test_fit_recovers_the_constants_of_simulated_data(known: float):
    """Half of the samples have `known` prior log odds, which the constants must not absorb."""
    rng = np.random.default_rng(5)
    constants = np.array([-1.0, 2.0, -0.5])
    features = np.column_stack([np.ones(40_000), rng.normal(size=(40_000, 2))])
    beforehand = known * rng.integers(0, 2, len(features))
    right = rng.random(len(features)) < 1 / (1 + np.exp(-features @ constants - beforehand))
    np.testing.assert_allclose(fit(features, right, beforehand), constants, atol=0.06)
    # Without the prior, the fit is wrong where the prior is not zero.
    assert (np.abs(fit(features, right) - constants).max() > 0.5) == (known > 0)


def test_strangers_share_no_composer():
    composers = {
        "a.mid": "Franz Schubert / Franz Liszt",
        "b.mid": "Franz Liszt",
        "c.mid": "Frédéric Chopin",
        "d.mid": "",
    }

    def query(file: str) -> Query:
        return Query("r", Path("r.flac"), 0.0, 10.0, file)

    assert [stranger(path, query("a.mid"), composers) for path in composers] == [False, False, True, True]
    # Without a composer, all files except the query's own.
    assert [stranger(path, query("d.mid"), composers) for path in composers] == [True, True, True, False]
