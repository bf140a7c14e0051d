"""Embedding at another tempo and transposed undoes a performance at them; as recorded, nothing changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from antiphon.corpora.segment_table import at_playback
from antiphon.errors import AntiphonError
from antiphon.io.notes import Notes
from antiphon.models.arms import find_arm
from antiphon.models.batch import Batch
from antiphon.models.embedder import ModelEmbedder
from antiphon.models.loading import load_model
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.models.sizes import Sizes
from antiphon.models.towers import Elasticity, constant_q
from antiphon.models.towers.constant_q import ConstantQFrames, half_rate
from antiphon.models.towers.convolutional import level_normalised
from antiphon.models.towers.spectrogram import MelFrames
from antiphon.rendering.additive import AdditivePiano
from antiphon.signal.spectra import power_spectrum
from antiphon.training.presets import find_preset
from antiphon.types import AS_RECORDED, Playback
from builders import RATE_HZ, WINDOW, random_batch, random_notes

STARTS = np.array([0.0, 2.5, 5.3])
MELS: dict[str, Any] = {"bands": 64, "n_fft": 1024, "hop": 480, "sample_rate_hz": RATE_HZ, "f_min_hz": 40.0}
CHANGED = [Playback(0.8), Playback(1.3), Playback(1.0, 3), Playback(1.0, -3), Playback(1.4, -6), Playback(0.7, 6)]


@pytest.fixture(scope="module", params=["default", "template"])
def embedder(request: pytest.FixtureRequest):
    return load_model(request.param)


@pytest.fixture(scope="module")
def piece() -> Notes:
    return random_notes(np.random.default_rng(0), 60, 9.0)


@pytest.fixture(scope="module")
def piano() -> AdditivePiano:
    return AdditivePiano(RATE_HZ)


def undone(notes: Notes, playback: Playback) -> Notes:
    """Notes that equal `notes` at `playback`."""
    return at_playback(notes, Playback(1 / playback.tempo, -playback.semitones))


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    return (left * right).sum(axis=1)


def constant_q_frames(bands_per_octave: int = 24) -> ConstantQFrames:
    return ConstantQFrames(bands_per_octave, 8, 27.5, 1024, 3, 480, RATE_HZ)


def batch_at(audio: torch.Tensor, playback: Playback) -> Batch:
    return Batch(audio, random_batch().notes, playback=playback)


class TestPlayback:
    @pytest.mark.parametrize("wrong", [{"tempo": 0.49}, {"tempo": 2.01}, {"tempo": float("nan")}, {"tempo": 120.0}])
    def test_rejects_a_tempo_out_of_range(self, wrong: dict[str, float]):
        with pytest.raises(ValueError, match=rf"0\.5–2, got {wrong['tempo']}"):
            Playback(**wrong)

    @pytest.mark.parametrize("wrong", [-13, 13])
    def test_rejects_more_than_an_octave(self, wrong: int):
        with pytest.raises(ValueError, match=f"±12, got {wrong}"):
            Playback(semitones=wrong)

    def test_is_kept_with_its_batch(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
        batch = replace(random_batch(), playback=Playback(0.8, 3), false_negatives=torch.eye(3, dtype=torch.bool))
        for moved in (batch.to(torch.device("cpu")), batch.pin_memory()):
            assert moved.playback == Playback(0.8, 3)
            assert torch.equal(moved.audio, batch.audio)
            assert torch.equal(moved.notes.pitch, batch.notes.pitch)
            assert moved.false_negatives is not None
        assert random_batch().playback == AS_RECORDED


class TestNotesAsPlayed:
    def test_are_scaled_in_time_and_transposed(self):
        played = at_playback(Notes.of([-1.0, 3.0], [2.0, 0.5], [60, 70], [50, 90]), Playback(1.25, -4))
        assert played.onset_s.tolist() == [-0.8, 2.4]
        assert played.duration_s.tolist() == [1.6, 0.4]
        assert played.pitch.tolist() == [56, 66]
        assert played.velocity.tolist() == [50, 90]
        assert played.pitch.dtype == np.uint8

    @pytest.mark.parametrize(("semitones", "kept"), [(3, [3, 63, 127]), (-3, [57, 121, 124]), (12, [12, 72])])
    def test_are_dropped_beyond_midi(self, semitones: int, kept: list[int]):
        notes = Notes.of([0.0, 0.1, 0.2, 0.3], [1.0] * 4, [0, 60, 124, 127], [80] * 4)
        assert at_playback(notes, Playback(semitones=semitones)).pitch.tolist() == kept

    def test_are_unchanged_as_recorded(self, piece: Notes):
        assert at_playback(piece, AS_RECORDED) is piece


class TestEmbedders:
    def test_are_elastic(self, embedder):
        assert embedder.elastic

    @pytest.mark.parametrize("playback", CHANGED, ids=str)
    def test_embed_changed_performances_like_the_original(self, embedder, piece: Notes, piano, playback: Playback):
        """Mean cosines of three windows with the notes of the original: default 0.79, and -0.3–0.65 as recorded;
        template 0.29, and -0.06–0.05."""
        recorded = piano.render(undone(piece, playback), 10 * playback.tempo)
        starts = STARTS * playback.tempo
        notes = embedder.embed_notes_windows(piece, STARTS)
        before = cosines(embedder.embed_audio_windows(recorded, starts), notes)
        after = cosines(embedder.embed_audio_windows(recorded, starts, playback), notes)
        original = cosines(embedder.embed_audio_windows(piano.render(piece, 10.0), STARTS), notes)
        assert (after > before + 0.05).all()
        np.testing.assert_allclose(after, original, atol=0.06)

    @pytest.mark.parametrize("playback", CHANGED, ids=str)
    def test_embed_notes_like_notes_performed_so(self, embedder, piece: Notes, playback: Playback):
        found = embedder.embed_notes_windows(undone(piece, playback), STARTS * playback.tempo, playback)
        np.testing.assert_allclose(cosines(found, embedder.embed_notes_windows(piece, STARTS)), 1.0, atol=1e-4)

    def test_embed_the_same_as_recorded(self, embedder, piece: Notes, piano):
        recorded = piano.render(piece, 10.0)
        sound = embedder.embed_audio_windows(recorded, STARTS)
        notes = embedder.embed_notes_windows(piece, STARTS)
        np.testing.assert_array_equal(embedder.embed_audio_windows(recorded, STARTS, Playback(1.0, 0)), sound)
        np.testing.assert_array_equal(embedder.embed_notes_windows(piece, STARTS, Playback(1.0, 0)), notes)
        for pair, alone in zip(embedder.embed_pairs(recorded, piece, STARTS), (sound, notes), strict=True):
            np.testing.assert_array_equal(pair, alone)

    @pytest.mark.parametrize("playback", [Playback(0.5, -12), Playback(2.0, 12)], ids=str)
    def test_give_unit_rows_and_zeros_for_empty_windows(self, embedder, piece: Notes, piano, playback: Playback):
        starts = np.array([0.0, 30.0])
        sides = (
            embedder.embed_audio_windows(piano.render(piece, 10.0), starts, playback),
            embedder.embed_notes_windows(piece, starts, playback),
        )
        for rows in sides:
            np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 0], atol=1e-5)
        assert embedder.embed_audio_windows(piano.render(piece, 10.0), np.zeros(0), playback).shape == (
            0,
            embedder.dimensions,
        )

    def test_depend_on_the_window_at_its_tempo_only(self, embedder, piece: Notes, piano):
        """The receptive field ends within 0.5 s: spectra of template have 171 ms, those of default 341 ms."""
        recorded = piano.render(piece, 9.0)
        cut = recorded.copy()
        cut[round((4 * 0.8 + 0.5) * RATE_HZ) :] = 0
        start, slow = np.zeros(1), Playback(0.8)
        np.testing.assert_allclose(
            embedder.embed_audio_windows(cut, start, slow),
            embedder.embed_audio_windows(recorded, start, slow),
            atol=1e-6,
        )
        assert (
            cosines(embedder.embed_audio_windows(cut, start), embedder.embed_audio_windows(recorded, start))[0] < 0.999
        )


def slim(**more: Any) -> Sizes:
    """The sizes of the default preset with narrow layers."""
    sizes = find_preset("default").sizes
    narrow = {"width": 32, "narrow": 8}
    narrowed = replace(
        sizes, audio_options=sizes.audio_options | narrow, notes_options=sizes.notes_options | narrow, dimensions=16
    )
    return replace(narrowed, **more)


def model_of(sizes: Sizes, arm: str = "D0") -> ModelEmbedder:
    torch.manual_seed(0)
    return ModelEmbedder(DualEncoder(ModelConfig(find_arm(arm), sizes)), "mine")


def mel_model() -> ModelEmbedder:
    options = {"width": 32, "narrow": 8, "strides": (2, 2), "kernel": 3, "dilations": (1,), "steps": 16}
    return model_of(slim(audio_tower="spectrogram", audio_options=MELS | options))


class TestModels:
    SOUND = np.random.default_rng(0).normal(0, 0.1, 2 * WINDOW).astype(np.float32)
    START = np.zeros(1)

    @pytest.mark.parametrize("playback", [Playback(0.8), Playback(semitones=3)], ids=str)
    def test_with_the_papers_tower_reject_other_playbacks(self, piece: Notes, playback: Playback):
        model = model_of(find_preset("tiny").sizes)
        assert not model.elastic
        with pytest.raises(AntiphonError, match=r"mine embeds audio as recorded only, not at tempo .*waveform"):
            model.embed_audio_windows(self.SOUND, self.START, playback)
        assert model.embed_audio_windows(self.SOUND, self.START, AS_RECORDED).any()
        assert model.embed_notes_windows(piece, self.START, playback).any()

    def test_with_an_inelastic_descriptor_of_the_audio_reject_other_playbacks(self):
        model = model_of(slim(), "A4")
        assert not model.elastic
        with pytest.raises(AntiphonError, match=r"its audio tower \(constant_q with a4\) supports no other playback"):
            model.embed_audio_windows(self.SOUND, self.START, Playback(0.8))

    def test_with_a_descriptor_of_the_notes_support_other_playbacks(self, piece: Notes):
        model = model_of(slim(), "D4")
        assert model.elastic
        assert model.embed_audio_windows(self.SOUND, self.START, Playback(0.8, 3)).any()

    def test_with_mel_frames_support_tempi_and_no_transposition(self):
        model = mel_model()
        assert model.elastic
        assert model.embed_audio_windows(self.SOUND, self.START, Playback(0.8)).any()
        with pytest.raises(AntiphonError, match=r"mine cannot transpose by \+3 semitones"):
            model.embed_audio_windows(self.SOUND, self.START, Playback(0.8, 3))

    def test_round_the_tempo_to_the_steps_of_their_hop(self):
        model = model_of(slim())
        between, nearest, other = (
            model.embed_audio_windows(self.SOUND, self.START, Playback(tempo)) for tempo in (0.81, 49 / 60, 48 / 60)
        )
        np.testing.assert_array_equal(between, nearest)
        assert np.abs(between - other).max() > 1e-4


class TestElasticity:
    @pytest.mark.parametrize(
        ("steps", "tempo", "nearest"),
        [(60, 0.7, 0.7), (60, 0.81, 49 / 60), (60, 1.004, 1.0), (5, 0.5, 0.6), (7, 2.0, 2.0), (1, 0.5, 1.0)],
    )
    def test_finds_the_nearest_tempo(self, steps: int, tempo: float, nearest: float):
        assert Elasticity(steps, 1).nearest(Playback(tempo, 5)) == Playback(nearest, 5)

    def test_keeps_the_playback_as_recorded(self):
        for steps in range(1, 500):
            assert Elasticity(steps, None).nearest(AS_RECORDED) == AS_RECORDED


class TestConstantQ:
    def test_as_recorded_equals_the_plain_transform(self):
        front, audio = constant_q_frames(), random_batch().audio[:, : WINDOW - 100]
        bands, halved = [], audio
        for level, bins in enumerate(front.bins):
            halved = half_rate(halved) if level else audio
            power = power_spectrum(halved, front.get_buffer("window"), 480 >> level, bins)[:, : (WINDOW - 100) // 480]
            bands.append(power @ front.get_buffer(f"filters_{level}"))
        assert torch.equal(front(batch_at(audio, AS_RECORDED)), level_normalised(torch.cat(bands[::-1], dim=2)))

    @pytest.mark.parametrize("tempo", [0.5, 0.501, 0.7, 0.81, 0.99, 1.01, 1.3, 1.333, 2.0])
    @pytest.mark.parametrize("window", [WINDOW, WINDOW - 100, 50_000])
    def test_gives_an_equal_number_of_frames_at_any_tempo(self, tempo: float, window: int):
        audio = torch.randn(2, round(window * tempo))
        assert constant_q_frames()(batch_at(audio, Playback(tempo))).shape == (2, window // 480, 192)
        assert MelFrames(**MELS)(batch_at(audio, Playback(tempo))).shape == (2, window // 480, 64)

    @pytest.mark.parametrize("front", [constant_q_frames(), MelFrames(**MELS)], ids=["constant_q", "spectrogram"])
    @pytest.mark.parametrize("tempo", [0.8, 1.25])
    def test_a_click_is_at_its_time_at_the_tempo(self, front: torch.nn.Module, tempo: float):
        audio = torch.zeros(1, round(WINDOW * tempo))
        audio[0, 2 * RATE_HZ] = 1.0
        loudness = front(batch_at(audio, Playback(tempo))).sum(dim=2)[0]
        middle = (loudness * torch.arange(200)).sum() / loudness.sum()
        assert float(middle) == pytest.approx(2 / tempo / 0.02, abs=0.5)

    @pytest.mark.parametrize("bands_per_octave", [12, 24, 36])
    @pytest.mark.parametrize("semitones", [-12, -3, 1, 6])
    def test_shifts_its_bands(self, monkeypatch: pytest.MonkeyPatch, bands_per_octave: int, semitones: int):
        monkeypatch.setattr(constant_q, "level_normalised", lambda power: power)
        front, audio = constant_q_frames(bands_per_octave), random_batch().audio
        as_recorded, moved = (front(batch_at(audio, Playback(semitones=by))) for by in (0, semitones))
        far = abs(semitones) * bands_per_octave // 12
        if semitones < 0:
            as_recorded, moved = as_recorded.flip(2), moved.flip(2)
        assert torch.equal(moved[..., far:], as_recorded[..., :-far])
        assert not moved[..., :far].any()

    def test_a_transposed_sine_equals_a_higher_one(self):
        time_s = torch.arange(WINDOW) / RATE_HZ
        low, high = (torch.sin(2 * torch.pi * hz * time_s)[None] for hz in (440.0, 440.0 * 2 ** (5 / 12)))
        front = constant_q_frames()
        moved, expected = front(batch_at(low, Playback(semitones=5))), front(batch_at(high, AS_RECORDED))
        assert torch.equal(moved.argmax(dim=2), expected.argmax(dim=2))
        assert torch.cosine_similarity(moved, expected, dim=2).min() > 0.9

    def test_rejects_parts_of_bands(self):
        front, audio = constant_q_frames(18), random_batch().audio
        assert front(batch_at(audio, Playback(semitones=2))).shape == (3, 200, 144)
        with pytest.raises(ValueError, match=r"\+1 semitones: its bands allow steps of 2"):
            front(batch_at(audio, Playback(semitones=1)))


def test_mel_bands_reject_a_transposition():
    with pytest.raises(ValueError, match="no transposition"):
        MelFrames(**MELS)(batch_at(random_batch().audio, Playback(semitones=1)))
