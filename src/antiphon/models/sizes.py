"""The sizes of a dual encoder."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Sizes:
    """The towers with their options, and the dimensions; without `head_hidden` the heads are linear."""

    audio_tower: str
    audio_options: dict[str, Any]
    notes_tower: str
    notes_options: dict[str, Any]
    head_hidden: int | None
    dimensions: int
    sample_rate_hz: int = 24_000
    window_s: float = 4.0
