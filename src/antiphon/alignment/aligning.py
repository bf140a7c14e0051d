"""`align`: the notes of one file and their times in a recording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment import certainty
from antiphon.alignment.alignment_table import SHORTEST_NOTE_S, Alignment
from antiphon.alignment.anchors import read_anchors
from antiphon.alignment.dtw import Warp
from antiphon.alignment.events import Events, Seconds
from antiphon.alignment.note_alignment import Anchors, Stretch, align_notes
from antiphon.alignment.note_times import FAINT
from antiphon.checks import check_path
from antiphon.io.audio import read_samples, sound_blocks
from antiphon.io.kinds import modality_of_input
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.models.note_onsets import (
    FRAME_HZ,
    LOWEST_KEY,
    SAMPLE_RATE_HZ,
    OnsetMap,
    detected_onsets,
    predicted_onsets_of,
)
from antiphon.signal.tuning import estimate_detuning_cents

_TUNED_S = 120.0
_BLOCK_S = 30.0
_TRANSPOSITIONS = range(-6, 7)
_NEAR_QUARTER_TONE_CENTS = 30.0
_TRANSCRIBED, _TRANSCRIBED_S, _TRANSCRIBED_VELOCITY = 0.4, 1.0, 64
_EXTRA, _SAME_ONSET_S = 0.7, 0.06
_LEAST_STEP_S = 1e-4


@dataclass(frozen=True, eq=False)
class Side:
    """One side of an alignment: its notes and its onset map, and how much sharper than 440 Hz its A is, −50 to 50."""

    notes: Notes
    onsets: OnsetMap
    cents: float = 0.0

    @property
    def duration_s(self) -> float:
        """How long the onset map is: the length of a sound, the last onset of notes."""
        return self.onsets.shape[1] / FRAME_HZ


def read_side(path: Path) -> Side:
    """Read a file of either kind. Of a sound the notes are those that are detected; of notes the map follows from them.

    Raises `UnreadableInput` for a file of another kind and one that cannot be read.
    """
    if modality_of_input(path) == "notes":
        notes = read_notes(path, sustain=True)
        return Side(notes, predicted_onsets_of(notes))
    return sound_side(sound_blocks(path, SAMPLE_RATE_HZ, _BLOCK_S), read_samples(path, SAMPLE_RATE_HZ, 0.0, _TUNED_S))


def sound_side(blocks: Iterable[NDArray[np.float32]], beginning: NDArray[np.float32]) -> Side:
    """The side of mono sound at 24 kHz in blocks of any length; its tuning is that of the samples `beginning`."""
    cents = estimate_detuning_cents(beginning, SAMPLE_RATE_HZ)
    onsets = detected_onsets(blocks, cents=cents)
    return Side(_detected_notes(onsets, _TRANSCRIBED), onsets, cents)


def align(
    recording: str | Path,
    notes: str | Path,
    *,
    transpose: bool = False,
    anchors: str | Path | Anchors = (),
) -> Alignment:
    """Find the moment of each note of a file in a recording of the same music.

    Either side may be a sound file or a note file. The recording may begin or end inside the piece, and the player may
    pause, skip, go back or repeat. Other music gives no error: the result then has a `confidence` below 0.5.

    Parameters
    ----------
    recording
        A sound file or a note file, on whose clock the notes are placed.
    notes
        A note file, or a sound file, of which the notes that are detected are placed.
    transpose
        The recording may be up to 6 semitones higher or lower than the notes.
    anchors
        Points that the path must pass, as pairs of seconds in the notes and in the recording, or a file of Audacity
        labels of an alignment that were corrected. From one point to the next everything is played once.

    Returns
    -------
    Alignment
        A row for each note: its time, state and confidence; and the path, with the stretches where it is lost.

    Raises
    ------
    UnreadableInput
        For a file that cannot be read or is neither sound nor notes, and labels of which none can be used.

    Examples
    --------
    >>> import numpy as np
    >>> import antiphon
    >>> one = antiphon.open_corpus("demo").recordings[0]
    >>> alignment = antiphon.align(one.audio_path, one.notes_path)
    >>> error_s = alignment.recording_s - alignment.onset_s
    >>> alignment.confidence > 0.9, bool(np.nanmedian(np.abs(error_s)) < 0.02)
    (True, True)
    """
    check_path("recording", "the path of a sound file or a note file", recording)
    check_path("notes", "the path of a note file or a sound file", notes)
    played, written = read_side(Path(recording)), read_side(Path(notes))
    points = read_anchors(anchors, written.notes) if isinstance(anchors, str | Path) else anchors
    transpositions = _TRANSPOSITIONS if transpose else (0,)
    return align_sides(played, written.notes, str(recording), str(notes), transpositions, points)


def align_sides(
    played: Side,
    notes: Notes,
    recording: str,
    file: str,
    transpositions: Sequence[int] = (0,),
    anchors: Anchors = (),
) -> Alignment:
    """Align notes with a side that has been read; `recording` and `file` are the names of both.

    Of the transpositions, in semitones, the one is taken whose notes are detected best. Those next to them are tried
    too where the recording is nearly a quarter-tone out of tune.
    """
    semitones_to_try = _with_neighbours(transpositions, played.cents)
    found = [_Found.of(played.onsets, notes, semitones, anchors) for semitones in semitones_to_try]
    best = max(found, key=lambda one: (one.detected, -abs(one.semitones)))
    return best.table(notes, recording, file)


def _with_neighbours(semitones: Sequence[int], cents: float) -> list[int]:
    """Transpositions to try for a tuning from −50 to 50: a recording 55 cents sharp is a semitone up and 45 flat."""
    if abs(cents) < _NEAR_QUARTER_TONE_CENTS:
        return sorted(semitones)
    return sorted({*semitones, *(one - int(np.sign(cents)) for one in semitones)})


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of the table. `stretch` and `order_s` give their order; `note` is −1 for notes that are detected only."""

    stretch: Seconds
    order_s: Seconds
    note: NDArray[np.int64]
    pitch: NDArray[np.int64]
    time_s: Seconds
    state: NDArray[np.str_]
    confidence: Seconds

    @classmethod
    def joined(cls, parts: Sequence[_Rows]) -> _Rows:
        """All rows in their order."""
        columns = {one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)}
        detected_only = columns["note"] < 0
        order = np.lexsort((columns["pitch"], columns["note"], detected_only, columns["order_s"], columns["stretch"]))
        return cls(**{name: column[order] for name, column in columns.items()})


