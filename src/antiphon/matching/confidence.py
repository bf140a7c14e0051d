"""How likely it is that a chain is the music it names.

A logistic regression over what speaks for a chain, fitted on renderings of MAESTRO's validation split with two fonts
and on real recordings, which ask with 4 to 30 s, once as they are and once with their own work left out of the library:
`python -m benchmarks.search.calibration`. Every further stretch has to bring something of its own, and among many
stretches one that fits by chance is more likely.
"""

from __future__ import annotations

import math

from antiphon.matching.chains import Chain, weight_of

_CONSTANT = -5.66
_WEIGHT = 21.92
_SCORE = 14.88
_LINK = -1.80
_LOG_STRETCHES = -6.82


def evidence_for(chain: Chain, stretches: int) -> float:
    """Log odds that a chain through a query of so many stretches is right; 0 is as likely as not."""
    scores = sum(link.score for link in chain)
    own = _WEIGHT * weight_of(chain) + _SCORE * scores + _LINK * len(chain)
    return _CONSTANT + own + _LOG_STRETCHES * math.log(stretches)


def confidence(evidence: float) -> float:
    """The probability that belongs to log odds.

    >>> confidence(0.0)
    0.5
    """
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, evidence))))
