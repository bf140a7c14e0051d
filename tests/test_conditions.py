"""Recording conditions: drawn by a seed, kept over a recording, and applied to renderings and to training samples."""

from __future__ import annotations

import re
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from antiphon.augmentation import Conditions, RecordingChain, record_whole
from antiphon.augmentation.conditions import CONDITION_RANGES, Condition
from antiphon.augmentation.rooms import draw_room
from antiphon.augmentation.sound import SoundAugmentation, augment_sound, draw_chain
from antiphon.augmentation.spectrum import Noise
from antiphon.corpora import Corpus, open_corpus
from antiphon.corpora.render import render
from antiphon.errors import AntiphonError
from antiphon.io.audio import read_samples, write_flac
from antiphon.io.cache import cache_folder
from antiphon.training import sample_cache
from antiphon.training.config import prepare_run, read_config
from antiphon.training.loop import start_run
from antiphon.training.sample_cache import open_sample_caches

RATE_HZ = 24_000
KEY = (1, 2, 3)


def music(seconds: float = 3.0) -> NDArray[np.float32]:
    """Decaying tones, one every half second."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    since = time_s % 0.5
    pitch_hz = 220.0 * 2.0 ** (np.floor(time_s / 0.5) / 12)
    return np.asarray(0.3 * np.sin(2 * np.pi * pitch_hz * since) * np.exp(-4 * since), np.float32)


def mean_power(samples: NDArray[np.float32]) -> float:
    return float(np.mean(samples.astype(np.float64) ** 2))


class TestConditions:
    def test_a_larger_set_begins_with_the_smaller_and_other_seeds_share_none(self):
        few, many, other = Conditions(4, 42), Conditions(64, 42), Conditions(64, 43)
        drawn = [many.condition(number, 2) for number in range(64)]
        assert [few.condition(number, 2) for number in range(4)] == drawn[:4]
        assert len({one.chain for one in drawn} | {other.condition(number, 2).chain for number in range(64)}) == 128
        assert (
            len({one.room_key for one in drawn} | {other.condition(number, 2).room_key for number in range(64)}) == 128
        )
        assert Counter(one.instrument for one in drawn) == {0: 32, 1: 32}
        assert {Conditions(1, seed).condition(0, 2).instrument for seed in range(20)} == {0, 1}

    def test_every_condition_has_room_microphone_noise_and_level(self):
        for number in range(64):
            chain = Conditions(64, 42).condition(number, 1).chain
            assert None not in (chain.room, chain.noise, chain.equaliser_db, chain.level_db)
            assert chain.drive is chain.clipping_at is chain.bits is None

    def test_recordings_are_spread_over_the_conditions_whatever_else_the_corpus_has(self):
        conditions = Conditions(16, 42)
        counts = Counter(conditions.number_of(f"2004/recording {number}") for number in range(1600))
        assert set(counts) == set(range(16))
        assert 60 < min(counts.values()) <= max(counts.values()) < 150
        assert [conditions.number_of(name) for name in ("a", "b", "c")] == [
            Conditions(16, 42).number_of(name) for name in ("a", "b", "c")
        ]

    @pytest.mark.parametrize(("count", "seed", "says"), [(0, 1, "conditions is 0"), (4, -1, "seed is -1")])
    def test_impossible_ones_are_refused(self, count: int, seed: int, says: str):
        with pytest.raises(AntiphonError, match=says):
            Conditions(count, seed)


class TestRecordedWhole:
    def test_the_microphone_equals_that_of_a_window(self):
        off = dict.fromkeys(("clean", "room", "noise", "saturation", "clipping", "quantisation", "level"), 0.0)
        on = dict.fromkeys(("equaliser", "high_pass", "low_pass"), 1.0)
        settings = SoundAugmentation(**off, **on)
        chain = draw_chain(settings, np.random.default_rng(5))
        window = augment_sound(torch.from_numpy(music()[None]), settings, np.random.default_rng(5), RATE_HZ)[0]
        whole = record_whole(music(), Condition(0, chain, KEY), "a", RATE_HZ)
        np.testing.assert_allclose(whole, window.numpy(), atol=2e-3)

    def test_a_room_adds_its_response_to_undelayed_sound(self):
        chain = RecordingChain(room=0, direct_db=6.0)
        click = np.zeros(RATE_HZ, np.float32)
        click[1000] = 0.5
        found = record_whole(click, Condition(0, chain, KEY), "a", RATE_HZ)
        room = draw_room(np.random.default_rng(KEY), CONDITION_RANGES.rt60_s, RATE_HZ).response
        strength = 10 ** (-6 / 20)
        expected = np.zeros(RATE_HZ)
        expected[1000] = 0.5
        expected[1000:] += 0.5 * strength * room[: RATE_HZ - 1000]
        np.testing.assert_allclose(found, expected / np.sqrt(1 + strength**2), atol=1e-5)

    @pytest.mark.parametrize("snr_db", [20.0, 40.0])
    def test_noise_has_its_level_and_no_seam(self, snr_db: float):
        """Longer than the noise's period, and each recording begins elsewhere in it."""
        quiet, noisy = (
            Condition(0, RecordingChain(noise=None if db is None else Noise(db, 1.0, 0.3)), KEY)
            for db in (None, snr_db)
        )
        sound = music(60.0)
        noise = record_whole(sound, noisy, "a", RATE_HZ) - record_whole(sound, quiet, "a", RATE_HZ)
        assert 10 * np.log10(mean_power(sound) / mean_power(noise)) == pytest.approx(snr_db, abs=0.3)
        steps = np.abs(np.diff(noise))
        assert steps.max() < 8 * np.sqrt(np.mean(steps**2))
        other = record_whole(sound, noisy, "b", RATE_HZ) - record_whole(sound, quiet, "b", RATE_HZ)
        assert abs(np.corrcoef(noise, other)[0, 1]) < 0.1

    def test_stays_within_full_scale_and_leaves_silence(self):
        silence = np.zeros(RATE_HZ, np.float32)
        for number in range(6):
            condition = Conditions(6, 7).condition(number, 1)
            found = record_whole(3.0 * music(), condition, "a", RATE_HZ)
            assert found.dtype == np.float32
            assert found.shape == music().shape
            assert np.isfinite(found).all()
            assert np.abs(found).max() <= 1.0
            np.testing.assert_array_equal(record_whole(silence, condition, "a", RATE_HZ), silence)

    def test_two_recordings_of_one_condition_have_one_room(self):
        one, other = (Conditions(64, 42).condition(number, 1) for number in (3, 4))
        clean = [replace(condition, chain=replace(condition.chain, noise=None)) for condition in (one, one, other)]
        first, second, third = (
            record_whole(music(), condition, name, RATE_HZ) for condition, name in zip(clean, "aba", strict=True)
        )
        np.testing.assert_array_equal(first, second)
        assert np.abs(first - third).max() > 0.01


