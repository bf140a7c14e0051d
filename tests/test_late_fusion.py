"""Late fusion: the closed-form projection, its descriptors, and its fit after training."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from antiphon.errors import AntiphonError
from antiphon.io.formats import to_plain
from antiphon.io.notes import Notes
from antiphon.models.arms import Arm, LateFusion, find_arm
from antiphon.models.batch import Tokens, collate
from antiphon.models.descriptors import DESCRIPTORS, View, describe
from antiphon.models.late_fusion import LateFusionProjection, PairScatter
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.models.saving import load_dual_encoder, save_model
from antiphon.rendering.additive import AdditivePiano
from antiphon.training.late_fusion import fit_late_fusion
from antiphon.training.presets import find_preset
from antiphon.types import AS_RECORDED, MODALITIES, Playback
from builders import RATE_HZ, WINDOW, random_batch, random_notes
from models_under_test import tiny_model


def recall(audio: torch.Tensor, notes: torch.Tensor) -> float:
    """The share of audio rows whose nearest notes row is their own."""
    cosine = F.normalize(audio, dim=1) @ F.normalize(notes, dim=1).T
    return float((cosine.argmax(dim=1) == torch.arange(len(cosine))).float().mean())


class TestPairScatter:
    def sides(self, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows with three dimensions that are nearly equal in both modalities, and seventeen unrelated, louder ones."""
        generator = torch.Generator().manual_seed(seed)
        shared = torch.randn(400, 3, generator=generator)
        audio, notes = (3 * torch.randn(400, 20, generator=generator) for _ in MODALITIES)
        audio[:, :3], notes[:, :3] = shared, shared + 0.1 * torch.randn(400, 3, generator=generator)
        rotation = torch.linalg.qr(torch.randn(20, 20, generator=torch.Generator().manual_seed(0))).Q
        return audio @ rotation, notes @ rotation

    def test_finds_the_shared_dimensions(self):
        scatter = PairScatter()
        for seed in range(5):
            scatter.add(*self.sides(seed))
        found = scatter.projection(3, ridge=1e-3)
        assert found.shape == (20, 3)
        audio, notes = self.sides(9)
        assert recall(audio, notes) < 0.1
        assert recall(audio @ found, notes @ found) > 0.4

    def test_solves_the_generalised_eigenproblem(self):
        audio, notes = self.sides(1)
        scatter = PairScatter()
        scatter.add(audio[:150], notes[:150])
        scatter.add(audio[150:], notes[150:])
        found = scatter.projection(20, ridge=0.5).double()
        together = (audio.T @ notes + notes.T @ audio).double() / (2 * 400)
        apart = ((audio - notes).T @ (audio - notes)).double() / 400
        apart += 0.5 * apart.trace() / 20 * torch.eye(20)
        values = (found.T @ together @ found).diagonal()
        torch.testing.assert_close(found.T @ apart @ found, torch.eye(20).double(), atol=1e-4, rtol=0)
        torch.testing.assert_close(together @ found, apart @ found * values, atol=1e-4, rtol=1e-3)
        assert (values.diff() <= 1e-6).all()

    def test_needs_windows(self):
        with pytest.raises(ValueError, match="no windows"):
            PairScatter().projection(3, 1.0)


class TestLateFusionProjection:
    def test_scales_both_inputs_to_unit_norm(self):
        module = LateFusionProjection(4, 6, 3)
        embedded, descriptor = torch.randn(2, 4), torch.randn(2, 3, 2)
        found = module(embedded, Tokens(descriptor))
        inputs = torch.cat([F.normalize(embedded), F.normalize(descriptor.flatten(1))], dim=1)
        torch.testing.assert_close(found, inputs @ module.map)
        torch.testing.assert_close(found, module(7 * embedded, Tokens(0.1 * descriptor)))

    def test_accepts_a_descriptor_of_zeros(self):
        module = LateFusionProjection(4, 6, 3)
        embedded = torch.randn(2, 4)
        torch.testing.assert_close(
            module(embedded, Tokens(torch.zeros(2, 3, 2))), F.normalize(embedded) @ module.map[:4]
        )


