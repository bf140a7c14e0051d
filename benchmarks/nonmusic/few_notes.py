"""Few notes, and notes without a tune: as notes, and played by the piano of a SoundFont."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from antiphon.io.notes import Notes
from antiphon.rendering import make_renderer
from benchmarks.nonmusic.kinds import LONGEST_S, RATE_HZ, SHORTEST_S, Generator, Samples, notes_kind, sound_kind
from benchmarks.nonmusic.percussion import SOUNDFONTS

_LOWEST, _HIGHEST = 36, 96


def notes_at(rng: Generator, onset_s: NDArray[np.floating], pitch: NDArray[np.floating]) -> Notes:
    """Notes of random lengths and levels."""
    count = len(onset_s)
    return Notes.of(
        onset_s.astype(np.float64), rng.uniform(0.1, 1.5, count), pitch.astype(np.int64), rng.integers(30, 110, count)
    )


def _pitches(rng: Generator, count: int) -> Samples:
    return rng.integers(_LOWEST, _HIGHEST, count).astype(float)


def _regular(rng: Generator, fastest_s: float, slowest_s: float) -> Samples:
    """Onsets at equal distances over a random duration, with up to 10 ms of deviation."""
    period_s = rng.uniform(fastest_s, slowest_s)
    count = max(2, int(rng.uniform(SHORTEST_S, LONGEST_S) / period_s))
    return np.maximum(0.0, np.arange(count) * period_s + rng.normal(0.0, rng.choice([0.0, 0.01]), count))


@notes_kind()
def single_note(rng: Generator) -> Notes:
    return notes_at(rng, np.array([rng.uniform(0.0, 2.0)]), _pitches(rng, 1))


@notes_kind()
def held_chord(rng: Generator) -> Notes:
    """Two to six notes at once, held or struck again."""
    size, times = int(rng.integers(2, 7)), int(rng.integers(1, 4))
    onset_s = np.repeat(np.cumsum(rng.uniform(1.0, 5.0, times)), size)
    pitch = rng.choice(np.arange(_LOWEST, _HIGHEST), size, replace=False)
    return notes_at(rng, onset_s, np.tile(pitch, times))


@notes_kind()
def repeated_note(rng: Generator) -> Notes:
    """One pitch at equal distances."""
    onset_s = _regular(rng, 0.1, 1.5)
    return notes_at(rng, onset_s, np.full(len(onset_s), _pitches(rng, 1)[0]))


@notes_kind()
def repeated_note_irregular(rng: Generator) -> Notes:
    """One pitch at random times."""
    onset_s = np.cumsum(rng.exponential(rng.uniform(0.2, 1.0), 25) + 0.06)
    onset_s = onset_s[onset_s < LONGEST_S]
    return notes_at(rng, onset_s, np.full(len(onset_s), _pitches(rng, 1)[0]))


@notes_kind(may_occur=True)
def trill(rng: Generator) -> Notes:
    """Two neighbouring pitches, 6 to 14 a second."""
    onset_s, lower = _regular(rng, 0.07, 0.16), _pitches(rng, 1)[0]
    return notes_at(rng, onset_s, lower + rng.integers(1, 3) * (np.arange(len(onset_s)) % 2))


@notes_kind()
def alternating_notes(rng: Generator) -> Notes:
    """Two pitches in turn, slower than a trill."""
    onset_s, pitch = _regular(rng, 0.2, 1.2), _pitches(rng, 2)
    return notes_at(rng, onset_s, pitch[np.arange(len(onset_s)) % 2])


def _scale(rng: Generator, steps: tuple[int, ...]) -> Notes:
    onset_s = _regular(rng, 0.1, 1.0)
    position = np.arange(len(onset_s))
    there_and_back = np.abs((position + 14) % 28 - 14) if rng.uniform() < 0.5 else position % 15
    octave, step = np.divmod(there_and_back, len(steps))
    pitch = rng.integers(40, 73) + 12 * octave + np.array(steps)[step]
    return notes_at(rng, onset_s, np.minimum(pitch, 108).astype(float))


@notes_kind(may_occur=True)
def major_scale(rng: Generator) -> Notes:
    return _scale(rng, (0, 2, 4, 5, 7, 9, 11))


@notes_kind(may_occur=True)
def chromatic_scale(rng: Generator) -> Notes:
    return _scale(rng, tuple(range(12)))


@notes_kind()
def few_notes_spread(rng: Generator) -> Notes:
    """One to eight notes of random pitch at random times within 10 s."""
    count = int(rng.integers(1, 9))
    return notes_at(rng, np.sort(rng.uniform(0.0, 10.0, count)), _pitches(rng, count))


@notes_kind()
def few_notes_dense(rng: Generator) -> Notes:
    """One to eight notes of random pitch within 1 to 4 s."""
    count = int(rng.integers(1, 9))
    return notes_at(rng, np.sort(rng.uniform(0.0, rng.uniform(1.0, 4.0), count)), _pitches(rng, count))


@notes_kind()
def few_notes_even(rng: Generator) -> Notes:
    """One to eight notes of random pitch at equal distances."""
    count = int(rng.integers(1, 9))
    return notes_at(rng, np.arange(count) * rng.uniform(0.15, 2.0), _pitches(rng, count))


@notes_kind()
def few_notes_tonal(rng: Generator) -> Notes:
    """One to eight notes of one major scale within an octave, in simple rhythm: as tunes begin."""
    count = int(rng.integers(1, 9))
    pitch = rng.integers(48, 72) + rng.choice([0, 2, 4, 5, 7, 9, 11, 12], count)
    onset_s = np.cumsum(rng.choice([0.5, 1.0, 1.5, 2.0], count)) * rng.uniform(0.3, 0.9)
    return notes_at(rng, onset_s, pitch.astype(float))


def _played(rng: Generator, count: int, notes: Notes) -> Samples:
    piano = make_renderer(str(rng.choice(SOUNDFONTS)), RATE_HZ)
    return piano.render(notes, count / RATE_HZ).astype(np.float64) + 1e-5 * rng.normal(size=count)


def _register_played(name: str, draw: Callable[[Generator], Notes]) -> None:
    """The same notes, played; a query of 4 s or more may hold fewer of them."""

    def played(rng: Generator, count: int) -> Samples:
        return _played(rng, count, draw(rng))

    played.__name__ = name
    sound_kind(played)


for _draw in (single_note, held_chord, repeated_note, alternating_notes, few_notes_spread, few_notes_dense):
    _register_played(f"played_{_draw.__name__}", _draw)
_register_played("played_few_notes_even", few_notes_even)
_register_played("played_few_notes_tonal", few_notes_tonal)