class TestRendering:
    def test_each_recording_has_the_sound_of_its_condition(self, demo: Corpus, tmp_path: Path):
        corpus = demo.split("test").spread(3)
        options = {"soundfont": "additive", "max_seconds": 4.0, "jobs": 1}
        clean = render(corpus, out=tmp_path / "clean", **options)
        made = render(corpus, out=tmp_path / "made", **options, conditions=2, seed=3)
        for dry, one in zip(clean.recordings, made.recordings, strict=True):
            condition = Conditions(2, 3).condition_of(one.id, 1)
            expected = record_whole(read_samples(dry.audio_path, RATE_HZ), condition, one.id, RATE_HZ)
            # The dry sound was rounded to 16 bits, and the microphone amplifies this.
            np.testing.assert_allclose(read_samples(one.audio_path, RATE_HZ), expected, atol=2e-3)
        assert len(open_corpus(tmp_path / "made").with_sound()) == 3

        with pytest.raises(AntiphonError, match=r"holds sound rendered with conditions {.*2.*3}"):
            render(corpus, out=tmp_path / "made", **options)
        with pytest.raises(AntiphonError, match=r"holds sound rendered with conditions {.*2.*3}"):
            render(corpus, out=tmp_path / "made", **options, conditions=2, seed=4)
        settings = tmp_path / "clean" / "render-settings.json"
        earlier = re.sub(r',\s*"conditions": null', "", settings.read_text(encoding="utf-8"))
        assert "conditions" not in earlier
        settings.write_text(earlier, encoding="utf-8")  # as it was written before there were conditions
        assert render(corpus, out=tmp_path / "clean", **options).recordings == clean.recordings
        with pytest.raises(AntiphonError, match=r"holds sound rendered with conditions None"):
            render(corpus, out=tmp_path / "clean", **options, conditions=2, seed=3)

    def test_several_soundfonts_need_conditions(self, demo: Corpus, tmp_path: Path):
        with pytest.raises(AntiphonError, match="2 SoundFonts: without conditions, name one"):
            render(demo, out=tmp_path / "out", soundfont=("additive", "additive"))
        assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def instruments(short_demo: Corpus, tmp_path_factory: pytest.TempPathFactory) -> list[Corpus]:
    """Six recordings with two instruments, the second of which has the sound of the first backwards."""
    out, second = tmp_path_factory.mktemp("second"), []
    for one in short_demo.recordings[:6]:
        backwards = np.ascontiguousarray(read_samples(one.audio_path, RATE_HZ)[::-1])
        write_flac(out / f"{one.id}.flac", backwards, RATE_HZ)
        second.append(replace(one, audio_path=out / f"{one.id}.flac"))
    return [Corpus("first", short_demo.recordings[:6]), Corpus("second", tuple(second))]


