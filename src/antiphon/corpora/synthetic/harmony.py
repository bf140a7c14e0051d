"""Keys, chords, progressions, motifs and melodies, from which the styles of the demo composer build works.

Pitches are diatonic steps: step 0 is the tonic nearest to middle C, step 7 the tonic an octave above. Times are beats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

MELODY, INNER, BASS = 0, 1, 2
LOWEST_PITCH, HIGHEST_PITCH = 24, 105

_SCALES = {False: (0, 2, 4, 5, 7, 9, 11), True: (0, 2, 3, 5, 7, 8, 10)}  # by minor; natural minor
_TONICS = {
    name: pitch_class
    for pitch_class, names in enumerate(
        ("C", "C-sharp D-flat", "D", "E-flat", "E", "F", "F-sharp", "G", "A-flat", "A", "B-flat", "B")
    )
    for name in names.split()
}
_NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII")

# Progressions of four chords. Openings and bridges end on the dominant, closings on the tonic.
_OPENINGS = {
    False: ("I IV I V", "I vi ii V", "I V/ii ii V", "I iii IV V", "I V/vi vi V", "I ii V/V V", "I IV ii V7"),
    True: ("i iv i V", "i VI iv V", "i VII VI V", "i V/iv iv V", "i III iv V7", "i VI ii V"),
}
_CLOSINGS = {
    False: ("I IV V7 I", "vi ii V7 I", "IV I V7 I", "IV V/V V7 I", "vi IV V7 I", "V/ii ii V7 I"),
    True: ("i iv V7 i", "VI iv V7 i", "iv i V7 i", "VI ii V7 i", "III iv V7 i"),
}
_BRIDGES = {
    False: ("V/vi vi V/ii ii", "vi iii IV V7", "V I V/V V", "IV I ii V7", "iii vi ii V"),
    True: ("III VII i V", "VI III iv V7", "VII III VI V7", "iv VII III V7", "V/iv iv VII III"),
}


class ScoreNote(NamedTuple):
    """One written note: onset and length in beats, MIDI pitch, voice (MELODY, INNER or BASS)."""

    onset_beat: float
    duration_beats: float
    pitch: int
    voice: int


@dataclass(frozen=True)
class Chord:
    """A triad or seventh chord on a degree (0 is the tonic), with the degrees that it raises by a semitone.

    >>> parse_chord("V/ii", minor=False)
    Chord(root=5, seventh=False, raised=frozenset({0}))
    """

    root: int
    seventh: bool = False
    raised: frozenset[int] = frozenset()

    @property
    def degrees(self) -> tuple[int, ...]:
        """Root, third, fifth (and seventh), each 0–6."""
        return tuple((self.root + third) % 7 for third in (0, 2, 4, 6)[: 4 if self.seventh else 3])

    def nearest(self, step: int) -> int:
        """The chord tone nearest to a step; the lower one of two equally near."""
        return min(range(step - 3, step + 4), key=lambda s: (s % 7 not in self.degrees, abs(s - step), s))

    def tone(self, step: int, index: int) -> int:
        """The chord tone `index` chord tones above (negative: below) the one nearest to `step`."""
        step = self.nearest(step)
        for _ in range(abs(index)):
            step += 1 if index > 0 else -1
            while step % 7 not in self.degrees:
                step += 1 if index > 0 else -1
        return step

    def root_near(self, step: int) -> int:
        """The root nearest to a step."""
        return min(range(step - 3, step + 4), key=lambda s: (s % 7 != self.root, s))


@dataclass(frozen=True)
class Key:
    """A major or minor key.

    >>> Key.named("E minor").pitch(0)
    64
    """

    name: str
    tonic: int
    minor: bool

    @classmethod
    def named(cls, name: str) -> Key:
        """From a name such as "B-flat major"."""
        tonic, mode = name.split()
        return cls(name, _TONICS[tonic], mode == "minor")

    def pitch(self, step: int, chord: Chord | None = None) -> int:
        """MIDI pitch of a step under a chord, moved by octaves into the range of the corpus if necessary."""
        tonic = 60 + (self.tonic if self.tonic <= 6 else self.tonic - 12)
        octave, degree = divmod(step, 7)
        pitch = tonic + 12 * octave + _SCALES[self.minor][degree]
        if chord is not None and degree in chord.raised:
            pitch += 1
        while pitch < LOWEST_PITCH:
            pitch += 12
        while pitch > HIGHEST_PITCH:
            pitch -= 12
        return pitch


def parse_chord(numeral: str, minor: bool) -> Chord:
    """Parse a Roman numeral: "IV", "V7" or an applied dominant such as "V/ii", which has a raised leading tone."""
    function, _, target = numeral.partition("/")
    seventh = function.endswith("7")
    root = _NUMERALS.index(function.rstrip("7").upper())
    if target:
        goal = _NUMERALS.index(target.upper())
        return Chord((goal + 4) % 7, seventh, frozenset({(goal + 6) % 7}))
    return Chord(root, seventh, frozenset({6}) if minor and root == 4 else frozenset())


def section_chords(rng: np.random.Generator, key: Key, bridge: bool) -> list[Chord]:
    """Draw eight chords: an opening and a closing, or a bridge and an opening, which ends on the dominant."""
    first = rng.choice((_BRIDGES if bridge else _OPENINGS)[key.minor])
    second = rng.choice((_OPENINGS if bridge else _CLOSINGS)[key.minor])
    return [parse_chord(numeral, key.minor) for numeral in f"{first} {second}".split()]


@dataclass(frozen=True)
class Motif:
    """A rhythm in beats and, for each of its notes, the distance in steps from the first."""

    rhythm: tuple[float, ...]
    contour: tuple[int, ...]

    @classmethod
    def random(cls, rng: np.random.Generator, rhythm: Sequence[float]) -> Motif:
        """Draw mostly stepwise motion with occasional leaps; after a leap the direction changes."""
        contour, direction = [0], int(rng.choice((-1, 1)))
        while len(contour) < len(rhythm):
            leap = int(rng.choice((1, 1, 1, 2, 3)))
            contour.append(contour[-1] + direction * leap)
            if leap > 1 or rng.random() < 0.3:
                direction = -direction
        return cls(tuple(rhythm), tuple(contour))

    def inverted(self) -> Motif:
        """The same rhythm with inverted intervals."""
        return Motif(self.rhythm, tuple(-step for step in self.contour))

    def varied(self, rng: np.random.Generator) -> Motif:
        """The same rhythm with a different ending."""
        kept = (len(self.contour) + 1) // 2
        end = (step + int(rng.choice((-2, -1, 1, 2))) for step in self.contour[kept:])
        return Motif(self.rhythm, (*self.contour[:kept], *end))

    def steps(self, chord: Chord, anchor: int) -> list[int]:
        """Steps of the motif's notes, from the chord tone nearest to `anchor`; notes on a beat become chord tones."""
        start, beat = chord.nearest(anchor), 0.0
        steps: list[int] = []
        for duration, offset in zip(self.rhythm, self.contour, strict=True):
            step = start + offset
            if beat == round(beat):
                step = chord.nearest(step)
                if steps and step == steps[-1]:  # avoid a repeated note where the motif moves
                    step = chord.tone(step, 1 if start + offset >= steps[-1] else -1)
            steps.append(step)
            beat += duration
        return steps


