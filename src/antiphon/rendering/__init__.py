"""Notes → sound: a SoundFont through FluidSynth, or an additive piano that needs nothing installed."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from antiphon.io.notes import Notes


class Renderer(Protocol):
    """An instrument that plays notes whose durations already include the sustain pedal."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Hash or version of everything but the sample rate that its sound depends on."""
        ...

    def render(self, notes: Notes, duration_s: float) -> NDArray[np.float32]:
        """Mono samples within ±1, exactly `duration_s` long; notes beyond the end are cut."""
        ...


def make_renderer(soundfont: str, sample_rate_hz: int) -> Renderer:
    """The additive piano for the word `additive`, else FluidSynth with that SoundFont (a file or a known name)."""
    if soundfont == "additive":
        from antiphon.rendering.additive import AdditivePiano

        return AdditivePiano(sample_rate_hz)
    from antiphon.rendering.fluidsynth import FluidSynthPiano

    return FluidSynthPiano(soundfont, sample_rate_hz)
