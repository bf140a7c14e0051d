"""Looks: how a query is cut and heard when it is looked for.

A first look is quick. Where it finds nothing likely, a second one takes stretches half as long, in which a player's
tempo changes less, hears twice as many tempi and looks at more places: of 20 s of MAESTRO's performances, one in six
lies outside of 0.65 to 1.5 times the tempo of their score, one in fourteen outside of 0.5 to 2 times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class SearchPass:
    """A stretch is at most `stretch_s` long; a query of n times that and less is cut into n equal ones.

    `places` says how the query is heard, as times its tempo, and how many places are then looked at. A window of a
    model that was trained for ± 15 % of tempo hears from 0.87 to 1.15 times that.
    """

    stretch_s: float
    places: Mapping[float, int]

    def stretches(self, duration_s: float) -> int:
        """How many stretches a query is cut into.

        >>> SearchPass(12.0, {1.0: 40}).stretches(24.0), SearchPass(12.0, {1.0: 40}).stretches(24.1)
        (2, 3)
        """
        return max(1, math.ceil(duration_s / self.stretch_s - 1e-9))


_NEAR = {1.0: 40, 1.3: 15, 0.75: 15}
FIRST = SearchPass(12.0, MappingProxyType(_NEAR))
SECOND = SearchPass(6.0, MappingProxyType(_NEAR | {1.0: 120, 1.7: 15, 2.0: 15, 17 / 30: 15}))
