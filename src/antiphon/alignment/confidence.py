"""How likely it is that a chain is the music it names.

A logistic regression over what speaks for a chain, fitted on a rendering of MAESTRO's validation split with TimGM6mb,
on real recordings, and on performances of MAESTRO's training split that ask for their scores. They ask with 4 to 30 s,
large libraries and libraries of three, once as they are and once without their own composer:
`python -m benchmarks.search.calibration`. Among many stretches one that fits by chance is more likely. That a query
goes at another tempo than the library is less likely beforehand; how much so is not fitted, since it is for the
library to say, and no data set speaks for all.
"""

from __future__ import annotations

import math
from types import MappingProxyType

from antiphon.alignment.chaining import Chain, weight_of

LIKELY = 0.5
"""From this confidence on a chain is called found."""
FEATURES = MappingProxyType({"constant": -4.25, "weight": 42.17, "score": 7.49, "log stretches": -3.36})
"""What is looked at, and how much log odds a unit of it is worth."""
_ANOTHER_TEMPO, _PER_LOG_TEMPO = -2.5, -3.0
_AS_RECORDED = 0.03  # a logarithm of tempo that a short stretch can hardly tell from none


def features_of(chain: Chain, stretches: int) -> list[float]:
    """The features, in their order, of a chain through a query of so many stretches."""
    score = sum(link.score for link in chain)
    return [1.0, weight_of(chain), score, math.log(stretches)]


def beforehand(chain: Chain) -> float:
    """Log odds of a chain's tempo, whatever the music: 0 as recorded, −4.6 at half or twice the tempo."""
    off = abs(sum(math.log(link.tempo) for link in chain)) / len(chain)
    return _ANOTHER_TEMPO * (1 - math.exp(-((off / _AS_RECORDED) ** 2))) + _PER_LOG_TEMPO * off


def evidence_for(chain: Chain, stretches: int) -> float:
    """Log odds that a chain is right; 0 is as likely as not."""
    features = features_of(chain, stretches)
    return beforehand(chain) + sum(worth * value for worth, value in zip(FEATURES.values(), features, strict=True))


def confidence(evidence: float) -> float:
    """The probability that belongs to log odds.

    >>> confidence(0.0)
    0.5
    """
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, evidence))))
