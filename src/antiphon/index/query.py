"""The query of a search: a stretch of audio or notes, ready to be embedded and aligned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.onset_features import note_frames, sound_frames
from antiphon.alignment.sound_levels import Levels, note_levels, sound_levels
from antiphon.checks import check_path
from antiphon.errors import UnreadableInput, warn_input
from antiphon.io.audio import Sound, audio_info, is_silent, read_samples
from antiphon.io.kinds import modality_of_input
from antiphon.io.long_sound import LongSound
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.models.corpus_embedding import check_sound
from antiphon.models.inputs import as_samples
from antiphon.models.protocol import Embedder
from antiphon.signal.onsets import Frames
from antiphon.signal.tuning import estimate_detuning_cents
from antiphon.signal.varispeed import PlayedSound, samples_needed
from antiphon.types import Modality, Playback, SampleArray

SHORTEST_S = 3.0
_AT_ONCE_S = 300.0
_LONGEST_PAUSE_S = 3600.0
CENTS_TO_AN_OCTAVE = 1200.0

Source = str | Path | Sound | Notes
"""Material to search with: a file, a sound, or notes."""


class Query(Protocol):
    """Seconds count from the beginning of the query."""

    @property
    def duration_s(self) -> float: ...

    @property
    def speed(self) -> float:
        """Speed relative to the file: differs from 1 where the query was brought in tune."""
        ...

    def embed(self, starts_s: NDArray[np.float64], playback: Playback) -> NDArray[np.float32]:
        """Embed windows [n, D]; they may reach beyond the query, which is silent there. Silent windows have zeros."""
        ...

    def frames(self, begin_s: float, end_s: float) -> Frames:
        """Onset frames, 50 a second."""
        ...

    def levels(self, begin_s: float, end_s: float) -> Levels:
        """Levels of the same frames."""
        ...


@dataclass(frozen=True, eq=False)
class SoundQuery:
    """Mono samples at the embedder's rate; those of a file are decoded when they are needed."""

    samples: SampleArray
    embedder: Embedder
    speed: float = 1.0

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.embedder.sample_rate_hz

    def embed(self, starts_s: NDArray[np.float64], playback: Playback) -> NDArray[np.float32]:
        # Only the stretch: an embedder may process all the samples that it is given.
        rate = self.embedder.sample_rate_hz
        first = math.floor(float(starts_s.min()) * rate)
        last = math.ceil((float(starts_s.max()) + self.embedder.window_s * playback.tempo) * rate)
        stretch = np.pad(self.samples[max(0, first) : last], (max(0, -first), 0))
        return self.embedder.embed_audio_windows(stretch, starts_s - first / rate, playback)

    def frames(self, begin_s: float, end_s: float) -> Frames:
        return sound_frames(self.samples, self.embedder.sample_rate_hz, begin_s, end_s)

    def levels(self, begin_s: float, end_s: float) -> Levels:
        return sound_levels(self.samples, self.embedder.sample_rate_hz, begin_s, end_s)


@dataclass(frozen=True, eq=False)
class NoteQuery:
    """Notes whose onsets count from the beginning of the query."""

    notes: Notes
    duration_s: float
    embedder: Embedder
    speed: float = 1.0

    def embed(self, starts_s: NDArray[np.float64], playback: Playback) -> NDArray[np.float32]:
        return self.embedder.embed_notes_windows(self.notes, starts_s, playback)

    def frames(self, begin_s: float, end_s: float) -> Frames:
        return note_frames(self.notes, begin_s, end_s)

    def levels(self, begin_s: float, end_s: float) -> Levels:
        return note_levels(self.notes.onset_s, self.notes.end_s, begin_s, end_s)


def open_query(
    source: Source, embedder: Embedder, start_s: float = 0.0, length_s: float | None = None, retune: bool = False
) -> Query:
    """Open a file, a sound or notes, or a stretch of it; with `retune` sound is brought to A = 440 Hz first.

    Raises `UnreadableInput` for a file that cannot be read, a stretch under 3 s, and where nothing sounds.
    """
    name = "query" if isinstance(source, Sound | Notes) else source
    kind = kind_of(source)
    _check_stretch(name, start_s, length_s)
    if kind == "audio":
        samples = _samples_of(source, embedder.sample_rate_hz, start_s, length_s)
        return _in_tune(samples, embedder) if retune else SoundQuery(samples, embedder)
    notes = _notes_of(source)
    # A piece shorter than a window still makes one: after its last note there is silence.
    end_s, paused = end_before_a_pause(notes, start_s)
    duration_s = max(embedder.window_s, end_s - start_s)
    if length_s is not None and length_s <= duration_s:
        duration_s = length_s
    elif paused:
        warn_input(name, f"searched to second {end_s:.1f} only: no note begins in the hour after that")
    stretch = notes.window(start_s, duration_s)
    if not len(stretch):
        raise UnreadableInput(name, "nothing sounds in any of its windows")
    return NoteQuery(stretch, duration_s, embedder)


