"""What training does to its windows, all of it together."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.augmentation.notes import NoteAugmentation
from antiphon.augmentation.sound import SoundAugmentation


@dataclass(frozen=True)
class Augmentation:
    """Windows are detuned by up to `detune_cents` either way, then sound and notes changed each for itself; nothing
    is done where nothing is set."""

    detune_cents: float = 0.0
    sound: SoundAugmentation | None = None
    notes: NoteAugmentation | None = None
