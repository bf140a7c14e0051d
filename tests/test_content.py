"""How much there is to compare: counts of onsets, of different ones, and of those that agree along a line."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.alignment.content import OnsetAgreement, content_of, effective_number, onset_positions
from antiphon.alignment.onset_features import FRAME_HZ, note_frames, sound_frames
from antiphon.io.notes import Notes
from builders import RATE_HZ, random_notes
from helpers import scale, sine


def repeated(pitches: list[int], times: int, period_s: float = 0.5) -> Notes:
    """These pitches in turn, `times` times each."""
    count = len(pitches) * times
    return Notes.of(np.arange(count) * period_s, np.full(count, 0.3), np.tile(pitches, times), np.full(count, 80))


def test_onsets_are_where_the_notes_begin():
    at_s = onset_positions(note_frames(scale(6), 0.0, 4.0)) / FRAME_HZ
    np.testing.assert_allclose(at_s, np.arange(6) / 2, atol=0.06)
    assert not len(onset_positions(np.zeros((100, 96), np.float32)))


@pytest.mark.parametrize(
    ("weights", "number"), [((1, 1, 1), 3.0), ((1, 1, 0), 2.0), ((1, 0, 0), 1.0), ((0, 0, 0), 0.0)]
)
def test_effective_number_of_orthogonal_vectors(weights: tuple[int, ...], number: float):
    assert effective_number(np.diag(weights).astype(float)) == pytest.approx(number)


def test_effective_number_is_the_participation_ratio_of_the_eigenvalues():
    vectors = np.random.default_rng(0).normal(size=(7, 20))
    eigenvalues = np.linalg.eigvalsh(vectors @ vectors.T)
    assert effective_number(vectors) == pytest.approx(eigenvalues.sum() ** 2 / np.square(eigenvalues).sum())


@pytest.mark.parametrize(("pitches", "distinct"), [([60], 1.0), ([60, 65], 2.0), ([60, 61, 62, 63], 4.0)])
def test_repeated_notes_are_not_different_ones(pitches: list[int], distinct: float):
    content = content_of(note_frames(repeated(pitches, 12 // len(pitches)), 0.0, 6.5))
    assert content.onsets == 12
    assert content.distinct == pytest.approx(distinct, rel=0.1)
    assert content.is_too_little == (len(pitches) == 1)


def clicks() -> NDArray[np.float32]:
    samples = np.zeros(10 * RATE_HZ, np.float32)
    samples[RATE_HZ // 2 :: RATE_HZ // 2] = 0.9
    return samples


@pytest.mark.parametrize("samples", [sine(10.0), clicks()], ids=["a tone", "a metronome"])
def test_tones_and_clicks_are_too_little(samples: NDArray[np.float32]):
    assert content_of(sound_frames(samples, RATE_HZ, 0.0, 10.0)).is_too_little


@pytest.mark.parametrize("count", [0, 1])
def test_a_single_onset_is_too_little(count: int):
    assert content_of(note_frames(scale(count), 0.0, 4.0)).is_too_little
    assert not content_of(note_frames(scale(2), 0.0, 4.0)).is_too_little


class TestAgreement:
    @pytest.mark.parametrize("count", [1, 2, 3, 5])
    def test_of_different_notes_with_themselves_is_all_their_pairs(self, count: int):
        frames = note_frames(scale(count), 0.0, 4.0)
        (pairs,) = OnsetAgreement(frames).pairs(frames[None], [0], [1.0])
        assert pairs == pytest.approx(count * (count - 1), abs=0.15 * count)

    @pytest.mark.parametrize(("pitches", "expected"), [([60], 0.0), ([60, 65], 4.0), ([60, 61, 62], 12.0)])
    def test_counts_a_note_that_repeats_at_most_twice(self, pitches: list[int], expected: float):
        frames = note_frames(repeated(pitches, 12 // len(pitches)), 0.0, 6.5)
        (pairs,) = OnsetAgreement(frames).pairs(frames[None], [0], [1.0])
        assert pairs == pytest.approx(expected, rel=0.15, abs=0.01)

    def test_follows_the_tempo_and_the_start_of_the_line(self):
        notes = random_notes(np.random.default_rng(2), 30, 10.0)
        slower = Notes.of(notes.onset_s * 1.25 + 1.0, notes.duration_s, notes.pitch, notes.velocity)
        library = np.stack([note_frames(slower, 0.0, 14.0)] * 2)
        agreement = OnsetAgreement(note_frames(notes, 0.0, 10.0))
        right, wrong = agreement.pairs(library, [FRAME_HZ, FRAME_HZ], [1.25, 1.0])
        assert right > 5 * wrong

    def test_of_other_music_is_small(self):
        query, other = (note_frames(random_notes(np.random.default_rng(s), 30, 10.0), 0.0, 10.0) for s in (3, 4))
        own, unrelated = OnsetAgreement(query).pairs(np.stack([query, other]), [0, 0], [1.0, 1.0])
        assert unrelated < own / 5

    def test_without_onsets_is_zero(self):
        silence = np.zeros((200, 96), np.float32)
        assert OnsetAgreement(silence).pairs(silence[None], [0], [1.0]).tolist() == [0.0]
