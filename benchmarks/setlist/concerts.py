"""Concerts with a known set list: excerpts of recordings, with silence, applause, talk and foreign pieces between.

The works of a few composers are foreign, and no file of theirs is in the library. An excerpt begins with an onset, in
most cases the first one of its piece, and ends before another onset or with the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from antiphon.corpora import Recording, open_corpus
from antiphon.io.audio import read_samples
from antiphon.io.files import write_json
from antiphon.io.note_files import read_notes
from benchmarks.nonmusic.kinds import RATE_HZ, Generator
from benchmarks.nonmusic.noises import applause, room_tone
from benchmarks.nonmusic.voices import crowd, speech

Sound = NDArray[np.float32]

PIECES = (3, 8)
FOREIGN_COMPOSERS = ("Johannes Brahms", "Joseph Haydn", "César Franck", "Alexander Scriabin", "Mily Balakirev")
"""The library has nothing by them. Titles alone do not tell whether two files are the same work."""
_PLAYED_S, _FOREIGN_S = (25.0, 60.0), (15.0, 40.0)
_SHORTEST_S = 15.0
_FROM_THE_MIDDLE, _AGAIN, _ATTACCA, _FOREIGN_BETWEEN = 0.3, 0.2, 0.1, 0.3
_LEAD_S, _FADE_S = 0.02, 0.05
_GAIN_DB = (-12.0, 0.0)
_NOISES = {"applause": applause, "crowd": crowd, "speech": speech, "room tone": room_tone}


@dataclass(frozen=True)
class Part:
    """A part of a concert, from `start_s` to `end_s`.

    `kind` is "piece", "foreign", "silence" or the name of a noise. Of a piece `file` is the note file, and `file_s` the
    second of it at which the part begins.
    """

    kind: str
    start_s: float
    end_s: float
    file: str = ""
    work: str = ""
    file_s: float = 0.0


@dataclass(frozen=True)
class Concert:
    """A recording and its parts in order of time."""

    path: Path
    parts: tuple[Part, ...]

    @property
    def pieces(self) -> list[Part]:
        """The parts whose notes are in the library."""
        return [part for part in self.parts if part.kind == "piece"]


@dataclass(frozen=True)
class Repertoire:
    """The recordings whose notes are in the library, those whose are not, and the library's files."""

    known: tuple[tuple[Recording, ...], ...]
    """For each work its recordings; `notes_path` is in the library."""
    foreign: tuple[Recording, ...]
    library: tuple[Path, ...]

    def work_of(self, file: str) -> str:
        """The work of a file of the library; the file itself where the concerts do not play it."""
        return self._works.get(file, file)

    @cached_property
    def _works(self) -> dict[str, str]:
        return {str(one.notes_path): one.work for work in self.known for one in work}


def repertoire(sound: Sequence[str], maestro: str, distractors: int) -> Repertoire:
    """Divide the recordings of the corpora `sound`, and add `distractors` note files of MAESTRO's training split.

    MAESTRO's table names the composers. A recording that several corpora have by the same name has one note file in the
    library. The division is always the same one.
    """
    rng = np.random.default_rng(0)
    table = {one.id: one for one in open_corpus(maestro).recordings}
    by_work: dict[str, list[Recording]] = {}
    foreign: list[Recording] = []
    notes: dict[str, Path] = {}
    for corpus in map(open_corpus, sound):
        for one in corpus.with_sound().recordings:
            about = table.get(one.id, one)
            if about.composer in FOREIGN_COMPOSERS:
                foreign.append(one)
                continue
            path = notes.setdefault(one.id, one.notes_path.resolve())
            by_work.setdefault(about.work, []).append(replace(one, notes_path=path, work=about.work))
    others = [
        one.notes_path.resolve()
        for one in table.values()
        if one.split == "train" and one.composer not in FOREIGN_COMPOSERS and one.work not in by_work
    ]
    chosen = [others[at] for at in rng.permutation(len(others))[:distractors]]
    known = tuple(tuple(by_work[work]) for work in sorted(by_work))
    return Repertoire(known, tuple(foreign), tuple(sorted({*notes.values(), *chosen})))


