"""Training: batches, freeze policy, and runs with equal results with and without interruption."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader

from antiphon.augmentation import Augmentation
from antiphon.corpora import Corpus, open_corpus
from antiphon.errors import AntiphonError
from antiphon.evaluation.protocols import score_embeddings
from antiphon.io.audio import read_samples
from antiphon.io.files import content_hash
from antiphon.io.formats import to_plain
from antiphon.models.arms import find_arm
from antiphon.models.corpus_embedding import embed_corpus
from antiphon.models.descriptors import describe
from antiphon.models.embedder import ModelEmbedder
from antiphon.models.loading import load_model
from antiphon.models.network import DualEncoder, ModelConfig
from antiphon.models.saving import RUN_MODEL, load_dual_encoder, save_model, weights_hash
from antiphon.training import loop
from antiphon.training.batches import TrainingBatches
from antiphon.training.config import RunConfig, prepare_run
from antiphon.training.initialisation import start_from
from antiphon.training.loop import resume_run, start_run
from antiphon.training.losses import LOSSES
from antiphon.training.presets import RateRule, find_preset
from antiphon.training.rates import apply_rates, count_parameters
from antiphon.training.sample_cache import open_sample_cache

KILLED_AFTER_CHECKPOINT = """
import os, signal, sys
from pathlib import Path
from antiphon import cli
from antiphon.training import loop

checkpoint, step, steps = Path(sys.argv[-1]) / "checkpoint.pt", loop.training_step, 0


def counted(*args):
    global steps
    steps += checkpoint.exists()
    if steps == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*args)


loop.training_step = counted
cli.main()
"""
"""The command line, killed by SIGKILL in the third step after its first checkpoint."""
WEIGHTS = f"{RUN_MODEL}/model.safetensors"


@pytest.fixture(scope="module")
def pairs(demo: Corpus) -> Corpus:
    return replace(demo.split("test"), recordings=demo.split("test").recordings[:4])


@pytest.fixture(scope="module")
def finished(demo: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run without interruption."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    start_run(folder, *prepare_run(["demo"], "d4a4", "tiny", split="test", epochs=2, seed=5))
    return folder


def digest(run: Path) -> str:
    """Hash of a run's weights; pytest would take half an hour to show the difference of two megabytes."""
    return content_hash(run / WEIGHTS)


def batches(corpus: Corpus, seed: int = 0, steps: int = 20) -> TrainingBatches:
    return TrainingBatches(open_sample_cache(corpus, 24_000, 4.0), 24_000, 4.0, batch_size=6, steps=steps, seed=seed)