def _samples_of(source: Source, sample_rate_hz: int, start_s: float, length_s: float | None) -> SampleArray:
    if isinstance(source, str | Path):
        return _samples_in(source, sample_rate_hz, start_s, length_s)
    assert isinstance(source, Sound)
    begin = round(start_s * source.sample_rate_hz)
    end = None if length_s is None else begin + round(length_s * source.sample_rate_hz)
    stretch = as_samples(source.samples)[begin:end]
    if begin and not len(stretch):
        raise UnreadableInput("query", f"it ends before second {start_s:g}")
    samples = Sound(stretch, source.sample_rate_hz).resampled(sample_rate_hz).samples
    check_sound("query", is_silent(samples), len(samples) / sample_rate_hz, SHORTEST_S, "search")
    return samples


def _samples_in(path: str | Path, sample_rate_hz: int, start_s: float, length_s: float | None) -> SampleArray:
    """A stretch of a file: read at once where it is known to be short, else as it is needed."""
    samples: SampleArray
    if length_s is not None and length_s <= _AT_ONCE_S:
        samples = read_samples(path, sample_rate_hz, start_s, length_s)
        silent = is_silent(samples)
    else:
        samples = LongSound(path, sample_rate_hz, start_s, length_s)
        silent = samples.silent
    check_sound(path, silent, len(samples) / sample_rate_hz, SHORTEST_S, "search")
    return samples


def _notes_of(source: Source) -> Notes:
    if isinstance(source, str | Path):
        return read_notes(source)
    assert isinstance(source, Notes)
    return source


def _in_tune(samples: SampleArray, embedder: Embedder) -> SoundQuery:
    """Play the sound slightly faster or slower, so that its pitches agree with a piano tuned to 440 Hz."""
    cents = estimate_detuning_cents(samples, embedder.sample_rate_hz)
    speed = 2.0 ** (-cents / CENTS_TO_AN_OCTAVE)
    length = int((len(samples) - 1) / speed)
    while samples_needed(length, speed) > len(samples):
        length -= 1
    return SoundQuery(PlayedSound(samples, speed, length), embedder, speed)


def _check_stretch(name: str | Path, start_s: float, length_s: float | None) -> None:
    if not 0 <= start_s < math.inf:
        raise UnreadableInput(name, f"a stretch of it cannot start at second {start_s:g}")
    if length_s is not None and not SHORTEST_S <= length_s < math.inf:
        why = "too short" if length_s < SHORTEST_S else "no length"
        raise UnreadableInput(name, f"{length_s:.2f} s of it is {why}; a search needs {SHORTEST_S:g} s")


def end_before_a_pause(notes: Notes, start_s: float) -> tuple[float, bool]:
    """Where the notes from `start_s` on end, and whether others follow after an hour or more: stray ones, as a rule."""
    later = notes.onset_s >= start_s
    onset_s, offset_s = notes.onset_s[later], notes.offset_s[later]
    if not len(onset_s):
        return notes.end_s, False
    long = np.flatnonzero(np.diff(onset_s) > _LONGEST_PAUSE_S)
    last = int(long[0]) if len(long) else len(onset_s) - 1
    return min(float(offset_s[: last + 1].max()), float(onset_s[last]) + _LONGEST_PAUSE_S), bool(len(long))


def kind_of(source: Source) -> Modality:
    """The modality of a sound, of notes, or of a file by its suffix or its first bytes.

    Raises `UnreadableInput` for other files.
    """
    if isinstance(source, Sound):
        return "audio"
    if isinstance(source, Notes):
        return "notes"
    check_path("query", "a Sound, Notes or the path of an audio or note file", source)
    return modality_of_input(Path(source))


def audio_part(path: Path, sample_rate_hz: int, begin_s: float, end_s: float) -> tuple[NDArray[np.float32], float]:
    """Samples of an audio file around `begin_s` to `end_s`, and the second of the file at which they begin.

    Empty beyond the end of the file. Raises `UnreadableInput` when the file cannot be read any more.
    """
    first_s = max(0.0, begin_s - 1.0)
    try:
        return read_samples(path, sample_rate_hz, first_s, max(end_s + 1.0 - first_s, 1.0)), first_s
    except UnreadableInput:
        if first_s < audio_info(path).duration_s:
            raise
        return np.zeros(0, np.float32), first_s


def audio_frames(path: str | Path, sample_rate_hz: int, begin_s: float, end_s: float) -> Frames:
    """Compute onset frames of an audio file from `begin_s` to `end_s`, zeros beyond its ends.

    Raises `UnreadableInput` when the file cannot be read any more.
    """
    samples, first_s = audio_part(Path(path), sample_rate_hz, begin_s, end_s)
    return sound_frames(samples, sample_rate_hz, begin_s - first_s, end_s - first_s)
