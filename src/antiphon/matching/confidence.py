"""How likely it is that a chain is the music it names.

A logistic regression over what speaks for a chain, fitted on a rendering of MAESTRO's validation split with TimGM6mb
and on real recordings, which ask with 4 to 30 s, once as they are and once with their own composer left out of the
library: `python -m benchmarks.search.calibration`. Every further stretch has to bring something of its own, and among
many stretches one that fits by chance is more likely.
"""

from __future__ import annotations

import math
from types import MappingProxyType

from antiphon.matching.chains import Chain, weight_of

FEATURES = MappingProxyType(
    {"constant": -2.57, "weight": 24.39, "score": 17.84, "links": -6.95, "log stretches": -8.02}
)
"""What is looked at, and how much log odds a unit of it is worth."""


def features_of(chain: Chain, stretches: int) -> list[float]:
    """The features, in their order, of a chain through a query of so many stretches."""
    score = sum(link.score for link in chain)
    return [1.0, weight_of(chain), score, float(len(chain)), math.log(stretches)]


def evidence_for(chain: Chain, stretches: int) -> float:
    """Log odds that a chain is right; 0 is as likely as not."""
    return sum(worth * value for worth, value in zip(FEATURES.values(), features_of(chain, stretches), strict=True))


def confidence(evidence: float) -> float:
    """The probability that belongs to log odds.

    >>> confidence(0.0)
    0.5
    """
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, evidence))))