def place(
    key: Key,
    chord: Chord,
    steps: Sequence[int],
    rhythm: Sequence[float],
    beat: float,
    voice: int,
    legato: float = 1.0,
) -> list[ScoreNote]:
    """Consecutive notes from `beat` on; each lasts `legato` times its written duration."""
    notes = []
    for step, duration in zip(steps, rhythm, strict=True):
        notes.append(ScoreNote(beat, duration * legato, key.pitch(step, chord), voice))
        beat += duration
    return notes


def melody(
    rng: np.random.Generator,
    key: Key,
    chords: Sequence[Chord],
    beats: float,
    rhythms: Sequence[Sequence[float]],
    center: int,
) -> list[ScoreNote]:
    """Write two phrases over four chords each, with two motifs: statement, sequence, contrast, rest; then a variation.

    `beats` is the duration of a chord and of each rhythm; `center` is the step around which the melody moves.
    """
    first, second = (Motif.random(rng, rhythms[i]) for i in rng.choice(len(rhythms), 2, replace=len(rhythms) < 2))
    plan = (first, first, second, None, first, first.varied(rng), second.inverted(), None)
    arc = (0, 1, 2, 0, 1, 3, 2, 0)  # the second phrase climbs higher
    anchor, notes = center + int(rng.integers(-1, 2)), []
    for index, (chord, motif) in enumerate(zip(chords, plan, strict=True)):
        if motif is None:
            step = chord.root_near(anchor) if index == len(plan) - 1 else chord.nearest(anchor)
            rhythm: Sequence[float] = (beats * 0.75,)
            steps = [step]
        else:
            rhythm, steps = motif.rhythm, motif.steps(chord, anchor)
        notes += place(key, chord, steps, rhythm, index * beats, MELODY)
        anchor = round((steps[-1] + center + arc[(index + 1) % len(arc)]) / 2)
    return notes
