"""Rendering notes to audio at 24 kHz in times real time, in one process with the instrument already loaded."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from antiphon.corpora import open_corpus
from antiphon.errors import AntiphonError
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.rendering import make_renderer
from antiphon.rendering.fluidsynth import find_soundfont
from benchmarks.timing import SAMPLE_RATE_HZ, Benchmark, Effort, Peer, Row, race

_UNIT = "× real time"
_TAIL_S = 1.0  # pretty_midi adds this after the last event


@lru_cache(maxsize=1)
def _demo_midi() -> Path:
    """The demo piece with the most notes per second, the closest to concert repertoire."""
    found = open_corpus("demo").recordings
    return max(found, key=lambda recording: len(read_notes(recording.notes_path)) / recording.duration_s).notes_path


def _density(notes: Notes) -> str:
    return f"({len(notes) / notes.end_s:.0f} notes/s)"


@lru_cache(maxsize=1)
def _pretty() -> Any:
    import pretty_midi

    return pretty_midi.PrettyMIDI(str(_demo_midi()))


@lru_cache(maxsize=1)
def _pretty_synthesizer(soundfont: Path) -> Any:
    """A synthesizer with the settings of pretty_midi, reverb and chorus on, loaded once and not at every call."""
    import fluidsynth

    synthesizer = fluidsynth.Synth(samplerate=float(SAMPLE_RATE_HZ))
    synthesizer.sfload(str(soundfont))
    return synthesizer


def _pretty_fluidsynth(soundfont: Path) -> Any:
    synthesizer = _pretty_synthesizer(soundfont)
    sound = _pretty().fluidsynth(synthesizer=synthesizer, sfid=1, normalize=False)
    synthesizer.system_reset()
    return sound


def _additive(effort: Effort) -> list[Row]:
    notes = read_notes(_demo_midi(), sustain=True)
    duration_s = notes.end_s + _TAIL_S
    renderer = make_renderer("additive", SAMPLE_RATE_HZ)
    return race(
        f"render, additive piano {_density(notes)}",
        _UNIT,
        duration_s,
        partial(renderer.render, notes, duration_s),
        effort,
        (Peer("pretty_midi synthesize (sines)", lambda: _pretty().synthesize(fs=SAMPLE_RATE_HZ), ("pretty_midi",)),),
    )


def _fluidsynth(soundfont: str, effort: Effort) -> list[Row]:
    what = f"render, FluidSynth {soundfont}"
    try:
        renderer = make_renderer(soundfont, SAMPLE_RATE_HZ)
        path = find_soundfont(soundfont)
    except AntiphonError:
        return [Row(what, _UNIT, None, remark="skipped: FluidSynth or this SoundFont is not installed")]
    notes = read_notes(_demo_midi(), sustain=True)
    duration_s = notes.end_s + _TAIL_S
    return race(
        f"{what} {_density(notes)}",
        _UNIT,
        duration_s,
        partial(renderer.render, notes, duration_s),
        effort,
        (Peer("pretty_midi fluidsynth", partial(_pretty_fluidsynth, path), ("pretty_midi", "fluidsynth")),),
    )


BENCHMARKS = (
    Benchmark("render-additive", _additive),
    *(Benchmark(f"render-{font}", partial(_fluidsynth, font)) for font in ("TimGM6mb", "FluidR3_GM")),
)
