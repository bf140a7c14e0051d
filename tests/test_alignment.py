"""Onset features, local alignment, votes for candidates, score normalisation, chains and confidence."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.alignment.candidates import CELL_S, Candidate, suppress_neighbours, vote
from antiphon.alignment.chaining import ChainLinks, Link, chains, follows, total_evidence
from antiphon.alignment.confidence import FEATURES, confidence, evidence_for, features_of, log_prior, sufficiency
from antiphon.alignment.local_alignment import MARGIN_S, NEAR_TEMPO, LocalAlignment, TempoSearch, region_s
from antiphon.alignment.onset_features import FRAME_HZ, note_frames, sound_frames
from antiphon.alignment.score_normalisation import chance_score, normalised_links
from antiphon.index.query import audio_frames
from antiphon.io.notes import Notes
from antiphon.rendering.additive import AdditivePiano
from antiphon.signal.onsets import BANDS, LOWEST_PITCH, Frames, transpose
from builders import random_notes
from helpers import sine, write_sine

RATE_HZ = 24_000


@pytest.fixture(scope="module")
def notes() -> Notes:
    return random_notes(np.random.default_rng(3), 400, until_s=60.0)


@pytest.fixture(scope="module")
def sound(notes: Notes) -> NDArray[np.float32]:
    return AdditivePiano(RATE_HZ).render(notes, 60.0)


def played(notes: Notes, tempo: float) -> Notes:
    """The notes at `tempo` times the speed."""
    return Notes.of(notes.onset_s / tempo, notes.duration_s / tempo, notes.pitch, notes.velocity)


class TestOnsetFeatures:
    def test_are_zero_beyond_the_end_of_a_file(self, tmp_path: Path):
        path = write_sine(tmp_path / "a.wav", 5.0)
        np.testing.assert_array_equal(audio_frames(path, RATE_HZ, 7.0, 9.0), np.zeros((2 * FRAME_HZ, BANDS)))
        assert audio_frames(path, RATE_HZ, 4.0, 6.0).shape == (2 * FRAME_HZ, BANDS)

    def test_of_notes_and_of_their_audio_are_simultaneous(self, notes: Notes, sound: NDArray[np.float32]):
        from_audio, from_notes = sound_frames(sound, RATE_HZ, 5.0, 25.0), note_frames(notes, 5.0, 25.0)
        assert from_audio.shape == from_notes.shape == (20 * FRAME_HZ, BANDS)
        lags = range(-8, 9)
        similarity = [float((np.roll(from_audio, lag, axis=0) * from_notes).sum()) for lag in lags]
        assert abs(lags[int(np.argmax(similarity))]) <= 1

    def test_do_not_depend_on_the_start_of_the_cut(self, notes: Notes, sound: NDArray[np.float32]):
        for frames in (lambda *cut: sound_frames(sound, RATE_HZ, *cut), lambda *cut: note_frames(notes, *cut)):
            np.testing.assert_allclose(frames(10.0, 20.0)[100:400], frames(12.0, 18.0), atol=1e-4)

    def test_are_zero_before_the_begin_and_beyond_the_end(self, notes: Notes, sound: NDArray[np.float32]):
        for frames in (sound_frames(sound, RATE_HZ, -4.0, 2.0), note_frames(notes, -4.0, 2.0)):
            assert len(frames) == 6 * FRAME_HZ
            assert not frames[: 3 * FRAME_HZ].any()
            assert frames[4 * FRAME_HZ :].any()
        for frames in (sound_frames(sound, RATE_HZ, 70.0, 74.0), note_frames(notes, 70.0, 74.0)):
            assert frames.shape == (4 * FRAME_HZ, BANDS)
            assert not frames.any()

    def test_of_a_note_lie_in_the_band_of_its_pitch(self):
        one = note_frames(Notes.of([1.0], [0.5], [69], [100]), 0.0, 2.0)
        when, band = np.unravel_index(int(np.argmax(one)), one.shape)
        assert band == 69 - LOWEST_PITCH
        assert when / FRAME_HZ == pytest.approx(1.0, abs=0.08)
        assert not sound_frames(sine(3.0, level=0.0), RATE_HZ, 0.0, 3.0).any()

    def test_are_transposed_as_the_notes_are(self, notes: Notes):
        higher = Notes.of(notes.onset_s, notes.duration_s, notes.pitch + 5, notes.velocity)
        moved = transpose(note_frames(notes, 0.0, 10.0), 5)
        # Harmonics enter from below the lowest band; the rest is equal.
        np.testing.assert_allclose(moved[:, 40:], note_frames(higher, 0.0, 10.0)[:, 40:], atol=1e-6)
        assert not moved[:, :5].any()
        np.testing.assert_array_equal(transpose(moved, -5)[:, : BANDS - 5], note_frames(notes, 0.0, 10.0)[:, :-5])


def aligned(query: Frames, library: Notes, start_s: float, tempo: float = 1.0) -> LocalAlignment:
    """The local alignment of a query near a candidate."""
    region = region_s(start_s, len(query) / FRAME_HZ, tempo)
    return TempoSearch(query, tempo).align([note_frames(library, *region)], [region[0]])[0]


class TestLocalAlignment:
    @pytest.mark.parametrize("tempo", [0.72, 0.9, 1.0, 1.06, 1.3])
    @pytest.mark.parametrize("side", ["sound", "notes"])
    def test_finds_start_and_tempo(self, notes: Notes, tempo: float, side: str):
        """A query second is `tempo` library seconds."""
        start_s, length_s = 20.4, 10.0
        faster = played(notes, tempo).window(start_s / tempo, length_s)
        if side == "sound":
            query = sound_frames(AdditivePiano(RATE_HZ).render(faster, length_s), RATE_HZ, 0.0, length_s)
        else:
            query = note_frames(faster, 0.0, length_s)
        expected = min((0.75, 1.0, 1.3), key=lambda one: abs(np.log(one / tempo)))
        alignment = aligned(query, notes, start_s + 0.4, expected)
        assert alignment.start_s == pytest.approx(start_s, abs=0.1)
        assert alignment.tempo == pytest.approx(tempo, rel=0.015)
        assert alignment.score > (0.3 if side == "sound" else 0.8)

    def test_has_a_low_score_for_unrelated_music(self, notes: Notes):
        other = random_notes(np.random.default_rng(4), 400, until_s=60.0)
        assert aligned(note_frames(notes, 20.0, 30.0), other, 20.0).score < 0.3

    def test_score_is_the_cosine_of_the_definition(self, notes: Notes):
        """Typed from the definition: both sides along the line, the mean of each band subtracted."""
        query, region = note_frames(notes, 20.0, 26.0), region_s(22.0, 6.0, 1.0)
        library = note_frames(notes, *region)
        alignment = TempoSearch(query, 1.0).align([library], [region[0]])[0]
        first, length = round((alignment.start_s - region[0]) * FRAME_HZ), round(len(query) * alignment.tempo)
        along = query[np.minimum(np.rint(np.arange(length) / alignment.tempo).astype(int), len(query) - 1)]
        along = along - along.mean(axis=0)
        across = library[first : first + length]
        across = across - across.mean(axis=0)
        cosine = (along * across).sum() / np.linalg.norm(along) / np.linalg.norm(across)
        assert alignment.score == pytest.approx(float(cosine), abs=1e-4)

    def test_of_several_regions_equals_that_of_each(self, notes: Notes):
        query = note_frames(notes, 20.0, 30.0)
        regions = [region_s(start_s, 10.0, 1.0) for start_s in (5.0, 19.5, 40.0)]
        together = TempoSearch(query, 1.0).align(
            [note_frames(notes, *one) for one in regions], [one[0] for one in regions]
        )
        assert [alignment.start_s for alignment in together] == [
            aligned(query, notes, start_s).start_s for start_s in (5.0, 19.5, 40.0)
        ]
        assert together[1] == LocalAlignment(
            pytest.approx(20.0, abs=0.03), 1.0, pytest.approx(1.0, abs=0.1), together[1].pairs
        )
        assert together[1].pairs > 6

    def test_rejects_regions_longer_than_the_limits(self, notes: Notes):
        assert TempoSearch(note_frames(notes, 0.0, 5.0), 1.0).align([], []) == []
        with pytest.raises(ValueError, match="longer than the limits of region_s"):
            TempoSearch(note_frames(notes, 0.0, 5.0), 1.0).align([note_frames(notes, 0.0, 20.0)], [0.0])

    @pytest.mark.parametrize("frames", [150, 151, 152, 153])
    def test_reaches_the_last_frame_of_a_region(self, notes: Notes, frames: int):
        """The longest line begins where the region has just enough frames left for it."""
        query = note_frames(notes, 20.0, 20.0 + frames / FRAME_HZ)
        longest = round(frames * NEAR_TEMPO)
        for length in range(longest, longest + 6):
            region = np.zeros((length, BANDS), np.float32)
            region[-1] = 1.0
            alignment = TempoSearch(query, 1.0).align([region], [0.0])[0]
            assert 0 <= alignment.start_s <= length / FRAME_HZ
            assert np.isfinite(alignment.score)

    def test_region_covers_the_margin_and_the_largest_tempo(self):
        begin_s, end_s = region_s(5.0, 10.0, 1.0)
        assert begin_s == pytest.approx(5.0 - MARGIN_S)
        assert end_s == pytest.approx(5.0 + 10.0 * NEAR_TEMPO + MARGIN_S)

    def test_of_silence_has_a_score_of_zero(self, notes: Notes):
        nothing: Frames = np.zeros((500, BANDS), np.float32)
        assert aligned(nothing, notes, 5.0).score == pytest.approx(0.0, abs=1e-6)
        assert aligned(note_frames(notes, 5.0, 15.0), Notes.of([], [], [], []), 5.0).score == pytest.approx(
            0.0, abs=1e-6
        )


def candidates_of(
    windows: int, neighbours: dict[int, list[tuple[int, float, float]]], tempo: float = 1.0, limit: int = 10
) -> list[Candidate]:
    """Candidates of windows one second apart; `neighbours` are (recording, library second, cosine) by window."""
    nearest = max((len(found) for found in neighbours.values()), default=1)
    cosine = np.full((windows, nearest), -1.0, np.float32)
    recording = np.full((windows, nearest), -1)
    library_s = np.zeros((windows, nearest))
    for window, found in neighbours.items():
        for rank, (owner, start_s, similarity) in enumerate(found):
            cosine[window, rank], recording[window, rank], library_s[window, rank] = similarity, owner, start_s
    return vote(np.arange(windows, dtype=float), cosine, recording, library_s, tempo, 0, limit)


class TestCandidates:
    def test_neighbours_on_one_line_vote_for_one_candidate(self):
        best = candidates_of(4, {n: [(7, 30.0 + n, 0.8), (n, 5.0, 0.9)] for n in range(4)})[0]
        assert (best.recording, best.start_s, best.tempo) == (7, 30.0, 1.0)
        assert best.votes == pytest.approx(0.8)

    @pytest.mark.parametrize("tempo", [0.75, 1.3])
    def test_votes_follow_the_tempo(self, tempo: float):
        best = candidates_of(5, {n: [(2, 12.0 + tempo * n, 0.6)] for n in range(5)}, tempo)[0]
        assert (best.recording, best.start_s, best.tempo) == (2, 12.0, tempo)
        assert best.votes == pytest.approx(0.6)

    def test_votes_count_less_in_adjacent_cells_and_once_per_window(self):
        adjacent = candidates_of(2, {0: [(1, 10.0, 0.8)], 1: [(1, 11.0 + CELL_S, 0.8)]})[0]
        assert adjacent.votes == pytest.approx((0.8 + 0.7 * 0.8) / 2)
        twice = candidates_of(2, {0: [(1, 10.0, 0.8), (1, 10.1, 0.7), (1, 9.9, 0.6)]})[0]
        assert twice.votes == pytest.approx(0.4)

    def test_windows_without_neighbours_have_none(self):
        assert candidates_of(3, {}) == []

    def test_neighbours_of_better_ones_are_suppressed(self):
        near = [Candidate(1, 10.0, 1.0, 0, 0.5), Candidate(1, 10.5, 1.0, 0, 0.6), Candidate(2, 10.0, 1.0, 0, 0.4)]
        far = Candidate(1, 12.0, 1.0, 0, 0.3)
        assert suppress_neighbours([*near, far], 10) == [near[1], near[2], far]
        assert suppress_neighbours([*near, far], 2) == [near[1], near[2]]


def link(stretch: int, start_s: float, evidence: float = 1.0, recording: int = 0, tempo: float = 1.0) -> Link:
    return Link(stretch, 10.0 * stretch, 10.0, recording, 0, start_s, tempo, evidence, evidence)


class TestChains:
    def test_continue_from_stretch_to_stretch(self):
        right = [link(n, 50.0 + 10.0 * n) for n in range(4)]
        unconnected = [link(n, 200.0 - 30.0 * n, 1.2) for n in range(4)]
        best = chains([*unconnected, *right], 10)[0]
        assert list(best) == right
        assert total_evidence(best) == 4.0

    def test_change_tempo_by_at_most_a_factor_and_never_jump(self):
        slower = link(1, 62.0, tempo=1.2)
        assert follows(link(0, 50.0, tempo=1.15), slower)
        assert not follows(link(0, 50.0, tempo=0.8), slower)
        assert not follows(link(0, 55.0, tempo=1.15), slower)
        assert not follows(slower, slower)

    def test_skip_up_to_three_stretches(self):
        assert len(chains([link(0, 0.0), link(4, 40.0)], 1)[0]) == 2
        assert len(chains([link(0, 0.0), link(5, 50.0)], 1)[0]) == 1

    def test_of_a_piece_with_a_repeat_are_several(self):
        first = [link(n, 10.0 * n) for n in range(3)]
        again = [link(n, 100.0 + 10.0 * n, 0.9) for n in range(3)]
        elsewhere = [link(n, 10.0 * n, 0.5, recording=1) for n in range(3)]
        found = chains([*again, *elsewhere, *first], 3)[:3]
        assert [list(chain) for chain in found] == [first, again, elsewhere]

    def test_of_a_query_with_two_pieces_are_one_per_piece(self):
        links = [link(0, 30.0), link(1, 40.0), link(2, 5.0, recording=3), link(3, 15.0, recording=3)]
        assert [{one.recording for one in chain} for chain in chains(links, 2)[:2]] == [{0}, {3}]

    def test_of_no_links_are_none(self):
        assert chains([], 5) == []

    @pytest.mark.parametrize("limit", [1, 3, 40])
    def test_of_links_added_stretch_by_stretch_are_the_same(self, limit: int):
        """Also where the links without evidence that are too late for a chain are not kept."""
        rng = np.random.default_rng(limit)
        stretches = [
            [
                link(n, rng.choice([10.0 * n, 10.0 * n + 30, rng.uniform(0, 900)]) + rng.normal(0, 0.2), evidence, one)
                for one in range(3)
                for evidence in rng.choice([0.0, 0.0, 0.1, 0.3], 6)
            ]
            for n in range(60)
        ]
        together = ChainLinks(limit)
        for links in stretches:
            together.add(links)
        expected = chains([one for links in stretches for one in links], limit)
        assert together.chains() == expected
        assert len(expected) == 3 * limit
        assert [total_evidence(chain) for chain in expected] == sorted(map(total_evidence, expected), reverse=True)

    def test_of_ten_hours_are_found(self):
        """A query of 3000 stretches that one recording holds from start to end, among links by chance."""
        rng = np.random.default_rng(0)
        by_chance = [link(n, rng.uniform(0, 36_000), rng.choice([0.0, 0.1])) for n in range(3000) for _ in range(10)]
        right = [link(n, 10.0 * n) for n in range(3000)]
        assert list(chains([*by_chance, *right], 40)[0]) == right


def alignments(*scores: float, start_s: float = 0.0, apart_s: float = 5.0) -> list[tuple[Candidate, LocalAlignment]]:
    """Local alignments with these scores in one recording, `apart_s` seconds apart."""
    starts_s = [start_s + apart_s * number for number in range(len(scores))]
    return [
        (Candidate(3, at_s, 1.0, 2, 0.5), LocalAlignment(at_s, 1.0, score, 5.0))
        for at_s, score in zip(starts_s, scores, strict=True)
    ]


def normalise(
    stretch: int, begin_s: float, length_s: float, aligned: list[tuple[Candidate, LocalAlignment]]
) -> list[Link]:
    return normalised_links(stretch, begin_s, length_s, aligned, chance_score(aligned))


class TestScoreNormalisation:
    CHANCE = (0.08, 0.09, 0.10, 0.11, 0.12)  # median 0.10, median deviation 0.01

    def test_evidence_is_the_score_above_chance(self):
        best, *rest = normalise(4, 12.0, 6.0, alignments(*self.CHANCE, 0.5))
        assert (best.stretch, best.query_s, best.length_s, best.recording, best.semitones) == (4, 12.0, 6.0, 3, 2)
        assert (best.start_s, best.score) == (25.0, 0.5)
        # The median is 0.105; that of the deviations 0.005, 0.005, 0.015, 0.015, 0.025 and 0.395 is 0.015.
        assert best.evidence == pytest.approx(0.5 - 0.105 - 2 * 1.4826 * 0.015)
        assert [one.evidence for one in rest] == [0.0] * 5
        assert [one.score for one in rest] == sorted(self.CHANCE, reverse=True)

    def test_each_repeat_of_a_passage_has_evidence(self):
        twice = normalise(0, 0.0, 6.0, alignments(*self.CHANCE, 0.5, 0.5))
        assert [one.evidence > 0.3 for one in twice] == [True, True, *[False] * 5]

    def test_keeps_the_best_alignment_of_a_place(self):
        near = normalise(0, 0.0, 6.0, [*alignments(0.4, 0.5, apart_s=0.2), *alignments(0.1, start_s=9.0)])
        assert [(one.start_s, one.score) for one in near] == [(0.2, 0.5), (9.0, 0.1)]

    def test_of_no_alignments_gives_no_links(self):
        assert normalise(0, 0.0, 6.0, []) == []


class TestConfidence:
    def test_grows_with_the_evidence_of_a_chain(self):
        weak, strong = (link(0, 0.0, evidence) for evidence in (0.05, 0.3))
        assert confidence(evidence_for((weak,), 1)) < 0.2
        assert confidence(evidence_for((strong,), 1)) > 0.95
        assert evidence_for((strong, link(1, 10.0, 0.3)), 2) > evidence_for((strong,), 1)

    def test_falls_with_the_number_of_stretches_of_the_query(self):
        chain = (link(0, 0.0, 0.2),)
        assert evidence_for(chain, 1) > evidence_for(chain, 2) > evidence_for(chain, 300)

    def test_falls_with_the_distance_from_the_tempo_of_the_library(self):
        priors = [log_prior((link(0, 0.0, tempo=tempo),)) for tempo in (1.0, 1.02, 1.2, 2.0)]
        assert priors[0] == 0.0
        assert priors == sorted(priors, reverse=True)
        assert priors[1] > -1.0
        assert log_prior((link(0, 0.0, tempo=0.5),)) == pytest.approx(priors[-1])
        there_and_back = link(0, 0.0, tempo=1.25), link(1, 10.0, tempo=0.8)
        assert log_prior(there_and_back) == pytest.approx(0.0)

    @pytest.mark.parametrize(("notes", "none", "half", "enough"), [(False, 0.0, 0.5, 1.0), (True, 3.0, 6.5, 10.0)])
    def test_counts_in_so_far_as_different_onsets_agree(self, notes: bool, none: float, half: float, enough: float):
        chains = [(replace(link(0, 0.0, 0.9), pairs=pairs),) for pairs in (0.0, none, half, enough, math.inf)]
        assert [sufficiency(chain, notes) for chain in chains] == [0.05, 0.05, 0.5, 1.0, 1.0]
        # A perfect match of one onset is nothing.
        assert confidence(evidence_for((replace(link(0, 0.0, 1.0), pairs=0.0),), 1, notes)) < 0.1
        assert confidence(evidence_for(chains[3], 1, notes)) > 0.99
        # The pairs of all links count together.
        assert sufficiency((*chains[2], *chains[2]), notes) == 1.0

    def test_is_a_probability_for_any_evidence(self):
        assert [confidence(evidence) for evidence in (-1e9, 0.0, 1e9)] == pytest.approx([0.0, 0.5, 1.0])


def test_every_feature_of_the_confidence_has_a_coefficient():
    assert len(FEATURES) == len(features_of([link(0, 1.0)], 4))
    assert all(FEATURES.values())
