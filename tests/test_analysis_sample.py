"""The sample of windows: which are drawn, and which are left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError
from antiphon.experiments.analysis import ModelUnderTest
from antiphon.experiments.analysis.sample import Sample, embed_sample, sample_windows
from antiphon.io.audio import read_samples, write_flac
from antiphon.io.note_files import read_notes
from antiphon.models import corpus_embedding
from antiphon.models.embedder import ModelEmbedder
from antiphon.types import MODALITIES
from builders import RATE_HZ
from models_under_test import small_subject


@pytest.fixture
def tested(demo: Corpus) -> ModelUnderTest:
    return small_subject(demo)


def shares(found: Sample) -> list[int]:
    return np.bincount(found.recording).tolist()


def test_every_recording_gives_its_share_in_order_of_time(tested: ModelUnderTest):
    found = sample_windows(tested, 10)
    assert len(found) == sum(len(batch.audio) for batch in found.batches) == 10
    assert sorted(shares(found)) == [2, 2, 3, 3]
    assert (np.diff(found.recording) >= 0).all()
    for number in range(4):
        starts = found.start_s[found.recording == number]
        assert (np.diff(starts) > 0).all()
        assert (starts % 1 == 0).all()
        assert starts.max() <= 7


def test_longer_recordings_make_up_for_a_short_one(tested: ModelUnderTest):
    first, *rest = tested.corpus.recordings
    corpus = replace(tested.corpus, recordings=(replace(first, duration_s=5.0), *rest))
    assert shares(sample_windows(replace(tested, corpus=corpus), 20)) == [2, 6, 6, 6]
    assert shares(sample_windows(replace(tested, corpus=corpus), 500)) == [2, 8, 8, 8]


def test_with_more_recordings_than_windows_some_are_drawn(tested: ModelUnderTest):
    drawn = {sample_windows(replace(tested, seed=seed), 2).recordings for seed in range(4)}
    assert all(len(recordings) == 2 for recordings in drawn)
    assert len(drawn) > 1


def test_the_seed_decides(tested: ModelUnderTest):
    one, same, other = (sample_windows(replace(tested, seed=seed), 12) for seed in (1, 1, 2))
    assert torch.equal(one.batches[0].audio, same.batches[0].audio)
    np.testing.assert_array_equal(one.start_s, same.start_s)
    assert one.start_s.tolist() != other.start_s.tolist()


def test_windows_are_those_of_their_recording_decoded_once(tested: ModelUnderTest, monkeypatch: pytest.MonkeyPatch):
    read: Counter[Path] = Counter()
    plain = corpus_embedding.read_sound

    def counted(path: Path, *args: object, **how: object) -> object:
        read[path] += 1
        return plain(path, *args, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(corpus_embedding, "read_sound", counted)
    found = sample_windows(tested)
    assert set(read.values()) == {1}
    assert len(read) == 4
    audio = torch.cat([batch.audio for batch in found.batches])
    for row in (0, 13, 31):
        one, start_s = found.recordings[found.recording[row]], float(found.start_s[row])
        assert one.audio_path is not None
        np.testing.assert_array_equal(audio[row], read_samples(one.audio_path, RATE_HZ, start_s, 4.0))
        assert (~found.batches[row // 16].notes.padding[row % 16]).sum() == len(
            read_notes(one.notes_path).window(start_s, 4.0)
        )


def test_silent_windows_and_unreadable_recordings_are_left_out(tested: ModelUnderTest, tmp_path: Path):
    first, second, third, fourth = tested.corpus.recordings
    half, broken = tmp_path / "half.flac", tmp_path / "broken.flac"
    sound = read_samples(first.audio_path, RATE_HZ, 0.0, 11.0)  # type: ignore[arg-type]
    sound[: 6 * RATE_HZ] = 0.0  # windows at 0, 1 and 2 s are silent
    write_flac(half, sound, RATE_HZ)
    broken.write_bytes(b"no sound")
    chosen = (
        replace(first, audio_path=half),
        replace(second, audio_path=broken),
        replace(third, audio_path=None),
        fourth,
    )
    found = sample_windows(replace(tested, corpus=replace(tested.corpus, recordings=chosen)))
    assert [one.id for one in found.recordings] == [first.id, fourth.id]
    assert found.start_s[found.recording == 0].tolist() == [3, 4, 5, 6, 7]
    assert [error.path for error in found.skipped] == [broken]


def test_no_window_at_all_is_an_error_that_says_why(tested: ModelUnderTest, tmp_path: Path):
    short = tuple(replace(one, duration_s=2.0) for one in tested.corpus.recordings)
    with pytest.raises(AntiphonError, match="shorter than 4 s"):
        sample_windows(replace(tested, corpus=replace(tested.corpus, recordings=short)))
    broken = tmp_path / "broken.flac"
    broken.write_bytes(b"no sound")
    dumb = tuple(replace(one, audio_path=broken) for one in tested.corpus.recordings)
    with pytest.raises(AntiphonError, match=r"first: .*broken\.flac"):
        sample_windows(replace(tested, corpus=replace(tested.corpus, recordings=dumb)))


def test_works_are_numbered_alike(tested: ModelUnderTest):
    one, two, *_ = tested.corpus.recordings
    corpus = replace(tested.corpus, recordings=(one, replace(two, work=one.work), *tested.corpus.recordings[2:]))
    found = sample_windows(replace(tested, corpus=corpus), 8)
    assert found.work[0] == found.work[2] != found.work[4] != found.work[6]


@pytest.mark.parametrize("arm", ["d4a4", "d4a4cm", "t3-wt"])
def test_rows_are_those_that_retrieval_compares(demo: Corpus, arm: str):
    tested = small_subject(demo, arm, recordings=2, windows=10)
    found = sample_windows(tested)
    seen: Counter[tuple[str, int]] = Counter()
    rows = embed_sample(tested.model, found, lambda side, layer, tokens: seen.update([(side, layer)]))
    assert seen == {(side, layer): len(found.batches) for side in MODALITIES for layer in range(4)}
    embedder = ModelEmbedder(tested.model, "tiny", torch.device("cpu"))
    for number, one in enumerate(found.recordings):
        kept = found.recording == number
        sound = read_samples(one.audio_path, RATE_HZ, 0.0, 14.0)  # type: ignore[arg-type]
        expected = embedder.embed_pairs(sound, read_notes(one.notes_path), found.start_s[kept])
        for side, oracle in zip(rows, expected, strict=True):
            np.testing.assert_allclose(side[kept], oracle, atol=2e-5)
