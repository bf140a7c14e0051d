"""The demo composer: pieces are playable and reproducible, and works differ more than performances of one work."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest

from antiphon.corpora.synthetic.composer import COMPOSERS, Piece, compose_demo, perform
from antiphon.corpora.synthetic.harmony import Chord, Key, Motif, parse_chord
from antiphon.corpora.synthetic.styles import STYLES, Score, write_score


@pytest.fixture(scope="module")
def pieces() -> list[Piece]:
    return compose_demo()


def works(pieces: list[Piece]) -> dict[tuple[str, str], list[Piece]]:
    by_work: dict[tuple[str, str], list[Piece]] = defaultdict(list)
    for piece in pieces:
        by_work[piece.composer, piece.title].append(piece)
    return by_work


def equal(one: Piece, other: Piece) -> bool:
    columns = ("onset_s", "duration_s", "pitch", "velocity")
    return all(np.array_equal(getattr(one.notes, name), getattr(other.notes, name)) for name in columns) and (
        np.array_equal(one.pedal_s, other.pedal_s)
    )


def figures(score: Score) -> set[tuple[int, ...]]:
    """All sequences of six successive intervals in the written notes, independent of the key."""
    interval = np.diff([note.pitch for note in score.notes])
    return set(map(tuple, np.lib.stride_tricks.sliding_window_view(interval, 6).tolist()))


def test_corpus_has_its_size_and_splits(pieces: list[Piece]) -> None:
    by_work = works(pieces)
    assert len(pieces) >= 36
    assert len(by_work) >= 30
    assert sum(len(takes) == 2 for takes in by_work.values()) == 6
    splits = Counter(piece.split for piece in pieces)
    assert splits.keys() == {"train", "validation", "test"}
    assert splits["train"] >= 24
    assert min(splits["validation"], splits["test"]) >= 6
    composers = {composer.name for composer in COMPOSERS}
    for split in splits:
        assert {piece.composer for piece in pieces if piece.split == split} == composers


def test_a_work_stays_in_one_split_and_its_players_differ(pieces: list[Piece]) -> None:
    for takes in works(pieces).values():
        assert len({piece.split for piece in takes}) == 1
        assert len({piece.performer for piece in takes}) == len(takes)


def test_pieces_depend_only_on_the_seed(pieces: list[Piece]) -> None:
    again, other = compose_demo(0), compose_demo(1)
    assert all(equal(one, two) for one, two in zip(pieces, again, strict=True))
    assert not any(equal(one, two) for one, two in zip(pieces, other, strict=True))
    assert [piece.title for piece in pieces] == [piece.title for piece in other]


def test_a_new_composer_does_not_change_other_pieces(pieces: list[Piece], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.corpora.synthetic.composer.COMPOSERS", COMPOSERS[:2])
    fewer = compose_demo()
    assert len(fewer) == 12
    assert all(equal(one, two) for one, two in zip(pieces, fewer, strict=False))


@pytest.mark.parametrize("seed", range(4))
def test_pieces_are_playable(seed: int) -> None:
    for piece in compose_demo(seed):
        notes = piece.notes
        assert 30 <= notes.end_s <= 50, piece.title
        assert 0.2 <= notes.onset_s[0] <= 1.0, piece.title
        assert (np.diff(notes.onset_s) >= 0).all()
        assert notes.pitch.min() >= 24
        assert notes.pitch.max() <= 105
        assert notes.velocity.min() >= 20
        assert notes.velocity.max() <= 120
        assert notes.duration_s.min() > 0.02
        for pitch in np.unique(notes.pitch):
            same = notes.pitch == pitch
            assert (notes.offset_s[same][:-1] < notes.onset_s[same][1:]).all(), (piece.title, pitch)


def test_pedal_intervals_are_ordered_and_follow_the_style(pieces: list[Piece]) -> None:
    for piece in pieces:
        assert piece.pedal_s.dtype == np.float64
        assert piece.pedal_s.shape[1:] == (2,)
        genre = piece.title.split()[0]
        assert (len(piece.pedal_s) > 0) == STYLES[genre].pedal
        assert (np.diff(piece.pedal_s.ravel()) > 0).all(), piece.title
        assert (piece.pedal_s >= 0).all()
    assert sum(len(piece.pedal_s) > 0 for piece in pieces) >= 10


def test_two_performances_share_the_notes_but_not_the_times(pieces: list[Piece]) -> None:
    pairs = [takes for takes in works(pieces).values() if len(takes) == 2]
    assert pairs
    for one, other in pairs:
        first, second = Counter(one.notes.pitch.tolist()), Counter(other.notes.pitch.tolist())
        shared = (first & second).total()
        assert shared >= 0.9 * max(first.total(), second.total()), one.title
        count = min(len(one.notes), len(other.notes))
        apart_s = np.abs(one.notes.onset_s[:count] - other.notes.onset_s[:count])
        assert np.median(apart_s) > 0.1, one.title
        assert abs(float(one.notes.velocity.mean()) - float(other.notes.velocity.mean())) > 0.01


def test_works_are_not_transpositions_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[int, Score] = {}

    def keep(score: Score, *rest: Any) -> Any:
        written[id(score)] = score
        return perform(score, *rest)

    monkeypatch.setattr("antiphon.corpora.synthetic.composer.perform", keep)
    compose_demo()
    assert len(written) >= 30
    for (one, a), (other, b) in itertools.combinations([(s, figures(s)) for s in written.values()], 2):
        shared = len(a & b) / min(len(a), len(b))
        assert shared < 0.5, (one.style.genre, one.key.name, other.style.genre, other.key.name, shared)


def test_sections_with_the_same_letter_are_equal() -> None:
    for genre, style in STYLES.items():
        score = write_score(np.random.default_rng(3), style, Key.named("G major"))
        section = 8 * style.beats_per_chord
        last_a = style.form.rindex("A") * section
        first = {(n.onset_beat, n.pitch) for n in score.notes if n.onset_beat < section}
        repeat = {
            (round(n.onset_beat - last_a, 6), n.pitch) for n in score.notes if last_a <= n.onset_beat < last_a + section
        }
        assert first == repeat, genre


@pytest.mark.parametrize(
    ("numeral", "minor", "chord"),
    [
        ("IV", False, Chord(3)),
        ("V7", True, Chord(4, True, frozenset({6}))),
        ("V/V", False, Chord(1, False, frozenset({3}))),
        ("ii", True, Chord(1)),
    ],
)
def test_roman_numerals(numeral: str, minor: bool, chord: Chord) -> None:
    assert parse_chord(numeral, minor) == chord


def test_chords_have_the_pitches_of_their_names() -> None:
    minor = Key.named("E minor")
    dominant = parse_chord("V7", minor=True)
    root = dominant.root_near(0)
    assert [minor.pitch(dominant.tone(root, k), dominant) % 12 for k in range(4)] == [
        11,
        3,
        6,
        9,
    ]  # B D♯ F♯ A
    major = Key.named("B-flat major")
    applied = parse_chord("V/ii", minor=False)
    root = applied.root_near(7)
    assert [major.pitch(applied.tone(root, k), applied) % 12 for k in range(3)] == [7, 11, 2]  # G B♮ D


def test_a_motif_keeps_its_rhythm_and_has_chord_tones_on_beats() -> None:
    motif = Motif.random(np.random.default_rng(0), (0.5, 0.5, 1))
    chord = Chord(4)
    for version in (motif, motif.inverted(), motif.varied(np.random.default_rng(1))):
        assert version.rhythm == motif.rhythm
        steps = version.steps(chord, anchor=5)
        assert steps[0] % 7 in chord.degrees
        assert steps[2] % 7 in chord.degrees
    assert motif.inverted().inverted() == motif
