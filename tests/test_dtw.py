"""The warping path follows a player whose tempo changes, in audio and in notes, and is strictly increasing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from antiphon.alignment.dtw import Anchor, Warp, onset_products, warp_through
from antiphon.alignment.onset_features import FRAME_HZ, note_frames, sound_frames
from antiphon.io.notes import Notes
from antiphon.rendering.additive import AdditivePiano
from antiphon.signal.onsets import BANDS, Frames
from builders import random_notes

RATE_HZ = 24_000
MEDIAN_S, P95_S = 0.05, 0.1


def changing_tempo(
    rng: np.random.Generator, until_s: float, depth: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Query and library seconds of a player whose tempo oscillates by ± `depth` with periods of 10 to 25 s."""
    time_s = np.arange(0.0, until_s + 1.0, 0.02)
    swing = sum(
        np.sin(2 * np.pi * time_s / period_s + phase)
        for period_s, phase in zip(rng.uniform(10, 25, 3), rng.uniform(0, 2 * np.pi, 3), strict=True)
    )
    tempo = 1 + depth * swing / np.abs(swing).max()
    return time_s, np.concatenate([[0.0], np.cumsum(tempo[:-1]) * 0.02])


@dataclass
class Rubato:
    """Notes, the same notes played with rubato, and the straight line nearest to the true path."""

    written: Notes
    played: Notes
    time_s: NDArray[np.float64]
    written_s: NDArray[np.float64]
    start_s: float
    tempo: float

    def errors_s(self, path: Warp) -> NDArray[np.float64]:
        return np.abs(path.at(self.played.onset_s) - np.interp(self.played.onset_s, self.time_s, self.written_s))

    @property
    def off_line_s(self) -> float:
        """The largest error of the line."""
        return float(np.abs(self.written_s - self.start_s - self.tempo * self.time_s).max())


def rubato(seed: int, until_s: float = 60.0, depth: float = 0.15, lead_s: float = 3.0) -> Rubato:
    """`lead_s` seconds of the notes precede the played part."""
    rng = np.random.default_rng(seed)
    time_s, written_s = changing_tempo(rng, until_s, depth)
    written_s += lead_s
    written = random_notes(rng, int(5 * until_s), float(written_s[-1]))
    excerpt = written.window(lead_s, float(np.interp(until_s, time_s, written_s)) - lead_s)
    begin_s, end_s = (np.interp(at + lead_s, written_s, time_s) for at in (excerpt.onset_s, excerpt.offset_s))
    kept = excerpt.onset_s >= 0
    played = Notes.of(begin_s[kept], (end_s - begin_s)[kept], excerpt.pitch[kept], excerpt.velocity[kept])
    tempo, start_s = np.polyfit(time_s, written_s, 1)
    return Rubato(written, played, time_s, written_s, float(start_s), float(tempo))


def warp(
    query: Frames, library: Frames, library_begin_s: float, start_s: float, tempo: float, band_s: float = 1.0
) -> Warp:
    """The path near the line `start_s + tempo · query seconds`."""
    return warp_through(query, library, library_begin_s, [Anchor(0.0, start_s, tempo)], band_s)


def frames_of(notes: Notes, until_s: float) -> Frames:
    return note_frames(notes, 0.0, until_s)