def write_concert(pieces: Repertoire, seed: int, number: int, folder: Path) -> Concert:
    """Put together concert `number` of a seed and write it as FLAC, with its set list as JSON next to it."""
    rng = np.random.default_rng([seed, number])
    sounds: list[Sound] = []
    parts: list[Part] = []

    def add(kind: str, samples: Sound, **facts: Any) -> None:
        begin_s = sum(map(len, sounds)) / RATE_HZ
        sounds.append(samples)
        lead_s = _LEAD_S if kind in ("piece", "foreign") else 0.0
        parts.append(Part(kind, begin_s + lead_s, begin_s + len(samples) / RATE_HZ, **facts))

    programme = [_excerpt(rng, works, _PLAYED_S) for works in _drawn(rng, pieces.known)]
    if len(programme) > 2 and rng.random() < _AGAIN:
        programme[-1] = programme[int(rng.integers(len(programme) - 2))]
    for position, (samples, facts) in enumerate(programme):
        if position == 0 or rng.random() >= _ATTACCA:
            for kind, between in _between(rng, pieces.foreign):
                add(kind, between)
        add("piece", _levelled(rng, samples), **facts)
    for kind, between in _between(rng, pieces.foreign):
        add(kind, between)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{seed}-{number:02}.flac"
    whole = np.concatenate(sounds)
    whole += 10 ** (rng.uniform(-75.0, -60.0) / 20) * rng.standard_normal(len(whole)).astype(np.float32)
    soundfile.write(path, np.clip(whole, -1.0, 1.0), RATE_HZ)
    write_json(path.with_suffix(".json"), [asdict(part) for part in parts])
    return Concert(path, tuple(parts))


def _drawn(rng: Generator, works: Sequence[tuple[Recording, ...]]) -> list[tuple[Recording, ...]]:
    """Different works: as many as a concert has pieces."""
    return [works[at] for at in rng.permutation(len(works))[: int(rng.integers(PIECES[0], PIECES[1] + 1))]]


def _excerpt(
    rng: Generator, recordings: Sequence[Recording], length_s: tuple[float, float]
) -> tuple[Sound, dict[str, Any]]:
    """A part of one of the recordings, and its note file, work and begin in the notes."""
    one = recordings[int(rng.integers(len(recordings)))]
    assert one.audio_path is not None
    notes = read_notes(one.notes_path, sustain=True)
    onset_s = notes.onset_s[notes.onset_s < one.duration_s - _SHORTEST_S]
    begin_s = float(onset_s[0])
    if rng.random() < _FROM_THE_MIDDLE:
        begin_s = float(rng.choice(onset_s))
    wanted_s = begin_s + rng.uniform(*length_s)
    later_s = notes.onset_s[notes.onset_s >= wanted_s]
    end_s = min(one.duration_s, notes.end_s, float(later_s[0]) - _LEAD_S if len(later_s) else np.inf)
    first_s = max(0.0, begin_s - _LEAD_S)
    samples = read_samples(one.audio_path, RATE_HZ, first_s, end_s - first_s)
    samples = np.pad(samples, (round((_LEAD_S - begin_s + first_s) * RATE_HZ), 0))
    return samples, {"file": str(one.notes_path), "work": one.work, "file_s": begin_s}


def _levelled(rng: Generator, samples: Sound) -> Sound:
    """With a peak of −12 to 0 dB, faded in and out within 50 ms."""
    fade = np.linspace(0.0, 1.0, round(_FADE_S * RATE_HZ), dtype=np.float32)
    faded = samples / max(float(np.abs(samples).max()), 1e-6) * np.float32(10 ** (rng.uniform(*_GAIN_DB) / 20))
    faded[: round(_LEAD_S * RATE_HZ)] *= np.linspace(0.0, 1.0, round(_LEAD_S * RATE_HZ), dtype=np.float32)
    faded[-len(fade) :] *= fade[::-1]
    return faded.astype(np.float32)


def _between(rng: Generator, foreign: Sequence[Recording]) -> list[tuple[str, Sound]]:
    """The sounds between two pieces: silence or a noise, and sometimes a foreign piece with silence around it."""
    found = [_noise(rng) if rng.random() < 0.6 else _silence(rng)]
    if rng.random() < _FOREIGN_BETWEEN:
        samples, _ = _excerpt(rng, [foreign[int(rng.integers(len(foreign)))]], _FOREIGN_S)
        found += [_silence(rng), ("foreign", _levelled(rng, samples))]
        found.append(_noise(rng) if rng.random() < 0.6 else _silence(rng))
    return found


def _silence(rng: Generator) -> tuple[str, Sound]:
    return "silence", np.zeros(round(rng.uniform(1.5, 8.0) * RATE_HZ), np.float32)


def _noise(rng: Generator) -> tuple[str, Sound]:
    kind = str(rng.choice(["applause", "applause", "applause", "crowd", "speech", "room tone"]))
    samples = _NOISES[kind](rng, round(rng.uniform(3.0, 15.0) * RATE_HZ))
    peak = 10 ** (rng.uniform(-30.0, -6.0) / 20)
    return kind, (samples * (peak / max(float(np.abs(samples).max()), 1e-9))).astype(np.float32)
