"""Embedding under conditions: rows against rows computed by hand, and their scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from antiphon.corpora import Corpus, Recording
from antiphon.corpora.segment_table import PAPER_GRID, cut_windows
from antiphon.errors import AntiphonError
from antiphon.evaluation.protocols import score_embeddings
from antiphon.experiments.analysis import ModelUnderTest
from antiphon.experiments.analysis.conditions import Condition, embed_conditions, score_conditions
from antiphon.experiments.analysis.robustness import shifted, transposed, with_noise, with_velocity
from antiphon.io.audio import is_silent, read_samples, write_flac
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes, write_midi
from antiphon.models.arms import find_arm
from antiphon.models.batch import Batch, NoteBatch, Tokens, collate, collate_notes
from antiphon.models.corpus_embedding import embed_corpus
from antiphon.models.descriptors.alter import alter
from antiphon.models.embedder import ModelEmbedder
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.training.presets import find_preset
from builders import RATE_HZ, random_batch, random_notes, unit

LENGTH_S = 9.0


def model_of(arm: str) -> DualEncoder:
    torch.manual_seed(3)
    return DualEncoder(ModelConfig(find_arm(arm), find_preset("tiny").sizes)).eval()


@pytest.fixture(scope="session")
def few(demo: Corpus) -> Corpus:
    """Three recordings of the demo, six windows each."""
    return replace(demo, recordings=tuple(replace(one, duration_s=LENGTH_S) for one in demo.recordings[::15][:3]))


@pytest.fixture
def tested(few: Corpus) -> ModelUnderTest:
    return ModelUnderTest(model_of("d4a4"), "tiny", few, 42)


def same(batch: Batch, generator: torch.Generator) -> Batch:
    return Batch(batch.audio.clone(), replace(batch.notes, pitch=batch.notes.pitch.clone()))


def up(batch: Batch, generator: torch.Generator) -> Batch:
    return replace(batch, notes=transposed(batch.notes, 5))


def mirrored(batch: Batch, generator: torch.Generator) -> Batch:
    """Intervals inverted: D4 changes, which a transposition leaves unchanged."""
    return replace(batch, notes=replace(batch.notes, pitch=127 - batch.notes.pitch))


def noisy(batch: Batch, generator: torch.Generator) -> Batch:
    return replace(batch, audio=with_noise(batch.audio, 0.0, generator))


def zero_a4(found: Mapping[str, Tokens], generator: torch.Generator) -> Mapping[str, Tokens]:
    return {**found, "a4": alter(found["a4"], "zero")}


def windows_of(one: Recording) -> Batch:
    assert one.audio_path is not None
    starts = PAPER_GRID.starts_s(one.duration_s)
    samples = read_samples(one.audio_path, RATE_HZ, 0.0, one.duration_s)
    notes = read_notes(one.notes_path)
    return collate(cut_windows(samples, RATE_HZ, starts, 4.0), [notes.window(start, 4.0) for start in starts])


def played(one: Recording, tempo: float) -> list[Notes]:
    """Windows of 4 s of the whole file played at a tempo, note by note; each begins where it begins in the music."""
    notes, windows = read_notes(one.notes_path), []
    for start in PAPER_GRID.starts_s(one.duration_s) / tempo:
        kept = []
        for onset_s, duration_s, pitch, velocity in zip(
            notes.onset_s / tempo, notes.duration_s / tempo, notes.pitch, notes.velocity, strict=True
        ):
            if onset_s < start + 4.0 and onset_s + duration_s > start:
                kept.append((onset_s - start, duration_s, pitch, velocity))
        windows.append(Notes.of(*(list(column) for column in zip(*kept, strict=True))))
    return windows


class TestEmbedConditions:
    def test_windows_have_the_models_own_length(self, few: Corpus):
        sizes = replace(find_preset("tiny").sizes, window_s=2.0)
        tested = ModelUnderTest(DualEncoder(ModelConfig(find_arm("d4a4"), sizes)).eval(), "short", few, 42)
        found, expected = embed_conditions(tested, []).intact, embed_corpus(ModelEmbedder(tested.model, "s"), few)
        assert found.table.window_s == expected.table.window_s == 2.0
        assert found.table.start_s.tolist() == expected.table.start_s.tolist()
        assert len(found.table) == 3 * int(LENGTH_S - 2 + 1)
        np.testing.assert_allclose(found.audio, expected.audio, atol=1e-4)
        np.testing.assert_allclose(found.notes, expected.notes, atol=1e-4)

    def test_intact_and_unchanged_rows_are_those_of_the_embedder(self, tested: ModelUnderTest):
        found = embed_conditions(tested, [Condition("same", "both", same), Condition("nothing", "notes")])
        expected = embed_corpus(ModelEmbedder(tested.model, "tiny"), tested.corpus)
        for segments in (found.intact, found.under["same"], found.under["nothing"]):
            assert [one.id for one in segments.table.recordings] == [one.id for one in tested.corpus.recordings]
            np.testing.assert_array_equal(segments.table.start_s, expected.table.start_s)
            np.testing.assert_allclose(segments.audio, expected.audio, atol=2e-5)
            np.testing.assert_allclose(segments.notes, expected.notes, atol=2e-5)

    def test_a_descriptor_at_zero_is_encoding_with_zeros(self, tested: ModelUnderTest):
        found = embed_conditions(tested, [Condition("zero A4", "audio", descriptors=zero_a4)]).under["zero A4"]
        rows = []
        with torch.no_grad():
            for one in tested.corpus.recordings:
                batch = windows_of(one)
                described = tested.model.describe(batch)
                described["a4"] = Tokens(torch.zeros_like(described["a4"].values))
                rows.append(tested.model.encode("audio", batch, described)[0].numpy())
        np.testing.assert_allclose(found.audio, unit(np.concatenate(rows)), atol=2e-5)

    def test_changed_notes_are_embedding_the_changed_notes(self, tested: ModelUnderTest):
        """Their descriptors change too."""
        found = embed_conditions(tested, [Condition("mirrored", "notes", mirrored)])
        rows = []
        with torch.no_grad():
            for one in tested.corpus.recordings:
                batch = mirrored(windows_of(one), torch.Generator())
                rows.append(tested.model.encode("notes", batch, tested.model.describe(batch))[0].numpy())
        np.testing.assert_allclose(found.under["mirrored"].notes, unit(np.concatenate(rows)), atol=2e-5)
        assert np.abs(found.under["mirrored"].notes - found.intact.notes).max() > 1e-3

    @pytest.mark.parametrize("tempo", [0.9, 1.1])
    def test_a_tempo_cuts_windows_from_the_whole_file_played_so_fast(self, few: Corpus, tempo: float):
        """Seen as a change of the batch sees them, which comes after."""
        seen: list[Batch] = []

        def see(batch: Batch, generator: torch.Generator) -> Batch:
            seen.append(batch)
            return batch

        (one,) = few.recordings[:1]
        tested = ModelUnderTest(model_of("d4a4"), "tiny", replace(few, recordings=(one,)), 42)
        embed_conditions(tested, [Condition("played", "notes", see, tempo=tempo)])
        (batch,) = seen
        intact, oracle = windows_of(one), played(one, tempo)
        places = [int((intact.audio == sound).all(dim=1).nonzero()) for sound in batch.audio]
        assert sorted(places) == list(range(6))
        expected = collate_notes([oracle[place] for place in places])
        for field in fields(NoteBatch):
            torch.testing.assert_close(getattr(batch.notes, field.name), getattr(expected, field.name))
        counts, fewer = ((~notes.padding).sum() for notes in (batch.notes, intact.notes))
        assert (counts > fewer) == (tempo > 1)

    @pytest.mark.parametrize("arm", ["D0", "d4a4cm"])
    def test_a_tempo_is_embedding_the_file_played_so_fast(self, few: Corpus, arm: str):
        """In the tower of the sound too, where that takes a descriptor of the notes."""
        model = model_of(arm)
        conditions = [Condition(f"played {tempo:g}", "notes", tempo=tempo) for tempo in (0.9, 1.0, 1.1)]
        slower, same, faster = conditions
        found = embed_conditions(ModelUnderTest(model, "tiny", few, 42), conditions)
        assert same.towers(model) == ()
        assert found.under[same.name].notes is found.intact.notes
        for condition in (slower, faster):
            rows: dict[str, list[np.ndarray]] = {"audio": [], "notes": []}
            with torch.no_grad():
                for one in few.recordings:
                    batch = replace(windows_of(one), notes=collate_notes(played(one, condition.tempo)))
                    for side, parts in rows.items():
                        parts.append(model.encode(side, batch, model.describe(batch))[0].numpy())  # type: ignore[arg-type]
            for side, parts in rows.items():
                under = getattr(found.under[condition.name], side)
                np.testing.assert_allclose(under, unit(np.concatenate(parts)), atol=2e-5)
                moved = np.abs(under - getattr(found.intact, side)).max() > 1e-3
                assert moved == (side in condition.towers(model))

    @pytest.mark.parametrize(
        ("arm", "reached"),
        [
            ("d4a4", {"mirrored": {"notes"}, "noisy": {"audio"}, "zero A4": {"audio"}}),
            ("a4r", {"mirrored": {"notes"}, "noisy": {"audio"}, "zero A4": {"audio"}}),
            ("d4a4cm", {"mirrored": {"audio", "notes"}, "noisy": {"audio", "notes"}, "zero A4": {"notes"}}),
        ],
    )
    def test_only_towers_that_see_the_change_give_other_rows(self, few: Corpus, arm: str, reached):
        model = model_of(arm)
        conditions = [
            Condition("mirrored", "notes", mirrored),
            Condition("noisy", "audio", noisy),
            Condition("zero A4", "audio", descriptors=zero_a4),
        ]
        found = embed_conditions(ModelUnderTest(model, "tiny", few, 42), conditions)
        for condition in conditions:
            assert set(condition.towers(model)) == reached[condition.name]
            for side in ("audio", "notes"):
                rows, intact = getattr(found.under[condition.name], side), getattr(found.intact, side)
                assert (rows is not intact) == (side in reached[condition.name])
                assert ((np.abs(rows - intact).max(axis=1) > 1e-4) == (side in reached[condition.name])).all()

    def test_chance_depends_on_the_seed_and_the_name_alone(self, tested: ModelUnderTest):
        noise, other = Condition("noisy", "audio", noisy), Condition("noisier", "audio", noisy)
        first = embed_conditions(tested, [noise, other]).under
        again = embed_conditions(tested, [other, Condition("up", "notes", up), noise]).under
        elsewhere = embed_conditions(replace(tested, seed=7), [noise]).under
        np.testing.assert_array_equal(first["noisy"].audio, again["noisy"].audio)
        assert np.abs(first["noisy"].audio - first["noisier"].audio).max() > 1e-4
        assert np.abs(first["noisy"].audio - elsewhere["noisy"].audio).max() > 1e-4

    def test_batches_mix_recordings_so_that_most_stand_ins_are_of_another(self, tested: ModelUnderTest, monkeypatch):
        monkeypatch.setattr(
            "antiphon.experiments.analysis.conditions._BATCH", 6
        )  # as many as the windows of one recording
        owners: list[tuple[int, int]] = []
        with torch.no_grad():
            own = [tested.model.describe(windows_of(one))["a4"].values for one in tested.corpus.recordings]

        def owner(values: torch.Tensor) -> int:
            return int(np.argmin([float((mine - values).abs().amax(dim=(1, 2)).min()) for mine in own]))

        def shuffle(found: Mapping[str, Tokens], generator: torch.Generator) -> Mapping[str, Tokens]:
            moved = alter(found["a4"], "shuffle", generator)
            owners.extend(zip(map(owner, found["a4"].values), map(owner, moved.values), strict=True))
            return {**found, "a4": moved}

        embed_conditions(tested, [Condition("shuffle A4", "audio", descriptors=shuffle)])
        assert len(owners) == 18
        assert sum(mine != other for mine, other in owners) >= 9

    def test_windows_with_nothing_in_them_stay_rows_of_zeros(self, few: Corpus, tmp_path):
        one = few.recordings[0]
        assert one.audio_path is not None
        samples = read_samples(one.audio_path, RATE_HZ, 0.0, LENGTH_S)
        faint = np.random.default_rng(0).choice([-3.1e-5, 3.1e-5], 5 * RATE_HZ)  # noise as strong would be heard
        samples[: 5 * RATE_HZ] = faint
        write_flac(tmp_path / "late.flac", samples, RATE_HZ)
        silent = replace(few, recordings=(replace(one, audio_path=tmp_path / "late.flac"),))

        def away(batch: Batch, generator: torch.Generator) -> Batch:
            return replace(batch, notes=transposed(batch.notes, 127))

        conditions = [Condition("noisy", "audio", noisy), Condition("away", "notes", away)]
        found = embed_conditions(ModelUnderTest(model_of("d4a4"), "tiny", silent, 42), conditions)
        batch = windows_of(silent.recordings[0])
        quiet = np.array([is_silent(window) for window in batch.audio.numpy()])
        assert 0 < quiet.sum() < len(quiet)
        for segments in (found.intact, *found.under.values()):
            np.testing.assert_array_equal(~segments.audio.any(axis=1), quiet)
        assert found.intact.notes.any(axis=1).all()
        assert not found.under["away"].notes.any()

    def test_windows_without_notes_at_a_tempo_are_rows_of_zeros(self, few: Corpus, tmp_path):
        write_midi(Notes.of([3.8, 8.2], [0.1, 0.1], [60, 64], [80, 80]), tmp_path / "sparse.mid")
        sparse = replace(few, recordings=(replace(few.recordings[0], notes_path=tmp_path / "sparse.mid"),))
        conditions = [Condition("slower", "notes", tempo=0.9), Condition("faster", "notes", tempo=1.1)]
        found = embed_conditions(ModelUnderTest(model_of("d4a4"), "tiny", sparse, 42), conditions)
        empty = {"intact": {4}, "slower": {0, 4}, "faster": {4}}  # 4–8 s; 0–3.6 s; 4–8.4 s, which was empty before
        for name, segments in {"intact": found.intact, **found.under}.items():
            assert set(np.flatnonzero(~segments.notes.any(axis=1)).tolist()) == empty[name]
            assert segments.audio.any(axis=1).all()

    def test_files_that_cannot_be_read_are_skipped_and_named(self, tested: ModelUnderTest, tmp_path):
        (tmp_path / "broken.flac").write_bytes(b"nothing of the kind")
        first, *others = tested.corpus.recordings
        broken = replace(first, audio_path=tmp_path / "broken.flac")
        found = embed_conditions(replace(tested, corpus=replace(tested.corpus, recordings=(broken, *others))), [])
        assert [one.id for one in found.intact.table.recordings] == [one.id for one in others]
        (named,) = found.facts()["skipped"]
        assert "broken.flac" in named
        with pytest.raises(AntiphonError, match=r"none of its 1 recordings can be read.*broken\.flac"):
            embed_conditions(replace(tested, corpus=replace(tested.corpus, recordings=(broken,))), [])

    @pytest.mark.parametrize(
        "lies",
        [
            Condition("lies", "audio", up),
            Condition("lies", "notes", descriptors=zero_a4),
            Condition("lies", "audio", tempo=1.1),
        ],
        ids=["windows", "descriptors", "tempo"],
    )
    def test_a_condition_that_changes_the_other_side_is_refused(self, tested: ModelUnderTest, lies: Condition):
        with pytest.raises(ValueError, match="condition lies: declared to change"):
            embed_conditions(tested, [lies])

    def test_two_conditions_of_one_name_are_refused(self, tested: ModelUnderTest):
        with pytest.raises(ValueError, match="the same name"):
            embed_conditions(tested, [Condition("up", "notes", up)] * 2)


def test_scores_are_those_of_the_papers_protocol(tested: ModelUnderTest):
    segments = embed_conditions(tested, [Condition("noisy", "audio", noisy), Condition("nothing", "notes")])
    scores = score_conditions(segments, 42)
    for score, embedded in ((scores.intact, segments.intact), (scores.under["noisy"], segments.under["noisy"])):
        expected = score_embeddings(embedded, "paper", 42)
        assert expected["S"] == pytest.approx(score.S)
        assert (score.a2m_R10, score.m2a_R10) == pytest.approx((expected["a2m"]["R@10"], expected["m2a"]["R@10"]))
        assert [score.low, score.high] == pytest.approx(expected["intervals_95"]["pieces"]["S"], abs=1e-3)
        assert scores.chance == pytest.approx(expected["chance"]["R@10"])
    noisy_score, nothing = scores.under["noisy"], scores.under["nothing"]
    assert noisy_score.difference == pytest.approx(noisy_score.S - scores.intact.S)
    assert noisy_score.difference_low <= noisy_score.difference <= noisy_score.difference_high
    assert (nothing.difference, nothing.difference_low, nothing.difference_high) == (0.0, 0.0, 0.0)


class TestChanges:
    def test_transposing_there_and_back_changes_nothing(self):
        notes = random_batch().notes  # pitches 30 to 89
        back = transposed(transposed(notes, 6), -6)
        for name in ("onset_s", "duration_s", "pitch", "velocity", "padding"):
            assert torch.equal(getattr(back, name), getattr(notes, name))

    def test_notes_that_leave_the_keyboard_are_as_if_never_played(self):
        rng = np.random.default_rng(0)
        windows = [random_notes(rng, count) for count in (12, 30)]
        moved = transposed(collate_notes(windows), 60)
        expected = collate_notes(
            [
                Notes(w.onset_s[k], w.duration_s[k], w.pitch[k] + 60, w.velocity[k])
                for w in windows
                for k in [w.pitch < 68]
            ]
        )
        width = expected.padding.shape[1]
        assert int((~moved.padding).sum()) in range(1, 42)
        assert moved.padding[:, width:].all()
        for name in ("onset_s", "duration_s", "pitch", "velocity", "padding"):
            assert torch.equal(getattr(moved, name)[:, :width], getattr(expected, name))

    def test_velocities_are_rounded_and_kept_in_range(self):
        notes = collate_notes([Notes.of([0, 1, 2, 3], [1] * 4, [60] * 4, [1, 33, 100, 127]), Notes.of([], [], [], [])])
        assert with_velocity(notes, 1.5).velocity.tolist() == [[2, 50, 127, 127], [0] * 4]
        assert with_velocity(notes, 0.1).velocity.tolist() == [[1, 3, 10, 13], [0] * 4]
        assert torch.equal(with_velocity(notes, 1.0).velocity, notes.velocity)

    @pytest.mark.parametrize("snr_db", [40, 5])
    def test_noise_has_the_level_asked_for_in_every_window(self, snr_db: int):
        audio = random_batch().audio * torch.tensor([[1.0], [0.01], [0.0]])
        noise = with_noise(audio, snr_db, torch.Generator().manual_seed(1)) - audio
        found_db = 10 * torch.log10(audio[:2].square().mean(dim=1) / noise[:2].square().mean(dim=1))
        torch.testing.assert_close(found_db, torch.full((2,), float(snr_db)), atol=0.1, rtol=0)
        assert not noise[2].any()
        assert abs(float(torch.corrcoef(noise[:2])[0, 1])) < 0.02

    @pytest.mark.parametrize("samples", [-8000, -4000, 0, 4000])
    def test_a_shift_delays_by_so_many_samples_and_fills_with_zeros(self, samples: int):
        audio = random_batch().audio
        expected = np.zeros_like(audio)
        for sample in range(0, audio.shape[1], 97):  # a click train's worth of samples says it all
            if 0 <= sample - samples < audio.shape[1]:
                expected[:, sample] = audio[:, sample - samples]
        np.testing.assert_array_equal(shifted(audio, samples)[:, ::97], expected[:, ::97])
        assert shifted(audio, 8000)[:, :8000].abs().max() == 0.0
        assert shifted(audio, -8000)[:, -8000:].abs().max() == 0.0