class TestWarp:
    @pytest.mark.parametrize("seed", range(4))
    def test_follows_notes_played_with_rubato(self, seed: int):
        one = rubato(seed)
        path = warp(frames_of(one.played, 60.0), frames_of(one.written, 75.0), 0.0, one.start_s, one.tempo, 1.5)
        errors_s = one.errors_s(path)
        assert one.off_line_s > 0.3  # the line alone is not accurate enough
        assert np.median(errors_s) <= MEDIAN_S
        assert np.quantile(errors_s, 0.95) <= P95_S

    @pytest.mark.parametrize("seed", [10, 11])
    def test_follows_audio(self, seed: int):
        one = rubato(seed, 40.0)
        query = sound_frames(AdditivePiano(RATE_HZ).render(one.played, 40.5), RATE_HZ, 0.0, 40.0)
        path = warp(query, frames_of(one.written, 55.0), 0.0, one.start_s, one.tempo, 1.5)
        errors_s = one.errors_s(path)
        assert np.median(errors_s) <= MEDIAN_S
        assert np.quantile(errors_s, 0.95) <= P95_S

    def test_follows_a_drifting_tempo_beyond_the_band(self):
        """The drift exceeds the band around the first line many times; each block has a line of its own."""
        rng = np.random.default_rng(5)
        written = random_notes(rng, 1200, 240.0)
        onset_s = 250 * (np.sqrt(1 + 0.96 * written.onset_s / 240) - 1)  # ever slower: from 1.9 s a second on
        played = Notes.of(onset_s, written.duration_s, written.pitch, written.velocity)
        path = warp(frames_of(played, 100.0), frames_of(written, 240.0), 0.0, 0.0, 2.1, 1.0)
        errors_s = np.abs(path.at(onset_s) - written.onset_s)
        assert np.abs(2.1 * onset_s - written.onset_s).max() > 10
        assert np.median(errors_s) <= MEDIAN_S
        assert np.quantile(errors_s, 0.95) <= P95_S

    @pytest.mark.parametrize("start_s", [0.0, 7.0, -4.0])
    def test_of_equal_sides_is_the_line(self, start_s: float):
        notes = random_notes(np.random.default_rng(3), 200, 40.0)
        query, library = note_frames(notes, 10.0, 35.0), note_frames(notes, 10.0 - start_s, 45.0 - start_s)
        path = warp(query, library, 0.0, start_s, 1.0)
        # At its ends the query is cut off and the library is not, so the sides differ there.
        np.testing.assert_allclose(path.library_s, path.query_s + start_s, atol=0.02)
        within = (path.query_s > 1) & (path.query_s < 24)
        np.testing.assert_allclose(path.library_s[within], path.query_s[within] + start_s, atol=1e-9)
        moved = warp(query, library, 100.0, start_s + 100.0, 1.0)
        np.testing.assert_allclose(moved.library_s, path.library_s + 100.0, atol=1e-9)

    @pytest.mark.parametrize(("query", "library"), [(0, 0), (1, 0), (0, 1)])
    def test_without_onsets_is_the_line(self, query: int, library: int):
        sounding = note_frames(random_notes(np.random.default_rng(3), 200, 30.0), 0.0, 30.0)
        path = warp(query * sounding, library * sounding, 2.0, 5.0, 1.2)
        np.testing.assert_allclose(path.query_s, [0.0, 30.0])
        np.testing.assert_allclose(path.library_s, [5.0, 41.0])

    def test_is_straight_through_silence(self):
        one = random_notes(np.random.default_rng(3), 50, 10.0)
        notes = Notes.of(
            np.concatenate([one.onset_s, one.onset_s + 40]),
            np.tile(one.duration_s, 2),
            np.tile(one.pitch, 2),
            np.tile(one.velocity, 2),
        )
        frames = note_frames(notes, 0.0, 52.0)
        path = warp(frames, frames, 0.0, 0.2, 1.0)
        between = (path.query_s > 12) & (path.query_s < 39)
        assert not between.any()
        assert path.at(25.0) == pytest.approx(25.0, abs=0.05)

    @settings(max_examples=25)
    @given(
        seed=st.integers(0, 2**32 - 1),
        frames=st.integers(1, 2500),
        density=st.sampled_from([0.0, 0.001, 0.05, 1.0]),
        start_s=st.floats(-30, 30),
        tempo=st.floats(0.3, 3.0),
        band_s=st.floats(0.02, 2.0),
    )
    def test_is_strictly_increasing(
        self, seed: int, frames: int, density: float, start_s: float, tempo: float, band_s: float
    ):
        rng = np.random.default_rng(seed)
        query, library = (
            (rng.random((count, BANDS)) * (rng.random((count, BANDS)) < density)).astype(np.float32)
            for count in (frames, int(rng.integers(0, 2500)))
        )
        path = warp(query, library, 0.0, start_s, tempo, band_s)
        assert all(two > one for one, two in pairwise(path.query_s))
        assert all(two > one for one, two in pairwise(path.library_s))
        assert (path.query_s[0], path.query_s[-1]) == (0.0, frames / FRAME_HZ)
        at_s = np.linspace(-5, frames / FRAME_HZ + 5, 50)
        np.testing.assert_allclose(path.inverse(path.at(at_s)), at_s, atol=1e-6)

    def test_rejects_bad_arguments(self):
        some, none = np.ones((10, BANDS), np.float32), np.zeros((0, BANDS), np.float32)
        with pytest.raises(ValueError, match="a query with frames"):
            warp(none, some, 0.0, 0.0, 1.0)
        with pytest.raises(ValueError, match="at least one anchor"):
            warp_through(some, some, 0.0, [])
        for tempo, band_s in ((0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (float("nan"), 1.0)):
            with pytest.raises(ValueError, match="must be positive"):
                warp(some, some, 0.0, 0.0, tempo, band_s)


class TestAnchors:
    def test_keep_the_path_where_one_line_would_lose_it(self):
        one = rubato(20, 90.0, depth=0.3)
        query, library = frames_of(one.played, 90.0), frames_of(one.written, 125.0)
        anchors = [
            Anchor(at_s, float(np.interp(at_s, one.time_s, one.written_s)), one.tempo)
            for at_s in (5.0, 30.0, 55.0, 80.0)
        ]
        errors_s = one.errors_s(warp_through(query, library, 0.0, anchors, 2.0))
        assert np.median(errors_s) <= MEDIAN_S
        assert np.quantile(errors_s, 0.95) <= P95_S

    def test_agreement_separates_equal_from_unrelated_music(self):
        rng = np.random.default_rng(8)
        same, other, silent = (random_notes(rng, count, 20.0) for count in (100, 100, 0))
        query = np.concatenate([note_frames(notes, 0.0, 20.0) for notes in (same, other, silent)])
        library = np.concatenate(
            [note_frames(notes, 0.0, 20.0) for notes in (same, random_notes(rng, 100, 20.0), silent)]
        )
        products = onset_products(query, library, 0.0, Warp(np.array([0.0, 60.0]), np.array([0.0, 60.0])))
        assert len(products.query_s) == 60 * products.rate_hz
        agreement = [
            products.common[part].sum() / products.energy[part].sum()
            for part in (slice(begin * products.rate_hz, (begin + 4) * products.rate_hz) for begin in range(0, 36, 4))
        ]
        assert min(agreement[:5]) > 0.95
        assert max(agreement[5:]) < 0.4
        assert not products.energy[45 * products.rate_hz :].any()
