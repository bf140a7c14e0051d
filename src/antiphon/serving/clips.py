"""Ranges of a file as sound and as notes: sound is cut, notes are played."""

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
from antiphon.io.notes import Notes, read_notes
from antiphon.rendering import Renderer, make_renderer
from antiphon.serving.decoder_pool import CLIP_RATE_HZ, Decoders
from antiphon.serving.errors import ServingError
from antiphon.serving.limits import Gate, Limits
from antiphon.serving.models import NotesOfRange
from antiphon.types import Modality

SOUNDFONTS = ("FluidR3_GM", "default-GM", "TimGM6mb")
_RENDERED_AT_ONCE = 1  # an instrument plays one piece at a time


def best_instrument() -> Renderer:
    """The first SoundFont that is installed, or the additive piano."""
    for name in SOUNDFONTS:
        try:
            return make_renderer(name, CLIP_RATE_HZ)
        except AntiphonError:
            continue
    return make_renderer("additive", CLIP_RATE_HZ)


class Clips:
    """Cuts and plays ranges; files are read by `decoders` where they are sound."""

    def __init__(
        self, limits: Limits, decoders: Decoders, temporary: Path, instrument: Callable[[], Renderer] = best_instrument
    ) -> None:
        self._limits, self._decoders, self._temporary = limits, decoders, temporary
        self._make_instrument, self._instrument = instrument, None
        self._gate = Gate("clips", _RENDERED_AT_ONCE, 32, limits.clip_wait_s)

    _instrument: Renderer | None

    def sound(
        self, path: Path, kind: Modality, duration_s: float, start_s: float, length_s: float | None, tempo: float
    ) -> bytes:
        """A range of a file as WAV, mono, 16 bit; notes played at `tempo` seconds of the file per second of sound.

        Raises `ServingError` for a range that is longer than a clip may be or begins after the end, for a tempo that
        sound cannot be played at, and for files that cannot be read.
        """
        length_s = self.checked_length_s(duration_s, start_s, length_s)
        if kind == "audio":
            if tempo != 1.0:
                raise ServingError(422, "tempo_of_sound", "sound is played as it was recorded; leave tempo at 1")
            return self._cut(path, start_s, length_s)
        notes = self._notes(path).window(start_s, length_s)
        if len(notes) > self._limits.clip_notes:
            text = f"{len(notes)} notes in {length_s:g} s, {self._limits.clip_notes} can be played; ask for less"
            raise ServingError(422, "too_dense", text)
        with self._gate.entered():
            played = Notes(notes.onset_s / tempo, notes.duration_s / tempo, notes.pitch, notes.velocity)
            return _as_wav(self._player().render(played, length_s / tempo))

    def notes(
        self, path: Path, kind: Modality, duration_s: float, start_s: float, length_s: float | None
    ) -> NotesOfRange:
        """The notes that sound in a range of a file; raises as `sound` does, 409 for a file that is sound."""
        if kind == "audio":
            raise ServingError(409, "no_notes", "this recording is sound and has no notes; ask for its sound")
        length_s = self.checked_length_s(duration_s, start_s, length_s)
        notes = self._notes(path).window(start_s, length_s)
        onset_s = np.round(notes.onset_s + start_s, 4)
        columns = (onset_s, np.round(notes.duration_s, 4), notes.pitch, notes.velocity)
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        return NotesOfRange(start_s=start_s, length_s=length_s, notes=rows)

    def checked_length_s(self, duration_s: float, start_s: float, length_s: float | None) -> float:
        """How much of a range there is; all up to the end, or a clip's worth, where no length is asked for."""
        if start_s >= duration_s:
            raise ServingError(422, "outside", f"it lasts {duration_s:.2f} s; there is nothing at second {start_s:g}")
        if length_s is not None and length_s > self._limits.clip_s:
            text = f"length_s is {length_s:g}, a clip has {self._limits.clip_s:g} at most; ask for several"
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

    def _player(self) -> Renderer:
        """Made when it is first needed: a SoundFont takes seconds to load."""
        if self._instrument is None:
            self._instrument = self._make_instrument()
        return self._instrument


@lru_cache(maxsize=64)
def _read_notes(path: Path, changed_ns: int) -> Notes:
    """A note file as it was when it last changed, with its pedal; pages ask for the same one many times."""
    return read_notes(path, sustain=True)


def _as_wav(samples: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1.0, 1.0), CLIP_RATE_HZ, format="WAV", subtype="PCM_16")
    return file.getvalue()
