"""Clips of files: ranges as audio, where notes are rendered, and ranges as notes."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.rendering import Renderer, make_renderer
from antiphon.serving.decoder_pool import CLIP_RATE_HZ, Decoders
from antiphon.serving.errors import ServingError
from antiphon.serving.limits import Gate, Limits
from antiphon.serving.models import NotesOfRange
from antiphon.types import Modality

SOUNDFONTS = ("FluidR3_GM", "default-GM", "TimGM6mb")
_CONCURRENT_RENDERS = 1  # a renderer is not thread-safe


def best_renderer() -> Renderer:
    """A renderer with the first installed SoundFont, else the additive piano."""
    for name in SOUNDFONTS:
        try:
            return make_renderer(name, CLIP_RATE_HZ)
        except AntiphonError:
            continue
    return make_renderer("additive", CLIP_RATE_HZ)


class Clips:
    """Cuts ranges of audio files, which `decoders` read, and renders ranges of note files."""

    def __init__(
        self, limits: Limits, decoders: Decoders, temporary: Path, make: Callable[[], Renderer] = best_renderer
    ) -> None:
        self._limits, self._decoders, self._temporary = limits, decoders, temporary
        self._make_renderer, self._loaded_renderer = make, None
        self._gate = Gate("clips", _CONCURRENT_RENDERS, 32, limits.clip_wait_s)

    _loaded_renderer: Renderer | None

    def sound(
        self, path: Path, kind: Modality, duration_s: float, start_s: float, length_s: float | None, tempo: float
    ) -> bytes:
        """A range of a file as WAV, mono, 16 bit. `tempo` is the seconds of a note file rendered per second of audio.

        Raises `ServingError` for a range that is too long or begins after the end, for too many notes, and for a tempo
        other than 1 of an audio file; `UnreadableInput` for a file that cannot be read.
        """
        length_s = self.clip_length_s(duration_s, start_s, length_s)
        if kind == "audio":
            if tempo != 1.0:
                raise ServingError(422, "tempo_of_sound", "audio plays at its recorded tempo only; set tempo to 1")
            return self._cut(path, start_s, length_s)
        notes = self._notes(path).window(start_s, length_s)
        if len(notes) > self._limits.clip_notes:
            text = f"{len(notes)} notes in {length_s:g} s, more than {self._limits.clip_notes}; request a shorter range"
            raise ServingError(422, "too_dense", text)
        with self._gate.slot():
            stretched = Notes(notes.onset_s / tempo, notes.duration_s / tempo, notes.pitch, notes.velocity)
            return _as_wav(self._renderer().render(stretched, length_s / tempo))

    def notes(
        self, path: Path, kind: Modality, duration_s: float, start_s: float, length_s: float | None
    ) -> NotesOfRange:
        """The notes that sound in a range of a file. Raises as `sound` does, and `ServingError` 409 for audio."""
        if kind == "audio":
            raise ServingError(409, "no_notes", "this recording is audio and has no notes; request its sound")
        length_s = self.clip_length_s(duration_s, start_s, length_s)
        notes = self._notes(path).window(start_s, length_s)
        onset_s = np.round(notes.onset_s + start_s, 4)
        columns = (onset_s, np.round(notes.duration_s, 4), notes.pitch, notes.velocity)
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        return NotesOfRange(start_s=start_s, length_s=length_s, notes=rows)

    def clip_length_s(self, duration_s: float, start_s: float, length_s: float | None) -> float:
        """The length of a range, cut at the end of the file; without `length_s`, the longest allowed clip."""
        if start_s >= duration_s:
            raise ServingError(422, "outside", f"start_s is {start_s:g}, but the file lasts {duration_s:.2f} s")
        if length_s is not None and length_s > self._limits.clip_s:
            text = f"length_s is {length_s:g}, a clip has {self._limits.clip_s:g} s at most; request several clips"
            raise ServingError(422, "too_long", text)
        return min(self._limits.clip_s if length_s is None else length_s, duration_s - start_s)

    def _cut(self, path: Path, start_s: float, length_s: float) -> bytes:
        with tempfile.TemporaryDirectory(dir=self._temporary) as folder:
            out = Path(folder) / "clip.wav"
            self._decoders.clip(path, start_s, length_s, out)
            return out.read_bytes()

    def _notes(self, path: Path) -> Notes:
        try:
            return _read_notes(path, path.stat().st_mtime_ns)
        except OSError as error:
            raise UnreadableInput(path, f"it cannot be opened ({error.strerror})") from None

    def _renderer(self) -> Renderer:
        """The renderer, created at first use because a SoundFont takes seconds to load."""
        if self._loaded_renderer is None:
            self._loaded_renderer = self._make_renderer()
        return self._loaded_renderer


@lru_cache(maxsize=64)
def _read_notes(path: Path, changed_ns: int) -> Notes:
    """Read a note file with its pedal; cached because pages request many ranges of one file."""
    return read_notes(path, sustain=True)


def _as_wav(samples: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1.0, 1.0), CLIP_RATE_HZ, format="WAV", subtype="PCM_16")
    return file.getvalue()
