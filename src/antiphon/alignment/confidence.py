"""Confidence: the probability that a chain is the query's music.

A logistic regression over features of a chain, fitted by `python -m benchmarks.search.calibration` on three sources of
queries: a rendering of MAESTRO's validation split with TimGM6mb, real recordings, and performances of MAESTRO's
training split whose scores are sought. Queries last 4 to 30 s. Each searches a large library and a library of three
files, once with the right file and once without any work of its composer.

With more stretches, a chain of one stretch that is similar by chance becomes more likely; `log stretches` corrects for
that. The prior of a chain whose tempo differs from the library's is lower. It is set, not fitted: the share of such
queries depends on the library, and no data set represents all libraries.
"""

from __future__ import annotations

import math
from types import MappingProxyType

from antiphon.alignment.chaining import Chain, total_evidence

LIKELY = 0.5
"""The lowest confidence at which a chain counts as found."""
FEATURES = MappingProxyType(
    {"constant": -4.25, "evidence": 42.17, "score": 7.49, "log stretches": -3.36, "scarcity": -4.0}
)
"""Each feature's coefficient in log odds per unit."""
_ENOUGH_DISTINCT = 3.0
"""The effective number of different onsets from which more of them that agree add nothing to the evidence."""
_LEAST_DISTINCT = 0.05
_ANOTHER_TEMPO, _PER_LOG_TEMPO = -2.5, -3.0
_LOG_TEMPO_RESOLUTION = 0.03  # smaller deviations are within the error of a short stretch's tempo


def features_of(chain: Chain, stretches: int) -> list[float]:
    """A chain's values of `FEATURES`, in that order; `stretches` is the number of stretches of the whole query."""
    score = sum(link.score for link in chain)
    return [1.0, total_evidence(chain), score, math.log(stretches), scarcity(chain)]


def scarcity(chain: Chain) -> float:
    """How far the number of different onsets that agree along a chain falls short of enough, as a logarithm: 0 for 3 or
    more, 0.7 for half as many, 1.1 for a single onset, at most 4.1.
    """
    distinct = sum(link.distinct for link in chain)
    return math.log(_ENOUGH_DISTINCT / min(max(distinct, _LEAST_DISTINCT), _ENOUGH_DISTINCT))


def log_prior(chain: Chain) -> float:
    """Prior log odds of a chain's tempo: 0 at the tempo of the library, −4.6 at half or twice that tempo."""
    log_tempo = abs(sum(math.log(link.tempo) for link in chain)) / len(chain)
    return _ANOTHER_TEMPO * (1 - math.exp(-((log_tempo / _LOG_TEMPO_RESOLUTION) ** 2))) + _PER_LOG_TEMPO * log_tempo


def evidence_for(chain: Chain, stretches: int) -> float:
    """Log odds that a chain is right, the prior of its tempo included; 0 is a probability of one half."""
    features = features_of(chain, stretches)
    return log_prior(chain) + sum(
        coefficient * value for coefficient, value in zip(FEATURES.values(), features, strict=True)
    )


def confidence(evidence: float) -> float:
    """The probability at some log odds.

    >>> confidence(0.0)
    0.5
    """
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, evidence))))