class TestTrainingSamples:
    def test_each_recording_is_heard_once_under_its_condition(self, instruments: list[Corpus]):
        conditions = Conditions(4, 42)
        cache = open_sample_caches(instruments, RATE_HZ, 4.0, conditions)
        assert sorted(one.id for one in cache.recordings) == sorted(one.id for one in instruments[0].recordings)
        of_id = [{one.id: one for one in corpus.recordings} for corpus in instruments]
        for one, samples in zip(cache.recordings, cache.samples, strict=True):
            condition = conditions.condition_of(one.id, 2)
            dry = read_samples(of_id[condition.instrument][one.id].audio_path, RATE_HZ)
            expected = record_whole(dry, condition, one.id, RATE_HZ)
            np.testing.assert_allclose(samples / 32767, expected, atol=1 / 32767)
        again = open_sample_caches(instruments, RATE_HZ, 4.0, conditions)
        assert [file.path for file in again.files] == [file.path for file in cache.files]
        other = open_sample_caches(instruments, RATE_HZ, 4.0, Conditions(4, 43))
        assert not {file.path for file in other.files} & {file.path for file in cache.files}

    def test_one_condition_has_one_instrument(self, instruments: list[Corpus]):
        cache = open_sample_caches(instruments, RATE_HZ, 4.0, Conditions(1, 42))
        assert len(cache.recordings) == 6
        assert len(cache.files) == 1

    def test_instruments_with_other_recordings_are_refused(self, instruments: list[Corpus]):
        less = replace(instruments[1], recordings=instruments[1].recordings[1:])
        with pytest.raises(AntiphonError, match="second and first have different recordings"):
            open_sample_caches([instruments[0], less], RATE_HZ, 4.0, Conditions(4, 42))

    def test_of_two_at_a_time_one_decodes(self, instruments: list[Corpus], monkeypatch: pytest.MonkeyPatch):
        read, names = sample_cache.read_sound, []

        def counted(path: Path, *args: object, **options: object) -> NDArray[np.float32]:
            names.append(path)
            return read(path, *args, **options)

        monkeypatch.setattr(sample_cache, "read_sound", counted)
        arguments = (instruments[:1], RATE_HZ, 4.0, Conditions(2, 99))
        threads = [threading.Thread(target=open_sample_caches, args=arguments) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(names) == sorted(one.audio_path for one in instruments[0].recordings)

    def test_a_run_has_the_conditions_of_its_variant_and_seed(self, instruments: list[Corpus], tmp_path: Path):
        corpora = [corpus.split("train") for corpus in instruments]
        cached = open_sample_caches(corpora, RATE_HZ, 4.0, Conditions(4, 7))
        prepared = prepare_run(corpora, "D0", "tiny", epochs=1, variant="conditions-4", seed=7)
        assert prepared[1].training.conditions == 4
        before = {path: path.stat().st_mtime_ns for path in cache_folder("samples").iterdir() if path.is_dir()}
        result = start_run(tmp_path / "run", *prepared)
        assert result["recordings"] == len(cached.recordings) == len(corpora[0])
        assert {path for path in cache_folder("samples").iterdir() if path.is_dir()} == set(before), "no other samples"
        assert read_config(tmp_path / "run").training.conditions == 4
