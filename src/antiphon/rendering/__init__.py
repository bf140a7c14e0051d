"""Rendering of notes to audio: a SoundFont played by FluidSynth, or an additive piano without dependencies."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from antiphon.io.notes import Notes


class Renderer(Protocol):
    """An instrument. The durations of the notes it renders include the sustain pedal already."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """Hash or version of everything that the audio depends on, except the sample rate."""
        ...

    def render(self, notes: Notes, duration_s: float) -> NDArray[np.float32]:
        """Mono samples within ±1, float32 [round(duration_s · sample_rate_hz)]; notes are cut at the end."""
        ...


def make_renderer(soundfont: str, sample_rate_hz: int) -> Renderer:
    """The additive piano for `additive`, else FluidSynth with this SoundFont: a file, or an installed name."""
    if soundfont == "additive":
        from antiphon.rendering.additive import AdditivePiano

        return AdditivePiano(sample_rate_hz)
    from antiphon.rendering.fluidsynth import FluidSynthPiano

    return FluidSynthPiano(soundfont, sample_rate_hz)
