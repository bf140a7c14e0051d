"""The composer and the players of the demo corpus: expressive piano pieces, determined by a seed.

`styles` writes a work in beats. A `Player` then performs it: seconds instead of beats, with phrase-shaped tempo,
rubato, a closing ritardando, melody lead, spread chords and small slips, and a velocity for every note. Some works are
played twice, by different players, in one split.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.corpora.synthetic.harmony import BASS, HIGHEST_PITCH, INNER, LOWEST_PITCH, MELODY, Key
from antiphon.corpora.synthetic.styles import STYLES, Score, write_score
from antiphon.io.notes import Notes

LOWEST_VELOCITY, HIGHEST_VELOCITY = 20, 120

_GRID_BEATS = 0.125  # resolution of the tempo curve
_PHRASE_CHORDS = 4
_JITTER_S = 0.008
_RITARDANDO_CHORDS = 5
_BREATH_S = 0.01  # time between a key's release and its next onset
_SHORTEST_NOTE_S = 0.03
_GRACE_S = 0.08
_PEDAL_DELAY_S = 0.09  # the pedal changes just after the harmony does
_VOICE_VELOCITY = {MELODY: 9.0, INNER: -9.0, BASS: -2.0}


@dataclass(frozen=True)
class Player:
    """A performer. Factors of 1.0 are neutral; `slips` and `graces` are probabilities per note."""

    name: str
    tempo: float
    rubato: float
    dynamics: float
    touch: float  # length of a note relative to the written one
    lead_s: float  # how far the melody precedes its chord
    spread_s: float  # delay from one chord tone to the next, upwards
    graces: float
    slips: float


@dataclass(frozen=True)
class Composer:
    """A composer: the genre and, in order, the keys of the works, and the numbers of works played twice, from 1."""

    name: str
    genre: str
    keys: tuple[str, ...]
    played_twice: tuple[int, ...] = ()


@dataclass(frozen=True)
class Piece:
    """One performance of a work.

    The durations of `notes` do not include the pedal. `pedal_s` float64 [P, 2] are the (down, up) times of the sustain
    pedal in seconds. `split` is "train", "validation" or "test", the same for all performances of a work.
    """

    composer: str
    title: str
    performer: str
    split: str
    notes: Notes
    pedal_s: NDArray[np.float64]


PLAYERS = (
    Player("Ilse Korvand", 1.00, 1.0, 1.0, 0.97, 0.018, 0.004, 0.004, 0.004),
    Player("Teodor Maelin", 1.06, 0.6, 1.2, 0.88, 0.010, 0.002, 0.000, 0.006),
    Player("Sunniva Rask", 0.95, 1.4, 1.3, 1.00, 0.025, 0.009, 0.012, 0.003),
    Player("Bao Quillfeather", 1.03, 0.8, 0.7, 0.93, 0.014, 0.003, 0.008, 0.008),
    Player("Odalys Brandvold", 0.97, 1.2, 0.9, 0.95, 0.020, 0.012, 0.002, 0.002),
)

COMPOSERS = (
    Composer("Aurel Hinterbach", "Chorale", ("G major", "D minor", "F major", "A minor", "E-flat major"), (2,)),
    Composer("Ottavia Brennick", "Invention", ("C major", "A minor", "B-flat major", "E minor", "D major"), (1,)),
    Composer("Lucien Farvelle", "Sonatina", ("D major", "G major", "C minor", "A major", "F major"), (4,)),
    Composer("Mirela Sorokai", "Waltz", ("A minor", "E minor", "A-flat major", "B minor", "G major"), (2,)),
    Composer(
        "Tadeus Olvaar",
        "Nocturne",
        ("E-flat major", "C-sharp minor", "D-flat major", "F minor", "B major"),
        (5,),
    ),
    Composer("Konrad Vexler", "Toccata", ("D minor", "E major", "G minor", "F-sharp minor", "C major"), (3,)),
    Composer("Philander Roe", "Rag", ("E-flat major", "F major", "C major", "A-flat major", "B-flat major")),
)

SPLIT_OF_WORK = ("train", "train", "train", "validation", "test")


def compose_demo(seed: int = 0) -> list[Piece]:
    """Compose and perform works of seven composers, about 40 s each, in a fixed order; a pure function of `seed`.

    Each piece has its own random generator, so that adding a work or a composer does not change other pieces.
    """
    pieces = []
    for composer_index, composer in enumerate(COMPOSERS):
        for work_index, (key, split) in enumerate(zip(composer.keys, SPLIT_OF_WORK, strict=True)):
            score = write_score(_stream(seed, composer_index, work_index), STYLES[composer.genre], Key.named(key))
            title = f"{composer.genre} No. {work_index + 1} in {key}"
            for take in range(2 if work_index + 1 in composer.played_twice else 1):
                player = PLAYERS[(composer_index + work_index + 2 * take) % len(PLAYERS)]
                notes, pedal_s = perform(score, player, _stream(seed, composer_index, work_index, take + 1))
                pieces.append(Piece(composer.name, title, player.name, split, notes, pedal_s))
    return pieces


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def perform(score: Score, player: Player, rng: np.random.Generator) -> tuple[Notes, NDArray[np.float64]]:
    """Perform a score: notes and pedal intervals [P, 2] in seconds; the first onset is within 0.2–1 s."""
    beat, duration, pitch, voice = (np.array(column) for column in zip(*score.notes, strict=True))
    grid_beat, grid_s = _time_of_beats(score, player, rng)
    onset = np.interp(beat, grid_beat, grid_s)
    held = np.interp(beat + duration * player.touch, grid_beat, grid_s) - onset

    onset = onset - player.lead_s * (voice == MELODY) + player.spread_s * _rank_in_chord(beat, pitch)
    # Clipped, so that no onset is displaced audibly.
    onset += np.clip(rng.normal(0, _JITTER_S, len(beat)), -3 * _JITTER_S, 3 * _JITTER_S)
    velocity = _velocities(score, player, rng, beat, pitch, voice)

    pitch = _with_slips(player, rng, pitch)
    kept = (voice == MELODY) | (rng.random(len(beat)) >= player.slips)
    grace = np.flatnonzero((voice == MELODY) & (duration >= 0.5) & (rng.random(len(beat)) < 8 * player.graces))
    onset = np.concatenate([onset[kept], onset[grace] - _GRACE_S])
    held = np.concatenate([held[kept], np.full(len(grace), 0.8 * _GRACE_S)])
    velocity = np.concatenate([velocity[kept], velocity[grace] - 10])
    pitch = np.concatenate([pitch[kept], pitch[grace] - 1])

    start_s = rng.uniform(0.3, 0.9)
    shift = start_s - onset.min()
    notes = _playable(onset + shift, held, pitch, velocity)
    pedal_s = _pedal(score, grid_beat, grid_s, rng) + shift if score.style.pedal else np.zeros((0, 2))
    return notes, pedal_s


def _time_of_beats(
    score: Score, player: Player, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Integrate the tempo curve: beats [G] and their times in seconds [G]."""
    style = score.style
    freedom = style.rubato * player.rubato
    # Two chords beyond the end, for notes that end after it.
    beat = np.arange(0.0, score.length_beats + 2 * style.beats_per_chord, _GRID_BEATS)
    phrase = beat / (style.beats_per_chord * _PHRASE_CHORDS) % 1
    arc = 0.10 * freedom * (np.sin(np.pi * phrase) - 2 / np.pi)  # faster in the middle of a phrase, slower at its end
    knots = np.arange(0.0, beat[-1] + style.beats_per_chord, style.beats_per_chord)
    wander = np.interp(beat, knots, rng.normal(0, 0.035, len(knots))) * (0.3 + freedom)
    closing_beats = _RITARDANDO_CHORDS * style.beats_per_chord
    closing = np.clip((beat - score.length_beats + closing_beats) / closing_beats, 0, 1)
    tempo_bpm = style.tempo_bpm * player.tempo * rng.uniform(0.98, 1.02)
    tempo_bpm = tempo_bpm * (1 + arc + wander) * (1 - 0.35 * closing**2)
    seconds = np.cumsum(60 / tempo_bpm * _GRID_BEATS)
    return beat, seconds - seconds[0]


