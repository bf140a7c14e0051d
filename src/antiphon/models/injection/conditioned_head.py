"""Conditioned projection heads: FiLM inside the head, after each of its norms (paper §4, later work)."""

from __future__ import annotations

from antiphon.models.injection import Mechanism
from antiphon.models.injection.film import Modulation

MECHANISM = Mechanism("conditioned_head", "head", Modulation)
