"""What training does to its windows, all of it together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from antiphon.augmentation.notes import NoteAugmentation
from antiphon.augmentation.ranges import check_probability
from antiphon.augmentation.sound import SoundAugmentation
from antiphon.types import Modality

_FASTEST = 1.5


@dataclass(frozen=True)
class Augmentation:
    """What happens to a window of both sides; nothing where nothing is set.

    `detune_cents`: both sides are played faster or slower, the sound's pitch with it, by up to so much.
    `loose`: the share of windows whose notes do not fit their sound exactly: they begin up to `shift_s` seconds before
    or after it, and are played up to `tempo` times faster or slower, evenly on a logarithmic scale.
    `partial`: the share of windows of which one side is empty before or after a moment, at most `partial_s` from its
    beginning or end, as in a query that is shorter than a window.
    `sound`, `notes`: then each side is changed for itself.
    """

    detune_cents: float = 0.0
    loose: float = 0.0
    shift_s: float = 0.0
    tempo: float = 1.0
    partial: float = 0.0
    partial_s: float = 0.0
    sound: SoundAugmentation | None = None
    notes: NoteAugmentation | None = None

    def __post_init__(self) -> None:
        check_probability(self, "loose", "partial")
        if self.shift_s < 0:
            raise ValueError(f"shift_s is a time either way, at least 0, got {self.shift_s}")
        if self.partial_s < 0:
            raise ValueError(f"partial_s is a time from either end, at least 0, got {self.partial_s}")
        if not 1.0 <= self.tempo <= _FASTEST:
            raise ValueError(f"tempo is a factor within 1–{_FASTEST:g}, got {self.tempo}")

    def draw_fit(self, rng: np.random.Generator) -> tuple[float, float]:
        """How one window's notes fit its sound: they begin so many seconds after it, at so many times its tempo."""
        if rng.uniform() >= self.loose:
            return 0.0, 1.0
        return float(rng.uniform(-self.shift_s, self.shift_s)), float(self.tempo ** rng.uniform(-1.0, 1.0))

    def draw_part(self, rng: np.random.Generator, window_s: float) -> tuple[Modality, float, float] | None:
        """A side of one window and the seconds from which on and up to which there is anything in it; None for all."""
        if not self.partial or rng.uniform() >= self.partial:
            return None
        side: Modality = "audio" if rng.uniform() < 0.5 else "notes"
        empty_s = float(rng.uniform(0.0, self.partial_s))
        return (side, empty_s, window_s) if rng.uniform() < 0.5 else (side, 0.0, window_s - empty_s)
