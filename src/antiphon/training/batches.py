"""Training batches as a pure function of (seed, step), read from a cache of all recordings' samples."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from antiphon.augmentation import Augmentation, augment_notes, augment_sound, draw_detune
from antiphon.corpora import Recording
from antiphon.corpora.segment_table import numbered, work_numbers
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.audio import is_silent
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.models.batch import Batch, collate
from antiphon.progress import track
from antiphon.signal.varispeed import samples_needed, scale_times, varispeed
from antiphon.training.sample_cache import SampleCache
from antiphon.types import Modality

_DRAWS = 1000
_LATE_FUSION_STREAM = 1  # an additional random stream of a seed and a step; training uses the one without a number
_NO_AUGMENTATION = Augmentation()


@dataclass(frozen=True)
class _Window:
    """A drawn window: samples float32 [n], notes, number of the recording in the cache, start of each modality."""

    sound: NDArray[np.float32]
    notes: Notes
    recording: int
    start_s: float
    notes_start_s: float


class TrainingBatches(Dataset[Batch]):
    """Item `step` is the batch of that step: windows at arbitrary times, recordings drawn in proportion to length.

    Half of a batch is drawn in groups of `group` windows from one recording, as hard negatives. With `adjacent_s`,
    every second of them begins within that time of the one before. The false-negative mask then marks windows of a
    recording that begin less than `near_s` apart (by default the window's length), and other performances of the work.

    Windows that are silent or have no notes are drawn again. Two objects with equal arguments give equal batches, so a
    resumed run needs no data position except its step. Raises `AntiphonError` when no recording has readable notes and
    enough audio.
    """

    def __init__(
        self,
        cache: SampleCache,
        sample_rate_hz: int,
        window_s: float,
        batch_size: int,
        steps: int,
        seed: int,
        group: int = 1,
        near_s: float | None = None,
        adjacent_s: float | None = None,
        augmentation: Augmentation = _NO_AUGMENTATION,
    ) -> None:
        self._cache = cache
        self._rate = sample_rate_hz
        self._window_s = window_s
        self._batch_size = batch_size
        self._steps = steps
        self._seed = seed
        self._stream: tuple[int, ...] = ()
        self._group = group
        self._near_s = window_s if near_s is None else near_s
        self._adjacent_s = adjacent_s
        self._augmentation = augmentation
        self.skipped: list[UnreadableInput] = list(cache.skipped)
        self._work = torch.from_numpy(work_numbers(cache.recordings))
        self._notes: list[Notes | None] = [
            self._read(recording) for recording in track(cache.recordings, "reading notes")
        ]
        last_start = np.array([len(samples) for samples in cache.samples]) - round(window_s * sample_rate_hz)
        self._last_start = np.where([notes is not None for notes in self._notes], last_start, -1)
        room = np.clip(self._last_start + 1, 0, None).astype(np.float64)
        if room.sum() == 0:
            raise AntiphonError(f"no recording has readable notes and at least {window_s:g} s of sound")
        self._probability = room / room.sum()

    def for_late_fusion(self, steps: int) -> TrainingBatches:
        """Batches of other windows for fitting late fusion: without groups, exactly aligned, without empty parts."""
        other = copy(self)
        other._steps, other._group, other._stream = steps, 1, (_LATE_FUSION_STREAM,)
        other._augmentation = replace(self._augmentation, loose=0.0, partial=0.0)
        return other

    def _read(self, recording: Recording) -> Notes | None:
        try:
            return read_notes(recording.notes_path)
        except UnreadableInput as error:
            self.skipped.append(error)
            return None

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng([self._seed, step, *self._stream])
        windows: list[_Window] = []
        while len(windows) < self._batch_size:
            # Half of the batch in groups from one recording: hard negatives are from the same piece.
            grouped = self._group > 1 and len(windows) >= self._batch_size // 2
            leader = self._draw(rng)
            windows.append(leader)
            for member in range(1, min(self._group, self._batch_size - len(windows) + 1) if grouped else 1):
                windows.append(self._draw(rng, leader.recording, windows[-1].start_s if member % 2 else None))
        notes = [window.notes for window in windows]
        augmentation = self._augmentation
        if augmentation.notes is not None:
            notes = augment_notes(notes, augmentation.notes, rng)
        batch = collate(np.stack([window.sound for window in windows]), notes)
        if augmentation.sound is not None:
            batch = replace(batch, audio=augment_sound(batch.audio, augmentation.sound, rng, self._rate))
        work = self._work[[window.recording for window in windows]]
        return replace(
            batch, work=work, false_negatives=self._false_negatives(windows, work) if self._group > 1 else None
        )

    def _false_negatives(self, windows: Sequence[_Window], work: Tensor) -> Tensor:
        """The mask [B, B] of audio (rows) and notes (columns) that start near each other or perform the same work."""
        recordings = [self._cache.recordings[window.recording] for window in windows]
        performance = numbered([recording.id for recording in recordings])
        sound_s, notes_s = np.array([(window.start_s, window.notes_start_s) for window in windows]).T
        near = np.abs(sound_s[:, None] - notes_s[None]) < self._near_s
        same = performance[:, None] == performance[None]
        return (work[:, None] == work[None]) & torch.from_numpy(~same | near)

    def _draw(self, rng: np.random.Generator, recording: int | None = None, adjacent_s: float | None = None) -> _Window:
        """A window of `recording`, by default of a random one; near second `adjacent_s` of it, if given."""
        length = round(self._window_s * self._rate)
        cents = self._augmentation.detune_cents
        ratio = draw_detune(rng, cents) if cents else 1.0
        for _ in range(_DRAWS):
            number = int(rng.choice(len(self._probability), p=self._probability)) if recording is None else recording
            first = self._first_sample(rng, number, adjacent_s)
            shift_s, tempo = self._augmentation.draw_misalignment(rng)
            notes, samples = self._notes[number], self._cache.samples[number]
            assert notes is not None
            if first + samples_needed(length, ratio) > len(samples):
                ratio = 1 / ratio  # too close to the end: detuned down instead of up, which needs fewer samples
            start_s, speed = first / self._rate, ratio * tempo
            window = scale_times(notes.window(start_s + shift_s, self._window_s * speed), speed)
            sound = varispeed(samples[first : first + samples_needed(length, ratio)], ratio, length)
            part = self._augmentation.draw_part(rng, self._window_s)
            if part is not None:
                sound, window = self._only(part, sound, window)
            if len(window) and not is_silent(sound):
                return _Window(sound, window, number, start_s, start_s + shift_s)
        raise AntiphonError(f"{_DRAWS} windows in a row were silent or without notes; is this the right corpus?")

    def _first_sample(self, rng: np.random.Generator, number: int, adjacent_s: float | None) -> int:
        last = int(self._last_start[number])
        if adjacent_s is None or self._adjacent_s is None:
            return int(rng.integers(last + 1))
        reach, middle = round(self._adjacent_s * self._rate), round(adjacent_s * self._rate)
        return int(rng.integers(max(0, middle - reach), min(last, middle + reach) + 1))

    def _only(
        self, part: tuple[Modality, float, float], sound: NDArray[np.float32], notes: Notes
    ) -> tuple[NDArray[np.float32], Notes]:
        """A window with one modality empty outside of a part of it."""
        side, begin_s, end_s = part
        if side == "notes":
            return sound, notes.within(begin_s if begin_s else -np.inf, end_s)
        kept = np.zeros_like(sound)
        inside = slice(round(begin_s * self._rate), round(end_s * self._rate))
        kept[inside] = sound[inside]
        return kept, notes