class TestBatches:
    def test_for_late_fusion_are_others_that_are_aligned_and_complete(self, pairs: Corpus):
        cache = open_sample_cache(pairs, 24_000, 4.0)
        augmentation = Augmentation(loose=1.0, shift_s=0.1, tempo=1.2, partial=1.0, partial_s=1.0)
        loose = TrainingBatches(cache, 24_000, 4.0, 6, steps=20, seed=0, group=3, augmentation=augmentation)
        fitting = loose.for_late_fusion(2)
        assert len(fitting) == 2
        assert len(loose) == 20
        assert fitting[0].false_negatives is None
        plain = TrainingBatches(cache, 24_000, 4.0, 6, steps=3, seed=0)
        drawn = [plain[step].audio for step in range(3)]
        for step in range(2):
            batch = fitting[step]
            assert not any(torch.equal(batch.audio, other) for other in drawn)
            assert (batch.audio[:, :2400].abs().amax(dim=1) > 0).any()
            found = describe(batch, ["onset_strength", "predicted_onsets"], 24_000)
            cosine = (found["onset_strength"].values * found["predicted_onsets"].values).sum(dim=(1, 2))
            assert cosine.mean() > 0.35  # 0.2 with shifts, tempo differences and empty parts

    def test_depend_on_seed_and_step_only(self, pairs: Corpus):
        one, same, other = batches(pairs), batches(pairs), batches(pairs, seed=1)
        assert torch.equal(one[3].audio, same[3].audio)
        assert torch.equal(one[3].notes.pitch, same[3].notes.pitch)
        assert not torch.equal(one[3].audio, one[4].audio)
        assert not torch.equal(one[3].audio, other[3].audio)

    def test_start_at_arbitrary_times_with_aligned_modalities(self, pairs: Corpus):
        batch = batches(pairs)[0]
        assert batch.audio.shape == (6, 96_000)
        assert batch.audio.abs().max() <= 1.0
        for row in range(6):
            onsets = batch.notes.onset_s[row][~batch.notes.padding[row]].numpy()
            onsets = onsets[(onsets > 0.3) & (onsets < 3.5)]
            level = batch.audio[row].abs().numpy()
            after, before = (
                np.mean([level[int((at + shift) * 24_000) :][:720].max() for at in onsets]) for shift in (0.01, -0.04)
            )
            assert after > before, "the level rises at onsets"
        starts = {float(batches(pairs)[step].notes.onset_s[0, 0] % 1) for step in range(5)}
        assert len(starts) == 5

    def test_the_cache_is_decoded_once(self, pairs: Corpus, monkeypatch: pytest.MonkeyPatch):
        first = open_sample_cache(pairs, 24_000, 4.0)
        monkeypatch.setattr("antiphon.training.sample_cache.read_sound", None)
        again = open_sample_cache(pairs, 24_000, 4.0)
        assert all(map(np.array_equal, first.samples, again.samples))
        assert len(again.recordings) == 4

    def test_the_cache_detects_other_audio_of_equal_size(self, pairs: Corpus, tmp_path: Path):
        recordings = []
        for one in pairs.recordings:
            assert one.audio_path is not None
            path = tmp_path / f"{len(recordings)}.wav"
            soundfile.write(path, read_samples(one.audio_path, 24_000), 24_000)
            recordings.append(replace(one, audio_path=path))
        corpus = replace(pairs, recordings=tuple(recordings))
        first = open_sample_cache(corpus, 24_000, 4.0)
        path = recordings[0].audio_path
        sound = read_samples(path, 24_000)
        written, size = path.stat().st_mtime_ns, path.stat().st_size
        soundfile.write(path, -sound, 24_000)
        os.utime(path, ns=(written + 1, written + 1))
        assert path.stat().st_size == size
        again = open_sample_cache(corpus, 24_000, 4.0)
        np.testing.assert_array_equal(again.samples[0], -first.samples[0])

    def test_unreadable_audio_is_skipped_and_named(self, pairs: Corpus, tmp_path: Path):
        broken = tmp_path / "broken.flac"
        broken.write_bytes(b"no sound")
        recordings = (replace(pairs.recordings[0], audio_path=broken), *pairs.recordings[1:])
        cache = open_sample_cache(replace(pairs, recordings=recordings), 24_000, 4.0)
        assert [error.path for error in cache.skipped] == [broken]
        assert cache.recordings == pairs.recordings[1:]

    def test_are_pickled_without_their_samples(self, pairs: Corpus):
        original = batches(pairs)
        pickled = pickle.dumps(original)
        stored = sum(samples.nbytes for samples in original._cache.samples)
        assert len(pickled) < 200_000 < stored / 10
        again = pickle.loads(pickled)
        assert all(isinstance(samples, np.memmap) for samples in again._cache.samples)
        assert all(map(np.array_equal, original._cache.samples, again._cache.samples))

    def test_are_the_same_from_a_spawned_worker(self, pairs: Corpus):
        original = batches(pairs, steps=2)
        loader = DataLoader(original, batch_size=None, num_workers=1, multiprocessing_context="spawn")
        for step, batch in enumerate(loader):
            torch.testing.assert_close(batch.audio, original[step].audio, rtol=0, atol=0)

    def test_a_cache_removed_while_in_use_is_named(self, pairs: Corpus, tmp_path: Path):
        (file,) = open_sample_cache(pairs, 24_000, 4.0).files
        with pytest.raises(AntiphonError, match="the sample cache was removed while in use; start again"):
            replace(file, path=tmp_path / "gone.int16").map()

    def test_a_corpus_of_silence_is_an_error(self, pairs: Corpus, tmp_path: Path):
        cache = open_sample_cache(pairs, 24_000, 4.0)
        (file,) = cache.files
        np.zeros(file.offset[-1], np.int16).tofile(tmp_path / "silent.int16")
        silent = replace(cache, files=(replace(file, path=tmp_path / "silent.int16"),))
        with pytest.raises(AntiphonError, match="silent or without notes"):
            TrainingBatches(silent, 24_000, 4.0, 2, 2, 0)[0]