class TestArm:
    def test_is_skipped_in_training_mode(self):
        model, batch = deepcopy(tiny_model("onsets")), random_batch()
        found = model.describe(batch)
        for side in MODALITIES:
            alone = model.encode_without_fusion(side, batch, found)[0]
            assert torch.equal(
                model.train().encode(side, batch, found)[0], model.encode_without_fusion(side, batch, found)[0]
            )
            mapped = model.eval().encode(side, batch, found)[0]
            assert mapped.shape == (3, model.dimensions) == (3, 192)
            assert alone.shape == (3, 32)

    def test_needs_descriptors_of_one_fixed_shape(self):
        sizes = find_preset("tiny").sizes
        for late_fusion, says in (
            (LateFusion("band_energy", "predicted_onsets", 8), "two descriptors of one fixed shape"),
            (LateFusion("predicted_onsets", "onset_strength", 8), "a descriptor of the audio and one of the notes"),
            (LateFusion("onset_strength", "predicted_onsets", 0), "not to 0"),
            (LateFusion("onset_strength", "predicted_onsets", 5000), "projects 4832 inputs"),
        ):
            with pytest.raises(AntiphonError, match=says):
                DualEncoder(ModelConfig(Arm("x", late_fusion=late_fusion), sizes))
        with pytest.raises(AntiphonError, match="needs windows of 4 s, not of 2 s"):
            DualEncoder(ModelConfig(find_arm("onsets"), replace(sizes, window_s=2.0)))

    def test_descriptors_are_not_computed_in_training_mode(self):
        model = deepcopy(tiny_model("onsets"))
        assert list(model.eval().describe(random_batch())) == ["onset_strength", "predicted_onsets"]
        assert model.train().describe(random_batch()) == {}

    def test_is_in_a_config_only_where_the_arm_has_it(self):
        assert "late_fusion" not in to_plain(tiny_model("D0").config)["arm"]
        assert to_plain(tiny_model("onsets").config)["arm"]["late_fusion"]["dimensions"] == 192

    def test_is_saved_in_the_model_folder(self, tmp_path):
        model = tiny_model("onsets")
        save_model(model, tmp_path, "A tiny model.")
        loaded = load_dual_encoder(tmp_path)
        assert loaded.config.arm == find_arm("onsets")
        assert torch.equal(loaded.state_dict()["late_fusion.map"], model.state_dict()["late_fusion.map"])

    @pytest.fixture
    def every_second_band(self) -> Iterator[Arm]:
        """Like `onsets`, with descriptors of half the bands: the fit takes time in the third power of its inputs."""
        names = "onset_strength", "predicted_onsets"
        for name in names:
            every = DESCRIPTORS[name]
            DESCRIPTORS.register(
                replace(
                    every,
                    name=f"half_{name}",
                    dimensions=every.dimensions[::2],
                    compute=lambda view, every=every: Tokens(every.compute(view).values[..., ::2]),
                )
            )
        yield Arm("half", late_fusion=LateFusion(*(f"half_{name}" for name in names), 192))
        for name in names:
            DESCRIPTORS.unregister(f"half_{name}")

    def test_fit_separates_windows_of_other_batches(self, every_second_band: Arm):
        """Positives of a batch that was not fitted rank first."""
        torch.manual_seed(3)
        model = DualEncoder(ModelConfig(every_second_band, find_preset("tiny").sizes)).eval()
        other = rendered(9)
        assert model.late_fusion is not None

        def cosines() -> torch.Tensor:
            rows = (model.encode(side, other, model.describe(other))[0] for side in MODALITIES)
            audio, notes = (F.normalize(one, dim=1) for one in rows)
            return audio @ notes.T

        negatives = ~torch.eye(len(other.audio), dtype=torch.bool)
        before = cosines()
        fit_late_fusion(model, [rendered(seed) for seed in range(4)])
        assert model.late_fusion.map.shape == (32 + 2400, 192)
        after = cosines()
        assert (after.argmax(dim=1) == torch.arange(len(after))).float().mean() > 0.9
        spread = [
            (found.diagonal().mean() - found[negatives].mean()) / found[negatives].std() for found in (before, after)
        ]
        assert spread[1] > spread[0] + 0.5  # 4.6 and 3.8 when this was written

    def test_fit_needs_an_arm_with_late_fusion(self):
        with pytest.raises(ValueError, match="D0 has no late fusion"):
            fit_late_fusion(tiny_model("D0"), [])


def rendered(seed: int, count: int = 24):
    """Windows of random notes, rendered by the additive piano."""
    rng, piano = np.random.default_rng(seed), AdditivePiano(RATE_HZ)
    notes = [random_notes(rng, 20) for _ in range(count)]
    return collate(np.stack([piano.render(one, 4.0)[:WINDOW] for one in notes]), notes)


