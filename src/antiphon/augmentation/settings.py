"""The augmentation settings of a training run."""

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
    """Augmentation of the audio and notes of a window. The defaults change nothing.

    `detune_cents`: largest varispeed detuning, applied to audio and notes alike.
    `loose`: share of windows whose notes are misaligned with the audio. They begin up to `shift_s` seconds earlier or
    later, and their tempo differs by a factor of up to `tempo`, drawn uniformly on a logarithmic scale.
    `partial`: share of windows in which one modality is empty for up to `partial_s` seconds at the start or the end, as
    in a query that is shorter than a window.
    `sound`, `notes`: further changes of the audio alone and of the notes alone.
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
            raise ValueError(f"shift_s is a time in either direction, at least 0, got {self.shift_s}")
        if self.partial_s < 0:
            raise ValueError(f"partial_s is a time from either end, at least 0, got {self.partial_s}")
        if not 1.0 <= self.tempo <= _FASTEST:
            raise ValueError(f"tempo is a factor within 1–{_FASTEST:g}, got {self.tempo}")

    def draw_misalignment(self, rng: np.random.Generator) -> tuple[float, float]:
        """Draw one window's misalignment: the delay of its notes in seconds and their tempo relative to the audio."""
        if rng.uniform() >= self.loose:
            return 0.0, 1.0
        return float(rng.uniform(-self.shift_s, self.shift_s)), float(self.tempo ** rng.uniform(-1.0, 1.0))

    def draw_part(self, rng: np.random.Generator, window_s: float) -> tuple[Modality, float, float] | None:
        """Draw (modality, begin, end): this modality is kept only between these seconds. None: both are whole."""
        if not self.partial or rng.uniform() >= self.partial:
            return None
        modality: Modality = "audio" if rng.uniform() < 0.5 else "notes"
        empty_s = float(rng.uniform(0.0, self.partial_s))
        return (modality, empty_s, window_s) if rng.uniform() < 0.5 else (modality, 0.0, window_s - empty_s)
