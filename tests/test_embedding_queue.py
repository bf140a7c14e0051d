"""The embedding queue: negatives of earlier batches, first in, first out, in checkpoints; partly empty windows."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import antiphon.training.loop as loop
from antiphon.augmentation import Augmentation
from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError
from antiphon.models.saving import RUN_MODEL
from antiphon.training.batches import TrainingBatches
from antiphon.training.config import RunConfig, prepare_run
from antiphon.training.embedding_queue import EmbeddingQueue
from antiphon.training.loop import resume_run, start_run
from antiphon.training.losses import QueuedEmbeddings
from antiphon.training.losses.info_nce import info_nce
from antiphon.training.sample_cache import open_sample_cache


def embeddings(count: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(count, 3)))


class TestEmbeddingQueue:
    def test_keeps_the_last_and_drops_the_oldest(self):
        queue, work = EmbeddingQueue(5), torch.tensor([0, 1, 2])
        assert queue.queued(work) is None
        for step in range(3):
            queue.add(embeddings(3, step), embeddings(3, 10 + step), work + 3 * step)
        queued = queue.queued(torch.tensor([4, 8]))
        assert queued is not None
        torch.testing.assert_close(queued.audio, torch.cat([embeddings(3, 1)[1:], embeddings(3, 2)]).float())
        torch.testing.assert_close(queued.notes, torch.cat([embeddings(3, 11)[1:], embeddings(3, 12)]).float())
        assert queued.false_negatives.tolist() == [
            [True, False, False, False, False],
            [False, False, False, False, True],
        ]

    def test_has_no_gradient(self):
        queue, audio = EmbeddingQueue(4), embeddings(2, 0).requires_grad_()
        queue.add(audio, audio, torch.tensor([0, 1]))
        queued = queue.queued(torch.tensor([2]))
        assert queued is not None
        assert not queued.audio.requires_grad

    def test_is_restored_from_its_state(self):
        queue, again, work = EmbeddingQueue(5), EmbeddingQueue(5), torch.tensor([0, 1, 2])
        queue.add(embeddings(3, 0), embeddings(3, 1), work)
        again.load_state_dict(queue.state_dict())
        for one in (queue, again):
            one.add(embeddings(3, 2), embeddings(3, 3), work)
        first, second = queue.queued(work), again.queued(work)
        assert first is not None
        assert second is not None
        assert torch.equal(first.audio, second.audio)
        assert torch.equal(first.false_negatives, second.false_negatives)


def test_info_nce_with_a_queue_equals_its_formula_typed_slowly():
    audio, notes, past_audio, past_notes = (embeddings(count, seed) for seed, count in enumerate((4, 4, 3, 3)))
    false_negatives = torch.zeros(4, 3, dtype=torch.bool)
    false_negatives[1, 2] = false_negatives[3, 0] = True

    def cosine(one: torch.Tensor, other: torch.Tensor) -> float:
        return float(one @ other / one.norm() / other.norm())

    forwards = backwards = 0.0
    for i in range(4):
        for queries, candidates, earlier, forward in (
            (audio, notes, past_notes, True),
            (notes, audio, past_audio, False),
        ):
            positive = math.exp(cosine(queries[i], candidates[i]) / 0.03)
            everything = sum(math.exp(cosine(queries[i], candidate) / 0.03) for candidate in candidates)
            everything += sum(
                math.exp(cosine(queries[i], negative) / 0.03)
                for j, negative in enumerate(earlier)
                if not false_negatives[i, j]
            )
            if forward:
                forwards -= math.log(positive / everything)
            else:
                backwards -= math.log(positive / everything)
    terms = info_nce(audio, notes, None, QueuedEmbeddings(past_audio, past_notes, false_negatives))
    assert float(terms["audio_to_notes"]) == pytest.approx(forwards / 8)
    assert float(terms["notes_to_audio"]) == pytest.approx(backwards / 8)
    assert float(info_nce(audio, notes)["audio_to_notes"]) < float(terms["audio_to_notes"])


class TestRunsWithAQueue:
    def config(
        self, queue_size: int, loss: str = "info_nce", queue_from_step: int = 0, arm: str = "D0"
    ) -> tuple[tuple[Corpus, ...], RunConfig]:
        corpora, config = prepare_run(["demo"], arm, "tiny", split="test", epochs=1, seed=5)
        training = replace(
            config.training,
            loss=loss,
            queue_size=queue_size,
            queue_from_step=queue_from_step,
            checkpoint_every=4,
        )
        return corpora, replace(config, training=training)

    @pytest.mark.parametrize("arm", ["D0", "moe-a4-v2"])
    def test_stopped_and_resumed_end_bit_identical(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arm: str):
        """The second arm draws noise at every step, from the generator that a checkpoint restores."""
        start_run(tmp_path / "whole", *self.config(40, arm=arm))
        saved = loop.save_checkpoint

        def save_and_stop(*state):
            saved(*state)
            raise KeyboardInterrupt

        monkeypatch.setattr(loop, "save_checkpoint", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            start_run(tmp_path / "stopped", *self.config(40, arm=arm))
        monkeypatch.undo()
        resume_run(tmp_path / "stopped")
        start_run(tmp_path / "no queue", *self.config(0, arm=arm))
        whole, stopped, without = (
            (tmp_path / name / RUN_MODEL / "model.safetensors").read_bytes()
            for name in ("whole", "stopped", "no queue")
        )
        assert whole == stopped != without

    def test_use_no_queue_before_its_first_step(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        used: list[bool] = []
        step = loop.training_step

        def recorded(*arguments):
            used.append(arguments[-1] is not None)
            return step(*arguments)

        monkeypatch.setattr(loop, "training_step", recorded)
        start_run(tmp_path / "late", *self.config(40, queue_from_step=3))
        assert len(used) > 5
        assert used == [False] * 3 + [True] * (len(used) - 3)

    def test_need_a_loss_that_uses_it(self, tmp_path: Path):
        with pytest.raises(AntiphonError, match="loss vicreg uses no embedding queue; set queue_size to 0, not 40"):
            start_run(tmp_path / "run", *self.config(40, "vicreg"))


class TestPartlyEmptyWindows:
    def test_one_modality_is_empty_at_one_end(self, demo: Corpus):
        cache = open_sample_cache(demo.split("train"), 24_000, 4.0)
        whole, part = (
            TrainingBatches(cache, 24_000, 4.0, 4, 10, seed=1, augmentation=Augmentation(partial=share, partial_s=1.0))
            for share in (0.0, 1.0)
        )
        sides, empty_s = [], []
        for seed in range(24):
            before, after = (batches._draw(np.random.default_rng(seed)) for batches in (whole, part))
            assert (before.recording, before.start_s) == (after.recording, after.start_s)
            if np.array_equal(before.sound, after.sound):
                assert len(after.notes) <= len(before.notes)
                inside = set(zip(before.notes.onset_s.tolist(), before.notes.pitch.tolist(), strict=True))
                assert set(zip(after.notes.onset_s.tolist(), after.notes.pitch.tolist(), strict=True)) <= inside
                sides.append("notes")
                continue
            changed = np.flatnonzero(before.sound != after.sound)
            assert not after.sound[changed].any()
            assert len(before.notes) == len(after.notes)
            first, last = changed[0] / 24_000, changed[-1] / 24_000
            assert last <= 1.0 or first >= 3.0
            sides.append("start" if last <= 1.0 else "end")
            empty_s.append(min(last, 4.0 - first))
        assert {*sides} == {"notes", "start", "end"}
        assert 0.5 < max(empty_s) <= 1.0

    def test_are_not_drawn_without_the_setting(self):
        rng = np.random.default_rng(0)
        assert Augmentation().draw_part(rng, 4.0) is None
        assert (
            rng.uniform() == np.random.default_rng(0).uniform()
        )  # draws nothing, so batches of other settings stay the same
        drawn = [Augmentation(partial=0.3, partial_s=0.5).draw_part(rng, 4.0) for _ in range(1000)]
        assert np.mean([one is not None for one in drawn]) == pytest.approx(0.3, abs=0.05)

    @pytest.mark.parametrize("wrong", [{"partial": 1.5}, {"partial_s": -0.1}])
    def test_bad_settings_are_an_error(self, wrong: dict[str, float]):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Augmentation(**wrong)
