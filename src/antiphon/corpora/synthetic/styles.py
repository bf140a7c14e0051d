"""Seven styles of the demo composer. Each is a function that writes one section over eight chords, in beats.

A style is a row of `STYLES`: metre, tempo, form and the function. Sections with the same letter are equal, as in real
pieces; the piece closes with a held tonic chord.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from antiphon.corpora.synthetic.harmony import (
    BASS,
    INNER,
    MELODY,
    Chord,
    Key,
    Motif,
    ScoreNote,
    melody,
    parse_chord,
    place,
    section_chords,
)

Writer = Callable[[np.random.Generator, Key, Sequence[Chord]], list[ScoreNote]]
CHORDS_PER_SECTION = 8


@dataclass(frozen=True)
class Style:
    """A genre: metre, tempo, order of sections, expression, and the function that writes a section.

    `loudness` is the mean velocity. `rubato` scales the tempo variation of the player; 0 is strict time. `pedal` tells
    whether the sustain pedal follows the harmony.
    """

    genre: str
    beats_per_chord: int
    tempo_bpm: float
    form: str
    loudness: float
    rubato: float
    pedal: bool
    write: Writer


@dataclass(frozen=True)
class Score:
    """A written work: notes sorted by (onset, pitch), without overlapping notes of one key, with the closing chord."""

    style: Style
    key: Key
    notes: tuple[ScoreNote, ...]
    length_beats: float


def write_score(rng: np.random.Generator, style: Style, key: Key) -> Score:
    """Compose one work in a style and a key."""
    length = CHORDS_PER_SECTION * style.beats_per_chord
    sections = {
        letter: style.write(rng, key, section_chords(rng, key, bridge=letter != "A"))
        for letter in sorted(set(style.form))
    }
    notes = [
        # Rounded, because sums of triplet durations differ from whole beats by a few ulp.
        note._replace(onset_beat=round(note.onset_beat + position * length, 6))
        for position, letter in enumerate(style.form)
        for note in sections[letter]
    ]
    end = float(len(style.form) * length)
    notes += _final_chord(key, end, 2.0 * style.beats_per_chord)
    return Score(style, key, tuple(_without_collisions(notes)), end + 2 * style.beats_per_chord)


def _final_chord(key: Key, beat: float, beats: float) -> list[ScoreNote]:
    tonic = parse_chord("I", key.minor)
    voices = ((-14, BASS), (-7, BASS), (0, INNER), (2, INNER), (4, INNER), (7, MELODY))
    return [ScoreNote(beat, beats, key.pitch(step, tonic), voice) for step, voice in voices]


def _without_collisions(notes: Sequence[ScoreNote]) -> list[ScoreNote]:
    """Where two voices hold the same key, the later onset ends the earlier note."""
    kept: list[ScoreNote] = []
    last: dict[int, int] = {}
    for note in sorted(notes, key=lambda note: (note.onset_beat, note.pitch, note.voice)):
        if note.pitch in last:
            before = kept[last[note.pitch]]
            gap = note.onset_beat - before.onset_beat
            if gap < 1e-6:
                continue
            kept[last[note.pitch]] = before._replace(duration_beats=min(before.duration_beats, gap))
        last[note.pitch] = len(kept)
        kept.append(note)
    return kept


def _chorale(rng: np.random.Generator, key: Key, chords: Sequence[Chord]) -> list[ScoreNote]:
    """Four voices; the inner voices move as little as possible; soprano and bass have passing quarters."""
    beats = 2.0
    notes = melody(rng, key, chords, beats, ((2,), (1, 1), (1, 0.5, 0.5), (1.5, 0.5)), center=7)
    alto, tenor, bass = 2, -2, -8
    for index, chord in enumerate(chords):
        bass = chord.root_near(round((bass - 9) / 2))
        pairs = [(a, t) for a in range(-1, 5) for t in range(-6, a) if {a % 7, t % 7, chord.root} <= set(chord.degrees)]

        # Bound as defaults, because a closure would see later values of the loop variables.
        def cost(
            pair: tuple[int, int], root: int = chord.root, alto: int = alto, tenor: int = tenor
        ) -> tuple[int, int]:
            """Order by missing chord tones, then by the motion of the two voices in steps."""
            return -len({pair[0] % 7, pair[1] % 7, root}), abs(pair[0] - alto) + abs(pair[1] - tenor)

        alto, tenor = min(pairs, key=cost)
        notes += place(key, chord, [alto], [beats], index * beats, INNER)
        notes += place(key, chord, [tenor], [beats], index * beats, INNER)
        following = chords[(index + 1) % len(chords)].root_near(round((bass - 9) / 2))
        passing = [bass, bass + int(np.sign(following - bass))] if abs(following - bass) > 1 else [bass]
        notes += place(key, chord, passing, [beats / len(passing)] * len(passing), index * beats, BASS)
    return notes


def _invention(rng: np.random.Generator, key: Key, chords: Sequence[Chord]) -> list[ScoreNote]:
    """A two-bar subject, alternating between the hands and inverted later, with a countersubject in eighths."""
    beats = 2.0
    rhythms = ((0.25,) * 8, (0.5, *(0.25,) * 6), (0.25, 0.25, 0.5) * 2, (*(0.25,) * 4, 0.5, 0.5))
    head, tail = (Motif.random(rng, rhythms[i]) for i in rng.choice(len(rhythms), 2, replace=False))
    counter = Motif.random(rng, (0.5,) * 4)
    right, left = 7, -6
    notes: list[ScoreNote] = []
    for index, chord in enumerate(chords):
        beat = index * beats
        subject = head if index % 2 == 0 else tail
        if index >= CHORDS_PER_SECTION // 2:
            subject = subject.inverted()
        if index == CHORDS_PER_SECTION - 1:
            notes += place(key, chord, [chord.root_near(right)], [1.5], beat, MELODY)
            notes += place(key, chord, [chord.tone(left, k) for k in (0, 1, -1)], [0.5, 0.5, 1], beat, BASS, 0.9)
            continue
        leads_right = index % 4 < 2
        leader, follower = (right, left) if leads_right else (left, right)
        voices = (MELODY, BASS) if leads_right else (BASS, MELODY)
        notes += place(key, chord, subject.steps(chord, leader), subject.rhythm, beat, voices[0], 0.92)
        if index > 0:  # the subject enters alone
            notes += place(key, chord, counter.steps(chord, follower), counter.rhythm, beat, voices[1], 0.8)
    return notes


def _sonatina(rng: np.random.Generator, key: Key, chords: Sequence[Chord]) -> list[ScoreNote]:
    """A melody over an Alberti bass: lowest, highest, middle, highest chord tone."""
    beats = 2.0
    rhythms = (
        (1, 0.5, 0.5),
        (0.5,) * 4,
        (0.5, 0.5, 1),
        (0.75, 0.25, 0.5, 0.5),
        (0.25,) * 4 + (0.5, 0.5),
        (1.5, 0.5),
    )
    notes = melody(rng, key, chords, beats, rhythms, center=8)
    figure = ((0, 2, 1, 2), (0, 1, 2, 1))[rng.integers(2)]
    for index, chord in enumerate(chords):
        root = chord.root_near(-6)
        if index == CHORDS_PER_SECTION - 1:
            steps, rhythm = [chord.tone(root, k) for k in (0, 2, -3)], [0.5, 0.5, 0.75]
        else:
            steps, rhythm = [chord.tone(root, k) for k in figure * 2], [0.25] * 8
        notes += place(key, chord, steps, rhythm, index * beats, INNER)
    return notes


def _waltz(rng: np.random.Generator, key: Key, chords: Sequence[Chord]) -> list[ScoreNote]:
    """Bass on beat one, chords on two and three, and a melody above."""
    beats = 3.0
    rhythms = ((2, 1), (1, 1, 1), (1.5, 0.5, 1), (1, 0.5, 0.5, 1), (3,), (0.5,) * 6, (1, 2))
    notes = melody(rng, key, chords, beats, rhythms, center=int(rng.integers(8, 12)))
    for index, chord in enumerate(chords):
        beat = index * beats
        # On a repeated chord the bass plays the fifth.
        root = chord.root_near(-13)
        low = root if index == 0 or chords[index - 1].root != chord.root else chord.tone(root, 2)
        notes += place(key, chord, [low], [0.9], beat, BASS)
        for k in (0, 1, 2):
            notes += place(key, chord, [chord.tone(-3, k)] * 2, [1, 1], beat + 1, INNER, 0.6)
    return notes


def _nocturne(rng: np.random.Generator, key: Key, chords: Sequence[Chord]) -> list[ScoreNote]:
    """A slow ornamented melody over triplet arpeggios that span a tenth or more."""
    beats = 2.0
    third = 1 / 3
    rhythms = ((2,), (1.5, 0.5), (1, 1), (1, 2 * third, third), (4 * third, third, third), (1, *(0.25,) * 4))
    notes = melody(rng, key, chords, beats, rhythms, center=int(rng.integers(9, 13)))
    figure = ((0, 2, 3, 4, 3, 2), (0, 2, 4, 5, 4, 2), (0, 1, 2, 4, 3, 2))[rng.integers(3)]
    for index, chord in enumerate(chords):
        root = chord.root_near(-13)
        steps = [chord.tone(root, k) for k in figure]
        notes += place(key, chord, steps[:1], [beats * third], index * beats, BASS)
        notes += place(key, chord, steps[1:], [third] * 5, index * beats + third, INNER)
    return notes


def _toccata(rng: np.random.Generator, key: Key, chords: Sequence[Chord]) -> list[ScoreNote]:
    """Continuous sixteenths, broken chords and scales, in one hand; octaves or chords in the other."""
    beats = 2.0
    figures = ((0, 1, 2, 1), (2, 1, 0, 1), (0, 2, 1, 3), (3, 2, 1, 0), (0, 1, 2, 3), (0, 3, 1, 2))
    first, second = (figures[i] for i in rng.choice(len(figures), 2, replace=False))
    below = rng.random() < 0.5  # the sixteenths are in the left hand
    notes: list[ScoreNote] = []
    for index, chord in enumerate(chords):
        beat, root = index * beats, chord.root_near(-10)
        running = chord.nearest((-8 if below else 8) + (index % 4))
        if index % 4 == 3:  # a scale leads into the next phrase
            direction = -1 if index % 8 == 3 else 1
            steps = [running + direction * k for k in range(8)]
        else:
            steps = [chord.tone(running, k) for k in (*first, *second)]
        notes += place(key, chord, steps, [0.25] * 8, beat, BASS if below else MELODY, 0.9)
        if below:
            for k in (0, 1, 2):
                tops = [chord.tone(7 + index % 4, k)] * 2
                notes += place(key, chord, tops, [0.75, 1.25], beat, MELODY if k == 2 else INNER, 0.6)
        else:
            for low in (root, root - 7):
                notes += place(key, chord, [low, chord.tone(low, 2), low], [1, 0.5, 0.5], beat, BASS, 0.8)
    return notes


def _rag(rng: np.random.Generator, key: Key, chords: Sequence[Chord]) -> list[ScoreNote]:
    """Stride left hand, octave then chord; syncopated right hand whose longer notes have a second voice."""
    beats = 2.0
    rhythms = (
        (0.25, 0.5, 0.25, 0.5, 0.5),
        (0.5, 0.25, 0.5, 0.25, 0.5),
        (0.25, 0.25, 0.5, 0.25, 0.5, 0.25),
        (0.75, 0.5, 0.25, 0.5),
    )
    notes = melody(rng, key, chords, beats, rhythms, center=int(rng.integers(8, 11)))
    for note in [note for note in notes if note.duration_beats >= 0.5]:
        chord = chords[int(note.onset_beat // beats)]
        notes.append(note._replace(pitch=_chord_pitch_below(note.pitch, key, chord), voice=INNER))
    for index, chord in enumerate(chords):
        root = chord.root_near(-9)
        for half, low in enumerate((root, chord.tone(root, -1))):
            beat = index * beats + half
            for octave in (low, low - 7):
                notes += place(key, chord, [octave], [0.4], beat, BASS)
            for k in (0, 1, 2):
                notes += place(key, chord, [chord.tone(-3, k)], [0.3], beat + 0.5, INNER)
    return notes


def _chord_pitch_below(pitch: int, key: Key, chord: Chord) -> int:
    """The highest pitch of a chord that lies a third or more below `pitch`."""
    chord_pitches = (key.pitch(step, chord) for step in range(-14, 28) if step % 7 in chord.degrees)
    return max(candidate for candidate in chord_pitches if candidate <= pitch - 3)


STYLES = {
    style.genre: style
    for style in (
        Style("Chorale", 2, 96, "AABA", 62, 0.6, False, _chorale),
        Style("Invention", 2, 94, "AABA", 66, 0.3, False, _invention),
        Style("Sonatina", 2, 98, "AABA", 64, 0.5, False, _sonatina),
        Style("Waltz", 3, 152, "AABA", 66, 1.0, True, _waltz),
        Style("Nocturne", 2, 76, "ABA", 54, 1.6, True, _nocturne),
        Style("Toccata", 2, 124, "ABACA", 80, 0.3, True, _toccata),
        Style("Rag", 2, 98, "AABA", 74, 0.2, False, _rag),
    )
}