class TestRates:
    def test_freeze_parameters_by_the_policy(self, finished: Path):
        ended = load_dual_encoder(finished / RUN_MODEL)
        torch.manual_seed(5)  # the run's seed gives its initial weights
        begun, ended = DualEncoder(ended.config).state_dict(), ended.state_dict()
        frozen = [name for name in begun if name.startswith(("towers.audio.front", "towers.audio.positions"))]
        trained = [name for name in begun if name.endswith("weight") and name not in frozen]
        assert frozen
        assert all(torch.equal(begun[name], ended[name]) for name in frozen)
        assert not any(torch.equal(begun[name], ended[name]) for name in trained)

    def test_of_each_part_are_the_published_ones(self):
        preset = find_preset("paper")
        with torch.device("meta"):
            model = DualEncoder(ModelConfig(find_arm("d4a4"), preset.sizes))
        groups = apply_rates(model, preset.training.rates)
        rate_of = {id(parameter): group["base_lr"] for group in groups for parameter in group["params"]}
        named = dict(model.named_parameters())
        expected = {
            "towers.audio.layers.0.qkv.weight": 5e-6,
            "towers.audio.layers.1.norm_ffn.bias": 5e-6,
            "towers.audio.layers.3.expand.weight": 1e-5,
            "towers.notes.pitch.weight": 5e-5,
            "heads.notes.out.bias": 1e-4,
            "injections.1.mix.weight": 5e-4,
        }
        assert {name: rate_of[id(named[name])] for name in expected} == expected
        assert id(named["towers.audio.positions"]) not in rate_of

    def test_a_parameter_without_a_rule_is_an_error(self):
        model = torch.nn.Linear(2, 2)
        with pytest.raises(AntiphonError, match="no learning-rate rule matches the parameter 'bias'"):
            apply_rates(model, [RateRule("weight", 1e-3)])

    def test_count_trainable_parameters(self):
        model = torch.nn.Linear(2, 3)
        apply_rates(model, [RateRule("weight", None), RateRule("*", 1e-3)])
        assert count_parameters(model) == {"total": 9, "trainable": 3}