def _rank_in_chord(beat: NDArray[np.float64], pitch: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rank of each note in its chord [N], 0 for the lowest. Notes must be sorted by (beat, pitch)."""
    _, first, index = np.unique(beat, return_index=True, return_inverse=True)
    rank: NDArray[np.float64] = (np.arange(len(pitch)) - first[index]).astype(np.float64)
    return rank


def _velocities(
    score: Score,
    player: Player,
    rng: np.random.Generator,
    beat: NDArray[np.float64],
    pitch: NDArray[np.int64],
    voice: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Velocities [N]: sum of phrase arc, slow swell, metrical accent, pitch slope and balance of the voices."""
    chord_beats = score.style.beats_per_chord
    phrase = beat / (chord_beats * _PHRASE_CHORDS)
    knots = rng.normal(0, 5, int(phrase.max()) + 2)
    shape = 14 * np.sin(np.pi * (phrase % 1)) - 7 + np.interp(phrase, np.arange(len(knots)), knots)
    shape += 4 * (beat % chord_beats == 0) + 0.2 * (pitch - 60)
    balance = np.vectorize(_VOICE_VELOCITY.__getitem__, otypes=[np.float64])(voice)
    velocity: NDArray[np.float64] = score.style.loudness + player.dynamics * shape + balance
    return velocity + rng.normal(0, 3, len(beat))


def _with_slips(player: Player, rng: np.random.Generator, pitch: NDArray[np.int64]) -> NDArray[np.int64]:
    """Move a few notes to a neighbouring key."""
    slipped = rng.random(len(pitch)) < player.slips
    return np.where(slipped, pitch + rng.choice((-2, -1, 1, 2), len(pitch)), pitch)


def _playable(
    onset: NDArray[np.float64],
    held: NDArray[np.float64],
    pitch: NDArray[np.int64],
    velocity: NDArray[np.float64],
) -> Notes:
    """Make notes playable: in range, shortened to end before the key's next onset, and dropped if that is too soon."""
    pitch = np.clip(pitch, LOWEST_PITCH, HIGHEST_PITCH)
    order = np.lexsort((onset, pitch))
    kept: list[int] = []
    for index in order:
        follows = bool(kept) and pitch[kept[-1]] == pitch[index]
        if not follows or onset[index] - onset[kept[-1]] >= _SHORTEST_NOTE_S + _BREATH_S:
            kept.append(int(index))
    onset, held, pitch, velocity = onset[kept], held[kept], pitch[kept], velocity[kept]
    room = np.append(np.diff(onset) - _BREATH_S, np.inf)
    room[:-1][np.diff(pitch) != 0] = np.inf
    return Notes.of(
        onset,
        np.minimum(np.maximum(held, _SHORTEST_NOTE_S), room),
        pitch,
        np.clip(np.rint(velocity), LOWEST_VELOCITY, HIGHEST_VELOCITY).astype(np.int64),
    )


def _pedal(
    score: Score, grid_beat: NDArray[np.float64], grid_s: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """One pedal interval [P, 2] per chord; the pedal changes just after the harmony."""
    changes = np.arange(0.0, score.length_beats + 1e-6, score.style.beats_per_chord)
    change_s = np.interp(changes, grid_beat, grid_s)
    down = change_s[:-1] + _PEDAL_DELAY_S + rng.uniform(-0.02, 0.02, len(changes) - 1)
    up = change_s[1:] + rng.uniform(0.0, 0.03, len(changes) - 1)
    return np.stack([down, up], axis=1)