@dataclass(frozen=True, eq=False)
class _Found:
    """The stretches that play the notes, transposed by `semitones`."""

    onsets: OnsetMap
    semitones: int
    events: Events
    stretches: list[Stretch]

    @classmethod
    def of(cls, onsets: OnsetMap, notes: Notes, semitones: int, anchors: Anchors) -> _Found:
        events = Events.of(notes.onset_s, notes.pitch, semitones)
        return cls(onsets, semitones, events, align_notes(onsets, events, anchors))

    @property
    def detected(self) -> float:
        """The sum of the heights of the notes' onsets."""
        return float(sum(stretch.notes.height.sum() for stretch in self.stretches))

    def table(self, notes: Notes, recording: str, file: str) -> Alignment:
        """The alignment as a table."""
        path = tuple(self._warp(stretch) for stretch in self.stretches)
        certain = certainty.of(self.events, self.stretches, self.onsets)
        rows = _Rows.joined([self._reached(notes, certain), self._unreached(notes), *self._extra()])
        written = rows.note >= 0
        at = np.maximum(rows.note, 0)
        none = len(notes) == 0
        onset_s, offset_s = (
            np.full(len(at), np.nan) if none else np.where(written, column[at], np.nan)
            for column in (notes.onset_s, notes.offset_s)
        )
        time_s = np.where(rows.state == "missing", np.nan, rows.time_s)
        end_s = np.full(len(at), np.nan)
        for number, warp in enumerate(path):
            inside = written & (rows.stretch == number)
            begin_s = np.maximum(rows.time_s[inside], 0.0)
            end_s[inside] = np.maximum(warp.at(offset_s[inside]), begin_s + SHORTEST_NOTE_S)
        names = np.arange(len(notes)).astype(np.str_) if notes.id is None else notes.id
        unwritten = np.full(len(at), _TRANSCRIBED_VELOCITY)
        velocity = unwritten if none else np.where(written, notes.velocity[at], unwritten)
        return Alignment(
            recording=recording,
            notes=file,
            confidence=certain.pair,
            path_confidence=certain.path,
            lost=certain.lost,
            semitones=self.semitones,
            path=path,
            note=np.full(len(at), "") if none else np.where(written, names[at], ""),
            pitch=rows.pitch.astype(np.uint8),
            velocity=velocity.astype(np.uint8),
            onset_s=onset_s,
            offset_s=offset_s,
            bar=None if notes.bar is None else np.where(written, notes.bar[at], 0),
            beat=None if notes.beat is None else np.where(written, notes.beat[at], np.nan),
            recording_s=np.where(np.isfinite(time_s), np.maximum(time_s, 0.0), np.nan),
            recording_offset_s=np.where(np.isfinite(time_s), end_s, np.nan),
            state=rows.state,
            note_confidence=rows.confidence,
        )

    def _warp(self, stretch: Stretch) -> Warp:
        """The path of a stretch: an event is where the middle one of its notes that are detected is."""
        detected = stretch.notes.height > FAINT
        event = self.events.event[stretch.note[detected]] - stretch.first
        note_s = stretch.notes.time_s[detected]
        order = np.lexsort((note_s, event))
        which, begin, count = np.unique(event[order], return_index=True, return_counts=True)
        middle = (note_s[order][begin + at] for at in ((count - 1) // 2, count // 2))
        time_s = stretch.times_s.copy()
        time_s[which] = sum(middle) / 2
        rising = np.maximum.accumulate(time_s - _LEAST_STEP_S * np.arange(len(time_s)))
        rising += _LEAST_STEP_S * np.arange(len(time_s))
        return Warp(self.events.onset_s[stretch.first : stretch.last + 1], rising)

    def _reached(self, notes: Notes, certain: certainty.Certainty) -> _Rows:
        """Rows of the notes in stretches."""
        number = np.repeat(np.arange(len(self.stretches)), [len(one.note) for one in self.stretches]).astype(np.float64)
        note = np.concatenate([np.zeros(0, np.int64), *(one.note for one in self.stretches)])
        order_s = np.concatenate([np.zeros(0), *(one.event_s(self.events) for one in self.stretches)])
        time_s = np.concatenate([np.zeros(0), *(one.notes.time_s for one in self.stretches)])
        pitch = notes.pitch[note].astype(np.int64)
        return _Rows(number, order_s, note, pitch, time_s, certain.state, certain.confidence)

    def _unreached(self, notes: Notes) -> _Rows:
        """Rows of the notes in no stretch, before the first stretch that begins after them in the notes."""
        reached = np.concatenate([np.zeros(0, np.int64), *(one.note for one in self.stretches)])
        note = np.setdiff1d(np.arange(len(notes)), reached)
        begins = np.maximum.accumulate(np.array([one.note[0] for one in self.stretches], np.int64))
        number = np.searchsorted(begins, note).astype(np.float64) - 0.5
        count = len(note)
        unknown, missing = np.full(count, np.nan), np.full(count, "missing")
        return _Rows(
            number, notes.onset_s[note], note, notes.pitch[note].astype(np.int64), unknown, missing, np.ones(count)
        )

    def _extra(self) -> list[_Rows]:
        """For each stretch the rows of the onsets that are clearly detected in it and belong to none of its notes."""
        detected = clear_onsets(self.onsets)
        return [self._extra_in(number, stretch, detected) for number, stretch in enumerate(self.stretches)]

    def _extra_in(self, number: int, stretch: Stretch, detected: NDArray[np.bool_]) -> _Rows:
        begin, end = (max(0, round(float(edge) * FRAME_HZ)) for edge in (stretch.times_s[0], stretch.times_s[-1]))
        key, frame = np.nonzero(detected[:, begin : end + 1])
        time_s = (frame + begin) / FRAME_HZ
        # All keys on one axis, on which onsets of different keys are far apart.
        apart_s = self.onsets.shape[1] / FRAME_HZ + 1.0
        own = np.sort(stretch.notes.time_s + self.events.key[stretch.note] * apart_s)
        place = np.searchsorted(own, time_s + key * apart_s)
        padded = np.concatenate([[-np.inf], own, [np.inf]])
        distance_s = np.minimum(*(np.abs(padded[place + side] - (time_s + key * apart_s)) for side in (0, 1)))
        key, frame, time_s = (column[distance_s > _SAME_ONSET_S] for column in (key, frame, time_s))
        height = self.onsets[key, frame + begin].astype(np.float64)
        pitch = key + LOWEST_KEY - self.semitones
        count = len(key)
        return _Rows(
            np.full(count, float(number)), time_s, np.full(count, -1), pitch, time_s, np.full(count, "extra"), height
        )


def clear_onsets(onsets: OnsetMap) -> NDArray[np.bool_]:
    """Whether each cell [88, frames] is an onset that is clearly detected."""
    return _peaks(onsets, _EXTRA)


def _peaks(onsets: OnsetMap, least: float) -> NDArray[np.bool_]:
    """Whether each cell is a peak of its key, of `least` or more."""
    peak = np.zeros(onsets.shape, bool)
    middle = onsets[:, 1:-1]
    peak[:, 1:-1] = (middle >= onsets[:, :-2]) & (middle > onsets[:, 2:]) & (middle >= least)
    return peak


def _detected_notes(onsets: OnsetMap, least: float) -> Notes:
    """The notes that are detected, each until the next one of its key, a second at most."""
    key, frame = np.nonzero(_peaks(onsets, least))
    onset_s = frame / FRAME_HZ
    duration_s = np.full(len(key), _TRANSCRIBED_S)
    same = np.flatnonzero(np.diff(key) == 0)
    duration_s[same] = np.minimum(_TRANSCRIBED_S, np.diff(onset_s)[same])
    return Notes.of(onset_s, duration_s, key + LOWEST_KEY, np.full(len(key), _TRANSCRIBED_VELOCITY))
