"""Search passes: settings of effort for a search.

The first pass is quick. Where it finds nothing likely, the second one uses stretches half as long, in which a player's
tempo changes less, embeds the query at twice as many tempi and aligns more candidates. Of 20-s stretches of MAESTRO's
performances, one in six lies outside of 0.65 to 1.5 times the tempo of the score, one in fourteen outside of 0.5 to 2
times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class SearchPass:
    """A query is cut into equal stretches of at most `stretch_s` seconds.

    `candidates` maps each tempo at which the query is embedded, as a multiple of its own, to the number of candidates
    that are aligned at it. A model that was trained with ± 15 % of tempo covers 0.87 to 1.15 times each.
    """

    stretch_s: float
    candidates: Mapping[float, int]

    def stretches(self, duration_s: float) -> int:
        """The number of stretches of a query.

        >>> SearchPass(12.0, {1.0: 40}).stretches(24.0), SearchPass(12.0, {1.0: 40}).stretches(24.1)
        (2, 3)
        """
        return max(1, math.ceil(duration_s / self.stretch_s - 1e-9))


_NEAR = {1.0: 40, 1.3: 15, 0.75: 15}
FIRST = SearchPass(12.0, MappingProxyType(_NEAR))
SECOND = SearchPass(6.0, MappingProxyType(_NEAR | {1.0: 120, 1.7: 15, 2.0: 15, 17 / 30: 15}))
