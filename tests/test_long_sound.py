"""Long recordings are read, embedded and searched part by part: the result is that of the whole, memory is bounded."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import ArrayLike, NDArray

from antiphon.corpora import Corpus
from antiphon.corpora.segment_table import WindowGrid
from antiphon.errors import UnreadableInput
from antiphon.index import embedding
from antiphon.index.embedding import embed_file
from antiphon.index.query import open_query
from antiphon.index.search import search
from antiphon.index.store import Store
from antiphon.io import long_sound
from antiphon.io.audio import Sound, read_samples
from antiphon.io.long_sound import LongSound
from antiphon.io.notes import Notes, write_midi
from antiphon.models import streaming
from antiphon.models.inputs import as_samples, as_starts
from antiphon.models.loading import load_model
from antiphon.models.protocol import Embedder
from antiphon.models.streaming import sound_parts
from antiphon.models.template import TemplateEmbedder
from antiphon.progress import report_progress
from antiphon.signal.tuning import estimate_detuning_cents
from antiphon.signal.varispeed import PlayedSound, varispeed
from antiphon.types import AS_RECORDED, Playback
from builders import RATE_HZ, random_notes
from helpers import sine

Samples = NDArray[np.float32]
LENGTH_S = 47.3


class PeaksEmbedder(Embedder):
    """The extremes of a window of sound at a low rate: no work, so that hours take seconds."""

    name, fingerprint, sample_rate_hz, window_s, dimensions = "peaks", "peaks", 1000, 4.0, 2
    parameters, query_hop_s, elastic = 0, 1.0, False

    def embed_audio_windows(self, samples: ArrayLike, starts_s: ArrayLike, playback: Playback = AS_RECORDED) -> Samples:
        found, first = as_samples(samples), np.rint(as_starts(starts_s) * 1000).astype(int)
        windows = [found[begin : begin + 4000] for begin in first]
        return np.array([[window.min(), window.max()] for window in windows], np.float32)

    def embed_notes_windows(self, notes: Notes, starts_s: ArrayLike, playback: Playback = AS_RECORDED) -> Samples:
        raise NotImplementedError

    def embed_pairs(self, samples: ArrayLike, notes: Notes, starts_s: ArrayLike) -> tuple[Samples, Samples]:
        raise NotImplementedError


@pytest.fixture(scope="module", params=["template", "default"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return load_model(request.param)


@pytest.fixture(scope="module")
def music(demo: Corpus) -> Samples:
    """47.3 s of music with silence from second 12 to second 25."""
    pieces = [read_samples(one.audio_path, RATE_HZ) for one in demo.recordings[:2] if one.audio_path is not None]
    samples = np.concatenate(pieces)[: round(LENGTH_S * RATE_HZ)]
    samples[12 * RATE_HZ : 25 * RATE_HZ] = 0.0
    assert len(samples) == round(LENGTH_S * RATE_HZ)
    return samples


@pytest.fixture(scope="module")
def file(music: Samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "music.wav"
    soundfile.write(path, music, RATE_HZ, subtype="FLOAT")
    return path


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 8 windows from blocks of 3 s, of which 9 s remain in memory."""
    monkeypatch.setattr(streaming, "_WINDOWS", 8)
    monkeypatch.setattr(streaming, "_WINDOWS_S", 8.0)
    monkeypatch.setattr(streaming, "BLOCK_S", 3.0)
    monkeypatch.setattr(long_sound, "BLOCK_S", 3.0)
    monkeypatch.setattr(long_sound, "_KEPT", 3)


def in_blocks(samples: Samples, *lengths: int) -> Iterator[Samples]:
    """The samples in blocks of these lengths in turn."""
    begin, turn = 0, 0
    while begin < len(samples):
        yield samples[begin : begin + lengths[turn % len(lengths)]]
        begin, turn = begin + lengths[turn % len(lengths)], turn + 1


