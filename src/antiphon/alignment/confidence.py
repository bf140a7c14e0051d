"""Confidence: the probability that a chain is the query's music.

A logistic regression over features of a chain, fitted by `python -m benchmarks.search.calibration` on three sources of
queries: a rendering of MAESTRO's validation split with TimGM6mb, real recordings, and performances of MAESTRO's
training split whose scores are sought. Queries last 4 to 30 s. Each searches a large library and a library of three
files, once with the right file and once without any work of its composer.

One note, a click or a few notes are similar to some place of any library, and nothing is similar by chance to many
different onsets. So evidence and score count in so far as different onsets agree (`sufficiency`).

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
FEATURES = MappingProxyType({"constant": -4.75, "evidence": 42.17, "score": 7.49, "log stretches": -3.36})
"""Each feature's coefficient in log odds per unit."""
_PAIRS_OF_SOUND, _PAIRS_OF_NOTES = (0.0, 1.0), (3.0, 10.0)
"""Pairs of different onsets that agree, up to which they count for nothing and from which on they suffice.

Sound blurs its onsets, so that fewer of them agree with the right music, and hardly any with other music. A note query
states its onsets exactly: three or four random notes agree with some place of a large library.
"""
_LEAST_SUFFICIENCY = 0.05  # keeps the order of chains by their evidence, and the confidence below 0.1
_ANOTHER_TEMPO, _PER_LOG_TEMPO = -2.5, -3.0
_LOG_TEMPO_RESOLUTION = 0.03  # smaller deviations are within the error of a short stretch's tempo


def features_of(chain: Chain, stretches: int, notes: bool = False) -> list[float]:
    """A chain's values of `FEATURES`, in that order; `stretches` is the number of stretches of the whole query.

    `notes` says that the query is notes, not sound.
    """
    score, share = sum(link.score for link in chain), sufficiency(chain, notes)
    return [1.0, share * total_evidence(chain), share * score, math.log(stretches)]


def sufficiency(chain: Chain, notes: bool = False) -> float:
    """The share of a chain's evidence that counts, by its pairs of different onsets that agree, 0.05 to 1.

    For sound it grows up to 1 pair, for notes from 3 to 10; *n* different onsets make n (n − 1) pairs.
    """
    least, enough = _PAIRS_OF_NOTES if notes else _PAIRS_OF_SOUND
    pairs = sum(link.pairs for link in chain)
    return min(1.0, max(_LEAST_SUFFICIENCY, (pairs - least) / (enough - least)))


def log_prior(chain: Chain) -> float:
    """Prior log odds of a chain's tempo: 0 at the tempo of the library, −4.6 at half or twice that tempo."""
    log_tempo = abs(sum(math.log(link.tempo) for link in chain)) / len(chain)
    return _ANOTHER_TEMPO * (1 - math.exp(-((log_tempo / _LOG_TEMPO_RESOLUTION) ** 2))) + _PER_LOG_TEMPO * log_tempo


def evidence_for(chain: Chain, stretches: int, notes: bool = False) -> float:
    """Log odds that a chain is right, the prior of its tempo included; 0 is a probability of one half."""
    features = features_of(chain, stretches, notes)
    return log_prior(chain) + sum(
        coefficient * value for coefficient, value in zip(FEATURES.values(), features, strict=True)
    )


def confidence(evidence: float) -> float:
    """The probability at some log odds.

    >>> confidence(0.0)
    0.5
    """
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, evidence))))