class TestRun:
    def test_learns(self, finished: Path):
        rows = (finished / "log.csv").read_text(encoding="utf-8").splitlines()
        result = json.loads((finished / "result.json").read_text(encoding="utf-8"))
        assert rows[0].startswith("step,invariance,variance,covariance")
        assert result["steps"] == 20
        assert result["segments"] == 160
        assert len(result["data_hash"]) == 64
        first = DualEncoder(load_dual_encoder(finished / RUN_MODEL).config).train()
        trained = load_dual_encoder(finished / RUN_MODEL).train()
        batch = batches(open_corpus("demo").split("test"), seed=99)[0]
        with torch.no_grad():
            losses = [
                sum(LOSSES["vicreg"].compute(embedded.audio, embedded.notes).values())
                for embedded in (first(batch), trained(batch))
            ]
        assert losses[1] < losses[0]

    def test_equal_seeds_give_equal_weights_and_others_do_not(self, finished: Path, tmp_path: Path):
        for folder, seed in (("same", 5), ("other", 6)):
            start_run(tmp_path / folder, *prepare_run(["demo"], "d4a4", "tiny", split="test", epochs=2, seed=seed))
        assert digest(tmp_path / "same") == digest(finished)
        assert digest(tmp_path / "other") != digest(finished)

    def test_killed_and_resumed_is_bit_identical(self, finished: Path, tmp_path: Path):
        folder = tmp_path / "killed"
        options = ["--split", "test", "--arm", "d4a4", "--preset", "tiny", "--epochs", "2", "--seed", "5"]
        command = [sys.executable, "-c", KILLED_AFTER_CHECKPOINT, "train", "demo", *options, "--out", str(folder)]
        environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
        assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
        assert (folder / "checkpoint.pt").exists()
        assert not (folder / "result.json").exists()
        resume_run(folder)
        assert digest(folder) == digest(finished)
        steps = [line.split(",")[0] for line in (folder / "log.csv").read_text(encoding="utf-8").splitlines()[1:]]
        assert steps == ["20"]

    def test_a_finished_run_is_not_trained_again(self, finished: Path):
        before = (finished / WEIGHTS).stat().st_mtime_ns
        assert resume_run(finished)["steps"] == 20
        assert (finished / WEIGHTS).stat().st_mtime_ns == before

    def test_a_folder_with_content_is_an_error_that_names_the_option(self, finished: Path):
        with pytest.raises(AntiphonError, match="--resume"):
            start_run(finished, *prepare_run(["demo"], "D0", "tiny", split="test", epochs=1, seed=0))

    def test_contradicting_settings_are_an_error_before_the_folder_exists(self, tmp_path: Path):
        corpora, config = prepare_run(["demo"], "D0", "tiny", split="test", epochs=1, seed=0)
        config = replace(config, training=replace(config.training, queue_size=8))  # vicreg has no negatives
        with pytest.raises(AntiphonError, match="uses no embedding queue"):
            start_run(tmp_path / "run", corpora, config)
        assert not (tmp_path / "run").exists()

    def test_no_epochs_need_an_arm_with_late_fusion(self, finished: Path):
        with pytest.raises(AntiphonError, match="arm d4a4 has nothing to train"):
            prepare_run(["demo"], "d4a4", "tiny", split="test", epochs=0, init_from=finished / RUN_MODEL)

    def test_changed_data_are_an_error(self, tmp_path: Path):
        corpora, config = prepare_run(["demo"], "D0", "tiny", split="test", epochs=1, seed=0)
        folder = tmp_path / "run"
        start_run(folder, corpora, replace(config, data_hash="0" * 64))
        (folder / "result.json").unlink()
        with pytest.raises(AntiphonError, match="data have changed"):
            resume_run(folder)

    def test_is_resumed_from_another_folder_and_after_a_move_of_its_data(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        """Nothing is trained here: a replacement of the loop records the reopened config."""
        found: list[RunConfig] = []

        def note(_: Path, __: object, config: RunConfig, ___: object) -> dict[str, object]:
            found.append(config)
            return {}

        monkeypatch.setattr(loop, "_run_to_end", note)
        monkeypatch.chdir(folder.parent)
        save_model(DualEncoder(ModelConfig(find_arm("D0"), find_preset("tiny").sizes)), Path("model"), "")
        run = tmp_path / "run"
        start_run(run, *prepare_run([folder.name], "D0", "tiny", epochs=1, init_from=Path("model")))
        monkeypatch.chdir("/")
        resume_run(run)
        assert to_plain(found[-1]) == to_plain(found[0])
        assert found[-1].corpora == (str(folder),)
        moved, init_from = folder.rename(tmp_path / "moved"), (folder.parent / "model").rename(tmp_path / "its model")
        with pytest.raises(AntiphonError, match=rf"{folder.name}: .*antiphon train CORPUS… --resume {run}"):
            resume_run(run)
        with pytest.raises(AntiphonError, match="the data have changed"):
            resume_run(run, corpora=["demo"])
        resume_run(run, corpora=[str(moved)], init_from=init_from)
        assert (found[-1].corpora, found[-1].init_from) == ((str(moved),), str(init_from))
        resume_run(run)
        assert found[-1] == found[-2]
        save_model(DualEncoder(ModelConfig(find_arm("A4"), find_preset("tiny").sizes)), tmp_path / "other", "")
        with pytest.raises(AntiphonError, match="its weights are not those that"):
            resume_run(run, init_from=tmp_path / "other")

    def test_a_folder_without_a_run_is_named(self, tmp_path: Path):
        with pytest.raises(AntiphonError, match="not a run folder"):
            resume_run(tmp_path)

    def test_a_diverging_loss_stops_the_run(self, tmp_path: Path):
        corpora, config = prepare_run(["demo"], "D0", "tiny", split="test", epochs=1, seed=0)
        wild = tuple(replace(rule, learning_rate=rule.learning_rate and 1e30) for rule in config.training.rates)
        config = replace(config, training=replace(config.training, rates=wild, clip_norm=1e30))
        with pytest.raises(AntiphonError, match="lower the learning rates"):
            start_run(tmp_path / "run", corpora, config)


def test_late_fusion_is_fitted_at_the_end_and_after_an_interruption(
    demo: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The run is interrupted during the fit, and resumed without training the towers again.

    Ten steps are too few to train towers, and 80 windows are few for the fit: 70 % when this was written.
    """

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    prepared = prepare_run(["demo"], "onsets", "tiny", split="train", epochs=1, seed=5)
    with monkeypatch.context() as patched:
        patched.setattr(loop, "fit_late_fusion", stopped)
        with pytest.raises(KeyboardInterrupt):
            start_run(tmp_path / "run", *prepared)
    with monkeypatch.context() as patched:
        patched.setattr(loop, "training_step", stopped)
        result = resume_run(tmp_path / "run")
    assert (result["steps"], result["dimensions"]) == (10, 192)
    embedder = load_model(tmp_path / "run" / RUN_MODEL)
    assert isinstance(embedder, ModelEmbedder)
    assert embedder.model.late_fusion is not None
    found = whole_pool(embedder, demo)
    at_random = []  # 34 to 66 %
    for seed in range(3):
        torch.nn.init.normal_(embedder.model.late_fusion.map, generator=torch.Generator().manual_seed(seed))
        at_random.append(whole_pool(embedder, demo))
    assert found > 60
    assert found > max(at_random)
    assert found > np.mean(at_random) + 10


def whole_pool(embedder: ModelEmbedder, demo: Corpus) -> float:
    """R@1 among all windows of the demo's test split, worse direction."""
    scores = score_embeddings(embed_corpus(embedder, demo.split("test")), "strict")["whole_pool"]
    return min(scores[way]["R@1"] for way in ("a2m", "m2a"))


@pytest.mark.parametrize(("arm", "other"), [("onsets", "D0"), ("D0", "onsets")])
def test_weights_are_copied_with_and_without_late_fusion(arm: str, other: str, tmp_path: Path):
    model, later = (DualEncoder(ModelConfig(find_arm(name), find_preset("tiny").sizes)) for name in (arm, other))
    save_model(model, tmp_path, "A tiny model.")
    before = dict(later.state_dict())
    start_from(later, tmp_path, weights_hash(tmp_path))
    for name, tensor in later.state_dict().items():
        expected = before[name] if name == "late_fusion.map" else model.state_dict()[name]
        assert torch.equal(tensor, expected)


def test_weights_of_injections_are_copied_to_equal_injections(tmp_path: Path):
    sizes = find_preset("tiny").sizes
    model, later, another = (DualEncoder(ModelConfig(find_arm(name), sizes)) for name in ("A4", "d4a4", "A8"))
    save_model(model, tmp_path, "A tiny model.")
    start_from(later, tmp_path, weights_hash(tmp_path))
    (index,) = (at for at, one in enumerate(later.config.arm.injected) if (one.descriptor, one.into) == ("a4", "audio"))
    assert index != 0
    for name, tensor in model.injections[0].state_dict().items():
        assert torch.equal(later.injections[index].state_dict()[name], tensor)
    # Equal dimensions, another descriptor.
    save_model(another, tmp_path, "A tiny model.")
    with pytest.raises(AntiphonError, match=r"the first is injections\.a8\."):
        start_from(DualEncoder(ModelConfig(find_arm("A7"), sizes)), tmp_path, weights_hash(tmp_path))


def test_no_epochs_need_init_from():
    with pytest.raises(AntiphonError, match="0 epochs only fit late fusion on trained towers"):
        prepare_run(["demo"], "onsets", "tiny", epochs=0)


def test_late_fusion_needs_batches(tmp_path: Path):
    corpora, config = prepare_run(["demo"], "onsets", "tiny", split="test", epochs=1)
    config = replace(config, training=replace(config.training, late_fusion_batches=0))
    with pytest.raises(AntiphonError, match="needs late_fusion_batches"):
        start_run(tmp_path / "run", corpora, config)