@pytest.mark.usefixtures("small_parts")
class TestEmbedding:
    @pytest.mark.parametrize("hop_s", [1.0, 0.44, 6.7])
    @pytest.mark.parametrize("lengths", [(3 * RATE_HZ,), (1, 50_000, 7), (40 * RATE_HZ,)])
    def test_in_parts_equals_that_of_the_whole(
        self, embedder: Embedder, music: Samples, hop_s: float, lengths: tuple[int, ...]
    ):
        starts_s = WindowGrid(embedder.window_s, hop_s, None).starts_s(len(music) / RATE_HZ)
        whole = embedder.embed_audio_windows(music, starts_s)
        parts = list(sound_parts(in_blocks(music, *lengths), RATE_HZ, embedder.window_s, hop_s))
        np.testing.assert_array_equal(np.concatenate([part.starts_s for part in parts]), starts_s)
        np.testing.assert_allclose(
            np.concatenate([embedder.embed_audio_windows(part.samples, part.within_s) for part in parts]),
            whole,
            atol=1e-6,
        )
        if lengths[0] < 40 * RATE_HZ:
            assert len(parts) > 1

    def test_of_a_path_equals_that_of_the_sound(self, embedder: Embedder, music: Samples, file: Path):
        from_path, from_sound = embedder.embed_audio(file), embedder.embed_audio(Sound(music, RATE_HZ))
        np.testing.assert_array_equal(from_path.start_s, from_sound.start_s)
        np.testing.assert_allclose(from_path.vectors, from_sound.vectors, atol=1e-6)

    @pytest.mark.parametrize("length_s", [0.0, 1.5, 4.0, 4.0004, 5.2])
    def test_of_a_short_sound_has_one_window_at_least(self, length_s: float):
        embeddings = TemplateEmbedder().embed_audio(Sound(sine(length_s), RATE_HZ))
        assert embeddings.start_s.tolist() == ([0.0, 1.0] if length_s > 5 else [0.0])

    def test_of_a_file_leaves_silent_windows_out(self, embedder: Embedder, music: Samples, file: Path):
        found = embed_file(file, "audio", embedder, 1.0)
        starts_s = WindowGrid(embedder.window_s, 1.0, None).starts_s(LENGTH_S)
        whole = embedder.embed_audio_windows(music, starts_s)
        kept = np.any(whole, axis=1)
        assert 0 < found.empty_windows == np.count_nonzero(~kept)
        assert found.duration_s == pytest.approx(LENGTH_S)
        assert found.vectors.dtype == np.float16
        np.testing.assert_array_equal(found.starts_s, starts_s[kept])
        np.testing.assert_allclose(found.vectors, whole[kept], atol=1e-3)

    @pytest.mark.parametrize(
        ("samples", "reason"),
        [
            (np.zeros(20 * RATE_HZ, np.float32), "it is silent"),
            (sine(3.5), "3.50 s of sound is too short; a window needs 4 s"),
            (np.concatenate([sine(15.0), np.full(9, np.nan, np.float32)]), "not finite"),
        ],
    )
    def test_of_a_file_without_use_names_the_reason(self, tmp_path: Path, samples: Samples, reason: str):
        soundfile.write(tmp_path / "bad.wav", samples, RATE_HZ, subtype="FLOAT")
        with pytest.raises(UnreadableInput, match=reason):
            embed_file(tmp_path / "bad.wav", "audio", TemplateEmbedder(), 1.0)

    def test_of_notes_in_parts_equals_that_of_the_whole(
        self, embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(embedding, "_TOGETHER", 5)
        write_midi(random_notes(np.random.default_rng(0), 120, 30.0), tmp_path / "notes.mid")
        found = embed_file(tmp_path / "notes.mid", "notes", embedder, 1.0)
        assert found.notes is not None
        np.testing.assert_allclose(found.vectors, embedder.embed_notes_windows(found.notes, found.starts_s), atol=1e-3)

    def test_progress_of_a_long_file_alone_is_reported(self, file: Path, monkeypatch: pytest.MonkeyPatch):
        told: list[tuple[str, int, int | None]] = []
        with report_progress(lambda *what: told.append(what)):
            embed_file(file, "audio", TemplateEmbedder(), 1.0)
            assert told == []
            monkeypatch.setattr(streaming, "_SHORT_BLOCKS", 14)
            embed_file(file, "audio", TemplateEmbedder(), 1.0)
        assert told == [
            ("embedding music.wav", 14, None),
            ("embedding music.wav", 15, None),
            ("embedding music.wav", 16, 16),
        ]


class TestMemory:
    def test_of_embedding_ten_hours_is_that_of_minutes(self, monkeypatch: pytest.MonkeyPatch):
        """The samples would take 144 MB; a block of them, 40 kB."""
        monkeypatch.setattr(streaming, "sound_blocks", hours_of_noise)
        tracemalloc.start()
        found = embed_file("long.wav", "audio", PeaksEmbedder(), 1.0)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(found.starts_s) == 36_000 - 3
        assert found.duration_s == 36_000.0
        assert peak < 10e6

    def test_of_reading_ten_hours_is_that_of_minutes(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(long_sound, "sound_blocks", hours_of_noise)
        tracemalloc.start()
        sound = LongSound("long.wav", 1000)
        total = sum(len(sound[begin : begin + 17_000]) for begin in range(0, len(sound), 17_000))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total == len(sound) == 36_000_000
        assert peak < 10e6


def hours_of_noise(path: Path, sample_rate_hz: int, block_s: float) -> Iterator[Samples]:
    """Ten hours of decoded noise."""
    rng, length = np.random.default_rng(0), round(block_s * sample_rate_hz)
    for _ in range(round(36_000 / block_s)):
        yield rng.standard_normal(length, np.float32)


@pytest.mark.usefixtures("small_parts")
class TestLongSound:
    def test_slices_equal_those_of_the_samples(self, music: Samples, file: Path):
        sound, rng = LongSound(file, RATE_HZ), np.random.default_rng(0)
        assert len(sound) == len(music)
        assert not sound.silent
        for begin, end in [(0, None), (None, 5), (-7, None), (5, 5), (9, 3), *rng.integers(0, len(music), (20, 2))]:
            np.testing.assert_array_equal(sound[begin:end], music[begin:end])

    @pytest.mark.parametrize(("start_s", "length_s"), [(0.0, 10.0), (7.7, None), (14.2, 9.0), (31.0, 900.0)])
    def test_of_a_part_equals_its_samples(self, music: Samples, file: Path, start_s: float, length_s: float | None):
        part = LongSound(file, RATE_HZ, start_s, length_s)
        samples = read_samples(file, RATE_HZ, start_s, length_s)
        assert part.silent == (start_s == 14.2)
        np.testing.assert_array_equal(part[:], samples)
        np.testing.assert_array_equal(part[100:-100], samples[100:-100])

    def test_decodes_once_more_for_slices_in_order(self, file: Path, monkeypatch: pytest.MonkeyPatch):
        decoded: list[int] = []
        blocks = long_sound.sound_blocks

        def counted(*what: object) -> Iterator[Samples]:
            for block in blocks(*what):  # type: ignore[arg-type]
                decoded.append(len(block))
                yield block

        monkeypatch.setattr(long_sound, "sound_blocks", counted)
        sound = LongSound(file, RATE_HZ)
        assert len(decoded) == 16
        _ = sound[-RATE_HZ:]
        assert len(decoded) == 16  # the last blocks are in memory
        for begin in range(0, len(sound), 5 * RATE_HZ):
            _ = sound[max(0, begin - RATE_HZ) : begin + 6 * RATE_HZ]
        assert len(decoded) == 32

    def test_refuses_what_it_does_not_hold(self, file: Path, tmp_path: Path):
        with pytest.raises(UnreadableInput, match="it ends before second 50"):
            LongSound(file, RATE_HZ, 50.0)
        with pytest.raises(ValueError, match="not in steps of 2"):
            _ = LongSound(file, RATE_HZ)[::2]

    def test_names_a_file_that_became_shorter(self, tmp_path: Path):
        soundfile.write(tmp_path / "a.wav", sine(40.0), RATE_HZ)
        sound = LongSound(tmp_path / "a.wav", RATE_HZ)
        soundfile.write(tmp_path / "a.wav", sine(10.0), RATE_HZ)
        with pytest.raises(UnreadableInput, match="shorter"):
            _ = sound[15 * RATE_HZ : 16 * RATE_HZ]

    def test_tuning_and_speed_equal_those_of_the_samples(self, music: Samples, file: Path):
        sound = LongSound(file, RATE_HZ)
        assert estimate_detuning_cents(sound, RATE_HZ) == estimate_detuning_cents(music, RATE_HZ)
        faster = varispeed(music, 1.0123, 1_000_000)
        played = PlayedSound(sound, 1.0123, 1_000_000)
        assert len(played) == 1_000_000
        for begin, end in ((0, 10), (0, 200_000), (199_990, 500_001), (999_000, 1_000_000), (7, 7)):
            np.testing.assert_array_equal(played[begin:end], faster[begin:end])


@pytest.mark.usefixtures("small_parts")
class TestQuery:
    @pytest.mark.parametrize("retune", [False, True])
    def test_of_a_file_equals_that_of_its_sound(self, embedder: Embedder, music: Samples, file: Path, retune: bool):
        lazy = open_query(file, embedder, retune=retune)
        whole = open_query(Sound(music, RATE_HZ), embedder, retune=retune)
        assert (lazy.duration_s, lazy.speed) == (whole.duration_s, whole.speed)
        for begin_s in (0.0, 20.5, 43.0, 3.0):
            np.testing.assert_array_equal(lazy.frames(begin_s, begin_s + 6.0), whole.frames(begin_s, begin_s + 6.0))
            starts_s = begin_s + np.arange(-0.5, 3.0, 0.44)
            np.testing.assert_array_equal(lazy.embed(starts_s, Playback(1.3)), whole.embed(starts_s, Playback(1.3)))

    def test_finds_the_same_as_a_query_in_memory(self, served_index: Path, file: Path, music: Samples):
        with Store(served_index) as store:
            assert search(file, store, TemplateEmbedder()) == search(Sound(music, RATE_HZ), store, TemplateEmbedder())

    def test_of_silence_and_of_a_short_file_is_refused(self, tmp_path: Path):
        for seconds, level, reason in ((20.0, 0.0, "it is silent"), (2.0, 0.5, "a search needs 3 s")):
            soundfile.write(tmp_path / "bad.wav", sine(seconds, level=level), RATE_HZ)
            with pytest.raises(UnreadableInput, match=reason):
                open_query(tmp_path / "bad.wav", TemplateEmbedder())
