"""Fit the constants of `antiphon.alignment.certainty`, and show how reliable they are on other recordings.

    python -m benchmarks.alignment.calibration train-fluidr3 train-salamander --report val-timgm

Each recording is aligned with its own notes, of which some are missing, some are added, and some seconds are those of
another piece, on a clock that is bent by a known map; and with the notes of other pieces. So it is known of each note
whether it is played and when, of each moment whether the path is right, and of each pair whether it is one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment import certainty
from antiphon.alignment.events import Events
from antiphon.alignment.note_alignment import Stretch, align_notes
from antiphon.corpora import Recording, open_corpus
from antiphon.io.audio import sound_blocks
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.models.note_onsets import SAMPLE_RATE_HZ, OnsetMap, detected_onsets
from antiphon.progress import track
from benchmarks.alignment.warps import draw_warp
from benchmarks.search.calibration import fit

_NEAR_S, _LOST_S = 0.05, 0.25
_DROPPED, _ADDED = 0.03, 0.02
_REPLACED_S = (4.0, 15.0)
_TOGETHER_S = 0.03
_BINS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99, 1.0001)
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Written:
    """Notes on a bent clock. `played_s` [N] is when each is played, NaN for notes that are not; `clock_s` are pairs of
    seconds of the notes and of the recording along the true map [2, knots]. From `foreign_s[0]` to `foreign_s[1]`
    seconds of the recording the notes are those of another piece; the two are equal where none are."""

    notes: Notes
    played_s: Values
    clock_s: Values
    foreign_s: tuple[float, float] = (0.0, 0.0)

    def may_be_elsewhere(self, at_s: Values, true_s: Values) -> NDArray[np.bool_]:
        """Where the recording's notes are not written, and the path is elsewhere: rightly so if the music recurs there.

        `at_s` [n] are seconds of the recording, `true_s` those at which the notes of the path are due.
        """
        begin_s, end_s = self.foreign_s
        unwritten = (at_s >= begin_s) & (at_s < end_s)
        return unwritten & ((true_s < begin_s - _LOST_S) | (true_s > end_s + _LOST_S))


@dataclass(frozen=True, eq=False)
class Samples:
    """Features and what is true of them, for one regression."""

    features: Values
    true: NDArray[np.bool_]

    @classmethod
    def joined(cls, parts: list[Samples]) -> Samples:
        return cls(np.concatenate([one.features for one in parts]), np.concatenate([one.true for one in parts]))


def written(notes: Notes, other: Notes, duration_s: float, rng: np.random.Generator) -> Written:
    """The notes of a recording as a file might have them: chords on one moment, with errors, on another clock."""
    kept = rng.uniform(size=len(notes)) >= _DROPPED
    onset_s, played_s, pitch = notes.onset_s[kept], notes.onset_s[kept], notes.pitch[kept].astype(np.int64)
    added = int(_ADDED * len(pitch))
    foreign_s = (0.0, 0.0)
    if rng.uniform() < 0.5 and len(other):  # some seconds of another piece
        length_s = rng.uniform(*_REPLACED_S)
        begin_s = rng.uniform(0.1, 0.8) * duration_s
        outside = (onset_s < begin_s) | (onset_s >= begin_s + length_s)
        foreign_s = (begin_s, begin_s + length_s)
        foreign = other.within(*foreign_s)
        onset_s = np.concatenate([onset_s[outside], foreign.onset_s])
        pitch = np.concatenate([pitch[outside], foreign.pitch])
        played_s = np.concatenate([played_s[outside], np.full(len(foreign), np.nan)])
    onset_s = np.concatenate([onset_s, rng.uniform(0, duration_s, added)])
    pitch = np.concatenate([pitch, rng.choice(pitch, added)])
    played_s = np.concatenate([played_s, np.full(added, np.nan)])
    if rng.uniform() < 0.5:
        onset_s = np.round(onset_s / _TOGETHER_S) * _TOGETHER_S
    warp = draw_warp(duration_s + 1.0, rng)
    order = np.lexsort((pitch, onset_s))
    at_s = warp.at(onset_s[order])
    table = Notes.of(at_s, np.full(len(order), 0.1), pitch[order], np.full(len(order), 64))
    return Written(table, played_s[order], np.array([warp.library_s, warp.query_s]), foreign_s)


def note_samples(events: Events, stretches: list[Stretch], truth: Written) -> dict[str, list[Samples]]:
    """Samples of the three regressions of a path, from one alignment."""
    found: dict[str, list[Samples]] = {"NOTE": [], "MISSING": [], "PATH": []}
    if not stretches:
        return found
    evidence = certainty.Evidence.of(events, stretches)
    time_s = np.concatenate([one.notes.time_s for one in stretches])
    played_s = truth.played_s[np.concatenate([one.note for one in stretches])]
    constant_s = float(np.nanmedian(time_s - played_s))
    near = np.abs(time_s - played_s - constant_s) <= _NEAR_S  # false for a note that is not played
    known = ~truth.may_be_elsewhere(time_s, played_s)
    found["NOTE"].append(Samples(evidence.of_notes[known], near[known]))
    found["MISSING"].append(Samples(evidence.of_missing[known], np.isnan(played_s[known])))
    for stretch, at_s in ((one, at_s) for one in stretches for at_s in certainty.runs(one)):
        there_s = np.interp(at_s, stretch.times_s, events.onset_s[stretch.first : stretch.last + 1])
        true_s = np.interp(there_s, *truth.clock_s) + constant_s
        around = certainty.support(evidence.event_s, evidence.height, at_s)
        known = ~truth.may_be_elsewhere(at_s, true_s)
        right = np.abs(true_s - at_s) <= _LOST_S
        found["PATH"].append(Samples(certainty.path_features(around[known]), right[known]))
    return found


def pair_sample(events: Events, stretches: list[Stretch], same: bool) -> Samples:
    """The sample of one pair."""
    return Samples(certainty.pair_features(events, stretches), np.array([same]))


def samples_of(recordings: list[Recording], seed: int, others: int) -> dict[str, Samples]:
    """The samples of recordings; each is also aligned with the notes of `others` other pieces."""
    rng = np.random.default_rng(seed)
    tables = [read_notes(one.notes_path).within(0.0, one.duration_s) for one in recordings]
    found: dict[str, list[Samples]] = {"NOTE": [], "MISSING": [], "PATH": [], "PAIR": []}
    for number, (one, notes) in enumerate(track(list(zip(recordings, tables, strict=True)), "aligning")):
        assert one.audio_path is not None
        onsets = detected_onsets(sound_blocks(one.audio_path, SAMPLE_RATE_HZ, 30.0))
        foreign = [tables[at] for at in _others(recordings, number, others, rng)]
        truth = written(notes, foreign[0], one.duration_s, rng)
        events, stretches = _aligned(onsets, truth.notes)
        for name, samples in note_samples(events, stretches, truth).items():
            found[name] += samples
        found["PAIR"].append(pair_sample(events, stretches, True))
        found["PAIR"] += [pair_sample(*_aligned(onsets, part), True) for part in _parts(truth.notes, rng)]
        for other in foreign:
            found["PAIR"] += [
                pair_sample(*_aligned(onsets, part), False) for part in chain([other], _parts(other, rng))
            ]
    return {name: Samples.joined(parts) for name, parts in found.items()}


def _aligned(onsets: OnsetMap, notes: Notes) -> tuple[Events, list[Stretch]]:
    events = Events.of(notes.onset_s, notes.pitch)
    return events, align_notes(onsets, events)


def _parts(notes: Notes, rng: np.random.Generator) -> Iterator[Notes]:
    """A part of 10 to 30 s, and one of a few notes."""
    for length in (int(rng.integers(40, 200)), int(rng.integers(4, 30))):
        begin = int(rng.integers(0, max(1, len(notes) - length)))
        rows = slice(begin, begin + length)
        onset_s = notes.onset_s[rows] - notes.onset_s[begin]
        yield Notes.of(onset_s, notes.duration_s[rows], notes.pitch[rows], notes.velocity[rows])


def _others(recordings: list[Recording], number: int, count: int, rng: np.random.Generator) -> list[int]:
    """Recordings of other composers."""
    strangers = [at for at, one in enumerate(recordings) if one.composer != recordings[number].composer]
    return [int(at) for at in rng.choice(strangers, min(count, len(strangers)), replace=False)]


def reliability(coefficients: Values, samples: Samples) -> str:
    """A table of bins of probability: how many samples, their mean probability, and how many percent are true."""
    odds = samples.features @ coefficients
    probability = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
    lines = ["| probability | n | mean | true |", "|---|--:|--:|--:|"]
    for low, high in pairwise(_BINS):
        inside = (probability >= low) & (probability < high)
        if inside.any():
            true = 100 * samples.true[inside].mean()
            lines.append(
                f"| {low:g}–{min(high, 1):g} | {inside.sum()} | {probability[inside].mean():.3f} | {true:.1f} % |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--report", required=True)
    parser.add_argument("--recordings", type=int, default=24, help="of each corpus")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    fitted = [samples_of(_some(name, options), options.seed, 2) for name in options.corpora]
    reported = samples_of(_some(options.report, options), options.seed, 2)
    for name in reported:
        constants = fit(
            *(np.concatenate([getattr(one[name], part) for one in fitted]) for part in ("features", "true"))
        )
        names = list(getattr(certainty, name))
        print(f"{name} = {dict(zip(names, constants.round(3).tolist(), strict=True))}\n")
        print(reliability(constants, reported[name]) + "\n", flush=True)


def _some(corpus: str, options: argparse.Namespace) -> list[Recording]:
    recordings = [one for one in open_corpus(corpus).recordings if one.audio_path is not None]
    chosen = np.random.default_rng(options.seed).permutation(len(recordings))[: options.recordings]
    return [recordings[at] for at in sorted(chosen.tolist())]


if __name__ == "__main__":
    main()