def slow_strength(sound: np.ndarray) -> np.ndarray:
    """Rise of log(1 + magnitude / mean) per frame and band, from the formula."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(4096) / 4096)
    padded = np.concatenate([np.zeros(4096), sound, np.zeros(4096)])
    bin_hz = np.arange(2049) * RATE_HZ / 4096
    bands = np.zeros((51, 96))
    for frame in range(51):
        middle = 4096 + round((80 * (frame - 1) + 40) * RATE_HZ / 1000)
        magnitude = np.abs(np.fft.rfft(window * padded[middle - 2048 : middle + 2048]))
        for band in range(96):
            centre_hz = 440 * 2 ** ((21 + band - 69) / 12)
            half_hz = max(centre_hz * (2 ** (1 / 12) - 1), RATE_HZ / 4096)
            weight = np.maximum(0, 1 - np.abs(bin_hz - centre_hz) / half_hz)
            bands[frame, band] = (weight * magnitude).sum() / weight.sum()
    return np.maximum(0, np.diff(np.log(1 + bands / bands.mean()), axis=0))


def slow_normalised(frames: np.ndarray) -> np.ndarray:
    padded = np.pad(frames, ((1, 1), (0, 0)))
    smooth = np.array([padded[t : t + 3].sum(axis=0) for t in range(len(frames))])
    smooth -= smooth.mean(axis=0)
    smooth -= 0.35 * smooth.mean(axis=1)[:, None]
    return smooth / np.linalg.norm(smooth)


class TestOnsets:
    def test_of_audio_equal_their_formula(self):
        batch = rendered(5, 1)
        expected = slow_normalised(slow_strength(batch.audio[0].double().numpy()))
        found = DESCRIPTORS["onset_strength"].compute(View(batch, RATE_HZ)).values[0]
        np.testing.assert_allclose(found, expected, atol=2e-5)

    def test_of_notes_equal_their_formula(self):
        notes = random_notes(np.random.default_rng(5), 20)
        expected = np.zeros((50, 96))
        for onset_s, pitch, velocity in zip(notes.onset_s, notes.pitch, notes.velocity, strict=True):
            for harmonic in range(1, 7):
                band = int(pitch) - 21 + round(12 * np.log2(harmonic))
                if 0 <= band < 96:
                    expected[int(onset_s / 0.08), band] += int(velocity) / 127 * 0.6 ** (harmonic - 1)
        batch = collate(np.zeros((1, 0), np.float32), [notes])
        found = DESCRIPTORS["predicted_onsets"].compute(View(batch, RATE_HZ)).values[0]
        np.testing.assert_allclose(found, slow_normalised(np.sqrt(expected)), atol=1e-5)

    def test_a_sample_rate_below_the_highest_band_is_an_error(self):
        with pytest.raises(ValueError, match="audio at 12000 Hz does not reach"):
            describe(random_batch(), ["onset_strength"], 12_000)

    def test_of_audio_and_notes_match(self):
        found = describe(rendered(0), ["onset_strength", "predicted_onsets"], RATE_HZ)
        audio, notes = (found[name].values.flatten(1) for name in ("onset_strength", "predicted_onsets"))
        assert recall(audio, notes) == 1.0
        cosine = audio @ notes.T
        assert cosine.diagonal().min() > cosine[~torch.eye(len(cosine), dtype=torch.bool)].max() + 0.1

    def test_of_audio_are_invariant_under_gain(self):
        batch = rendered(0, 3)
        loud, soft = (
            describe(replace(batch, audio=gain * batch.audio), ["onset_strength"], RATE_HZ)["onset_strength"].values
            for gain in (1.0, 0.01)
        )
        torch.testing.assert_close(loud, soft, atol=1e-4, rtol=0)

    @pytest.mark.parametrize(("onset_s", "frame"), [(0.0, 0), (0.079, 0), (0.081, 1), (3.99, 49)])
    def test_a_note_is_in_the_frame_of_its_onset_and_in_the_bands_of_its_harmonics(self, onset_s: float, frame: int):
        window = collate(np.zeros((1, 0), np.float32), [Notes.of([onset_s], [0.1], [60], [127])])
        values = DESCRIPTORS["predicted_onsets"].compute(View(window, RATE_HZ)).values[0]
        time, band = divmod(int(values.argmax()), values.shape[1])
        assert abs(time - frame) <= 1  # smoothed over three frames
        assert DESCRIPTORS["predicted_onsets"].dimensions[band] == "C4"
        octave_up = DESCRIPTORS["predicted_onsets"].dimensions.index("C5")
        assert values[frame, octave_up] > values[frame, octave_up + 1] + 0.05

    @pytest.mark.parametrize("playback", [Playback(0.8, 0), Playback(1.2, -3), Playback(1.0, 5)], ids=str)
    def test_of_audio_apply_the_playback(self, playback: Playback):
        piano, starts = AdditivePiano(RATE_HZ), np.random.default_rng(3)
        notes = random_notes(starts, 20)
        played = Notes(
            notes.onset_s * playback.tempo,
            notes.duration_s * playback.tempo,
            notes.pitch - np.int64(playback.semitones).astype(np.uint8),
            notes.velocity,
        )
        samples = piano.render(played, 4 * playback.tempo)[None, : round(WINDOW * playback.tempo)]
        own = describe(collate(np.zeros((1, 0), np.float32), [notes]), ["predicted_onsets"], RATE_HZ)
        cosine = {}
        for one in (playback, AS_RECORDED):
            batch = collate(samples.astype(np.float32), [notes], one)
            values = describe(batch, ["onset_strength"], RATE_HZ)["onset_strength"].values
            cosine[one] = float((values * own["predicted_onsets"].values).sum())
        assert cosine[playback] > max(0.3, cosine[AS_RECORDED] + 0.15)
