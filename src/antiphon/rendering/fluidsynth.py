"""The piano of a SoundFont, played by FluidSynth without reverb and chorus."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import AntiphonError
from antiphon.io.files import content_hash
from antiphon.io.notes import Notes

_FONT_FOLDERS = (Path("/usr/share/sounds/sf2"), Path("/usr/share/sounds/sf3"), Path("/usr/share/soundfonts"))
_INSTALL = (
    "install it with: apt-get install fluidsynth fluid-soundfont-gm (Debian, Ubuntu), brew install fluid-synth "
    "(macOS), and pip install 'antiphon[render]'; or render with --soundfont additive, which needs neither"
)
_GAIN = 0.6
_POLYPHONY = 512
_BLOCK = 64


def find_soundfont(name: str) -> Path:
    """Path of a SoundFont given by path, or by name without suffix in the usual folders (`FluidR3_GM`, `TimGM6mb`).

    Raises `AntiphonError` when there is none.
    """
    path = Path(name)
    if path.is_file():
        return path
    # macOS leaves a file ._NAME next to each file on foreign disks.
    installed = {found.stem: found for folder in _FONT_FOLDERS for found in sorted(folder.glob("[!.]*.sf[23]"))}
    if name in installed:
        return installed[name]
    listed = ", ".join(sorted(installed)) or f"none; {_INSTALL}"
    raise AntiphonError(f"no SoundFont {name!r}: neither a file nor an installed one ({listed})")


class FluidSynthPiano:
    """One program of a SoundFont, by default its piano. Each rendering uses a new synthesizer.

    A synthesizer keeps the state of its dither and of decaying notes. If it were reused, a rendering would depend, by
    some 16-bit steps, on the files rendered before it in the same process. FluidSynth keeps samples loaded while any
    synthesizer uses them, so a new synthesizer takes only a tenth of a second.

    Raises `AntiphonError` when the FluidSynth library or its Python binding is missing, or the font does not load.
    """

    def __init__(self, soundfont: str, sample_rate_hz: int = 24_000, program: int = 0) -> None:
        self._path = find_soundfont(soundfont)
        self.name = self._path.stem
        self.sample_rate_hz, self._program = sample_rate_hz, program
        self._keeps_samples_loaded = self._synthesizer()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the SoundFont."""
        return content_hash(self._path)

    def _synthesizer(self) -> Any:
        try:
            import fluidsynth
        except ImportError as error:
            raise AntiphonError(f"FluidSynth is not installed ({error}); {_INSTALL}") from None
        synth = fluidsynth.Synth(gain=_GAIN, samplerate=float(self.sample_rate_hz))
        for key in ("synth.reverb.active", "synth.chorus.active"):
            synth.setting(key, 0)
        synth.setting("synth.polyphony", _POLYPHONY)
        font = synth.sfload(str(self._path))
        if font == -1 or synth.program_select(0, font, 0, self._program) != 0:
            program = f"{'a piano ' if self._program == 0 else ''}(bank 0, program {self._program})"
            raise AntiphonError(f"{self._path}: FluidSynth cannot load {program} from this SoundFont")
        return synth

    def render(self, notes: Notes, duration_s: float) -> NDArray[np.float32]:
        """Mono samples, float32 [round(duration_s · sample_rate_hz)]; events are rounded to FluidSynth's 64 samples."""
        synth = self._synthesizer()
        try:
            return _play(synth, notes, round(duration_s * self.sample_rate_hz), self.sample_rate_hz)
        finally:
            synth.delete()


def _play(synth: Any, notes: Notes, total: int, sample_rate_hz: int) -> NDArray[np.float32]:
    begins = np.rint(notes.onset_s * sample_rate_hz).astype(np.int64)
    ends = np.maximum(np.rint(notes.offset_s * sample_rate_hz).astype(np.int64), begins + _BLOCK)
    sample = np.concatenate([ends, begins])
    is_onset = np.repeat([0, 1], len(notes))  # at equal times a key is released before it is struck again
    note = np.tile(np.arange(len(notes)), 2)
    sounding = np.zeros(128, np.int64)
    blocks: list[NDArray[np.int16]] = []
    now = 0
    for event in np.lexsort((is_onset, sample)):
        if sample[event] >= total:
            break
        if sample[event] > now:
            blocks.append(synth.get_samples(int(sample[event]) - now))
            now = int(sample[event])
        key = int(notes.pitch[note[event]])
        if is_onset[event]:
            sounding[key] += 1
            synth.noteon(0, key, max(1, int(notes.velocity[note[event]])))
        else:
            sounding[key] -= 1
            if sounding[key] <= 0:  # overlapping notes of one key end with the last one
                synth.noteoff(0, key)
    blocks.append(synth.get_samples(total - now))
    stereo = np.concatenate(blocks).reshape(-1, 2).astype(np.float32)
    return stereo.mean(axis=1) / np.float32(32768)
