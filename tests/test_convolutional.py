"""Convolutional towers, contrastive losses, and batches with groups: against slow oracles."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from antiphon.augmentation import Augmentation
from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes
from antiphon.models.arms import find_arm
from antiphon.models.batch import Batch, Tokens, collate
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.models.towers.convolutional import level_normalised
from antiphon.models.towers.piano_roll import LOWEST, PITCHES, PianoRoll
from antiphon.training.batches import TrainingBatches
from antiphon.training.losses.info_nce import info_nce
from antiphon.training.losses.sigmoid import sigmoid
from antiphon.training.presets import find_preset
from antiphon.training.sample_cache import open_sample_cache
from builders import WINDOW, pick, random_batch, silent_batch


def model_of() -> DualEncoder:
    torch.manual_seed(0)
    return DualEncoder(ModelConfig(find_arm("D0"), find_preset("default").sizes)).eval()


def roll_of(notes: Notes, frames: int = 20, frame_s: float = 0.1) -> np.ndarray:
    batch = collate(np.zeros((1, WINDOW), np.float32), [notes])
    return PianoRoll(frames, frame_s)(batch)[0].numpy()


class TestPianoRoll:
    def test_equals_its_description_typed_slowly(self):
        rng = np.random.default_rng(0)
        onset_s, duration_s = np.sort(rng.uniform(-0.3, 2.0, 40)), rng.uniform(0.02, 0.8, 40)
        notes = Notes.of(onset_s, duration_s, rng.integers(15, 112, 40), rng.integers(1, 128, 40))
        slow = np.zeros((20, 2 * PITCHES))
        for onset, duration, pitch, velocity in zip(
            notes.onset_s, notes.duration_s, notes.pitch, notes.velocity, strict=True
        ):
            key = int(pitch) - LOWEST
            if not 0 <= key < PITCHES:
                continue
            if onset >= 0:
                share = onset / 0.1 - math.floor(onset / 0.1)
                for frame, weight in ((math.floor(onset / 0.1), 1 - share), (math.floor(onset / 0.1) + 1, share)):
                    if frame < 20:
                        slow[frame, key] = max(slow[frame, key], velocity / 127 * weight)
            begin = min(max(round(float(np.float32(onset)) / 0.1), 0), 20)
            end = min(max(round(float(np.float32(onset) + np.float32(duration)) / 0.1), begin + 1), 20)
            slow[begin:end, PITCHES + key] += velocity / 127
        np.testing.assert_allclose(roll_of(notes), slow, atol=1e-4)

    def test_without_notes_is_zero(self):
        assert not roll_of(Notes.of([], [], [], [])).any()


class TestTowers:
    def test_stay_within_six_million_parameters(self):
        assert sum(parameter.numel() for parameter in model_of().parameters()) <= 6_000_000

    def test_do_not_depend_on_the_batch_and_stay_finite_on_empty_windows(self):
        model, batch = model_of(), random_batch()
        with torch.no_grad():
            together = model(batch)
            for row in range(3):
                alone = model(pick(batch, row))
                torch.testing.assert_close(together.audio[row : row + 1], alone.audio, atol=1e-4, rtol=1e-3)
                torch.testing.assert_close(together.notes[row : row + 1], alone.notes, atol=1e-4, rtol=1e-3)
            nothing = model(silent_batch())
        assert torch.isfinite(nothing.audio).all()
        assert torch.isfinite(nothing.notes).all()

    def test_are_invariant_under_gain(self):
        model, batch = model_of(), random_batch()
        with torch.no_grad():
            loud, soft = (model(Batch(batch.audio * gain, batch.notes)).audio for gain in (1.0, 0.01))
        torch.testing.assert_close(loud, soft, atol=1e-3, rtol=1e-3)

    def test_depend_on_the_order_of_notes(self):
        """The notes in reverse order have another embedding."""
        model = model_of()
        forwards = Notes.of([0.5, 1.5, 2.5], [0.3] * 3, [60, 64, 67], [80] * 3)
        backwards = Notes.of([0.5, 1.5, 2.5], [0.3] * 3, [67, 64, 60], [80] * 3)
        batch = collate(np.zeros((2, WINDOW), np.float32), [forwards, backwards])
        with torch.no_grad():
            rows = torch.nn.functional.normalize(model(batch).notes, dim=1)
        assert float(rows[0] @ rows[1]) < 0.99


def slim_model(arm: str) -> DualEncoder:
    """The default model with narrow layers; injections have an effect without training."""
    sizes = find_preset("default").sizes
    slim = {"width": 32, "narrow": 8}
    sizes = replace(sizes, audio_options=sizes.audio_options | slim, notes_options=sizes.notes_options | slim)
    torch.manual_seed(0)
    model = DualEncoder(ModelConfig(find_arm(arm), sizes)).eval()
    with torch.no_grad():
        for parameter in model.injections.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


class TestArms:
    # Each mechanism that suits convolutions, on both sides; d4a4r replaces frames by padded notes.
    @pytest.mark.parametrize("arm", ["A4", "A4r", "A4x", "D4x", "d4a4", "d4a4r", "film-dual", "moe-dual", "t3-wt"])
    def test_do_not_depend_on_the_batch_and_stay_finite_on_empty_windows(self, arm: str):
        model, batch = slim_model(arm), random_batch()
        with torch.no_grad():
            together, nothing = model(batch), model(silent_batch())
            for row in range(3):
                alone = model(pick(batch, row))
                torch.testing.assert_close(together.audio[row : row + 1], alone.audio, atol=1e-4, rtol=1e-3)
                torch.testing.assert_close(together.notes[row : row + 1], alone.notes, atol=1e-4, rtol=1e-3)
            plain = slim_model("D0")(batch)
        assert torch.isfinite(nothing.audio).all()
        assert torch.isfinite(nothing.notes).all()
        assert not torch.equal(torch.cat([together.audio, together.notes]), torch.cat([plain.audio, plain.notes]))

    def test_that_need_attention_or_a_hidden_layer_are_an_error(self):
        with pytest.raises(AntiphonError, match="convolutional tower has none"):
            slim_model("a4-bias")(random_batch())
        with pytest.raises(AntiphonError, match="needs a hidden layer"):
            slim_model("a4r-pca")


def test_pooling_of_padded_rows_equals_the_adaptive_mean():
    tower, lengths = slim_model("D0").tower("notes"), (40, 7, 17, 1)
    values = torch.randn(4, 40, 32)
    padding = torch.arange(40)[None] >= torch.tensor(lengths)[:, None]
    with torch.no_grad():
        together = tower.pool(Tokens(values, padding))
        for row, length in enumerate(lengths):
            alone = tower.pool(Tokens(values[row : row + 1, :length]))
            torch.testing.assert_close(together[row : row + 1], alone)


def test_level_normalised_frames_equal_their_formula():
    power = torch.rand(2, 3, 4)
    expected = [[[math.log(1 + 100 * p / row.mean().item()) for p in frame] for frame in row] for row in power]
    torch.testing.assert_close(level_normalised(power), torch.tensor(expected))
    assert not level_normalised(torch.zeros(1, 3, 4)).any()


class TestInfoNce:
    def test_equals_its_formula_typed_slowly(self):
        rng = np.random.default_rng(0)
        audio, notes = rng.normal(size=(2, 5, 3))
        masked_out = np.zeros((5, 5), bool)
        masked_out[1, 3] = masked_out[3, 1] = masked_out[2, 2] = True

        def cosine(i: int, j: int) -> float:
            return audio[i] @ notes[j] / np.linalg.norm(audio[i]) / np.linalg.norm(notes[j]) / 0.03

        forwards = backwards = 0.0
        for i in range(5):
            candidates = [j for j in range(5) if j == i or not masked_out[i, j]]
            forwards -= cosine(i, i) - math.log(sum(math.exp(cosine(i, j)) for j in candidates))
            backwards -= cosine(i, i) - math.log(sum(math.exp(cosine(j, i)) for j in candidates))
        terms = info_nce(torch.tensor(audio), torch.tensor(notes), torch.tensor(masked_out))
        assert float(terms["audio_to_notes"]) == pytest.approx(forwards / 10)
        assert float(terms["notes_to_audio"]) == pytest.approx(backwards / 10)


class TestSigmoid:
    @pytest.mark.parametrize("masked", [False, True])
    def test_equals_its_formula_typed_slowly(self, masked: bool):
        rng = np.random.default_rng(0)
        audio, notes = rng.normal(size=(2, 5, 3))
        masked_out = np.zeros((5, 5), bool)
        if masked:
            masked_out[1, 3] = masked_out[0, 4] = masked_out[2, 2] = True
        positives = negatives = 0.0
        for i in range(5):
            for j in range(5):
                cosine = audio[i] @ notes[j] / np.linalg.norm(audio[i]) / np.linalg.norm(notes[j])
                if i == j:
                    positives -= math.log(1 / (1 + math.exp(-(10 * cosine - 10))))
                elif not masked_out[i, j]:
                    negatives -= math.log(1 / (1 + math.exp(10 * cosine - 10)))
        terms = sigmoid(torch.tensor(audio), torch.tensor(notes), torch.tensor(masked_out) if masked else None)
        assert float(terms["positives"]) == pytest.approx(positives / 5)
        assert float(terms["negatives"]) == pytest.approx(negatives / 5)


class TestGroups:
    @pytest.fixture
    def batches(self, demo: Corpus) -> TrainingBatches:
        cache = open_sample_cache(demo.split("train"), 24_000, 4.0)
        augmentation = find_preset("default").training.augmentation
        return TrainingBatches(cache, 24_000, 4.0, 24, 10, seed=1, group=6, near_s=1.5, augmentation=augmentation)

    @staticmethod
    def drawn(batches: TrainingBatches) -> tuple[Batch, list[Any]]:
        """The first batch, and its drawn windows."""
        windows: list[Any] = []
        original = batches._draw

        def spy(*how):
            windows.append(original(*how))
            return windows[-1]

        batches._draw = spy  # type: ignore[method-assign]
        return batches[0], windows

    def test_half_of_the_batch_comes_in_groups_with_a_false_negative_mask(self, batches: TrainingBatches):
        batch, windows = self.drawn(batches)
        drawn = [(window.recording, window.start_s, window.notes_start_s) for window in windows]
        assert [recording for recording, _, _ in drawn[12:18]] == [drawn[12][0]] * 6
        recordings = batches._cache.recordings
        for i, (one, start_s, _) in enumerate(drawn):
            for j, (other, _, notes_start_s) in enumerate(drawn):
                same_work = recordings[one].work == recordings[other].work
                expected = same_work and (one != other or abs(start_s - notes_start_s) < 1.5)
                assert bool(batch.false_negatives[i, j]) == expected

    def test_every_second_window_of_a_group_begins_near_the_one_before(self, demo: Corpus):
        cache = open_sample_cache(demo.split("train"), 24_000, 4.0)
        batches = TrainingBatches(cache, 24_000, 4.0, 24, 10, seed=1, group=6, near_s=0.3, adjacent_s=1.0)
        batch, windows = self.drawn(batches)
        groups = np.array([window.start_s for window in windows[12:]]).reshape(-1, 2)
        apart_s = np.abs(groups[:, 0] - groups[:, 1])
        assert apart_s.max() <= 1.0 + 1e-4
        assert apart_s.std() > 0.1
        assert np.abs(np.diff(groups[:3, 0])).max() > 1.0
        are_negatives = np.array([not batch.false_negatives[12 + 2 * pair, 13 + 2 * pair] for pair in range(6)])
        assert (are_negatives == (apart_s >= 0.3)).all()

    def test_depend_on_seed_and_step_only_when_augmented(self, batches: TrainingBatches):
        one, again, other = batches[3], batches[3], batches[4]
        assert torch.equal(one.audio, again.audio)
        assert torch.equal(one.notes.onset_s, again.notes.onset_s)
        assert not torch.equal(one.audio, other.audio)
        assert one.audio.abs().max() <= 1.0

    def test_loose_windows_have_shifted_notes_at_another_tempo(self, demo: Corpus):
        cache = open_sample_cache(demo.split("train"), 24_000, 4.0)
        loose = Augmentation(loose=1.0, shift_s=0.4, tempo=1.15)
        batches = TrainingBatches(cache, 24_000, 4.0, 24, 10, seed=1, augmentation=loose)
        differences = []
        for row in range(24):
            window = batches._draw(np.random.default_rng(row))
            notes = read_notes(cache.recordings[window.recording].notes_path)
            shift_s = window.notes_start_s - window.start_s
            # Notes that sound at the window's begin come first in it, independent of its length.
            tempo = float(notes.window(window.notes_start_s, 4.0).duration_s[0] / window.notes.duration_s[0])
            expected = notes.window(window.notes_start_s, 4.0 * tempo)
            np.testing.assert_allclose(window.notes.onset_s * tempo, expected.onset_s, atol=1e-6)
            np.testing.assert_allclose(window.notes.duration_s * tempo, expected.duration_s, atol=1e-6)
            differences.append((shift_s, np.log(tempo) / np.log(1.15)))
        shifts_s, tempi = np.array(differences).T
        assert -0.4 <= shifts_s.min() < -0.2 < 0.2 < shifts_s.max() <= 0.4
        assert -1 <= tempi.min() < -0.5 < 0.5 < tempi.max() <= 1

    def test_half_of_the_windows_are_exact_when_half_are_loose(self):
        augmentation, rng = Augmentation(loose=0.5, shift_s=0.4, tempo=1.15), np.random.default_rng(0)
        exact = np.mean([augmentation.draw_misalignment(rng) == (0.0, 1.0) for _ in range(2000)])
        assert exact == pytest.approx(0.5, abs=0.04)

    @pytest.mark.parametrize("wrong", [{"loose": 1.5}, {"shift_s": -0.1}, {"tempo": 0.9}, {"tempo": 2.0}])
    def test_bad_settings_are_an_error(self, wrong: dict[str, float]):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Augmentation(**wrong)
