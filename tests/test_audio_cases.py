"""Sound files as people have them: what was decoded counts, and a fault costs no more than what it spoils."""

from __future__ import annotations

import io
import multiprocessing
import os
import struct
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from benchmarks.sound_fuzz import fuzz
from numpy.typing import NDArray

from antiphon.errors import InputWarning, UnreadableInput
from antiphon.io import decoders
from antiphon.io.audio import audio_info, read_audio, read_samples, sound_blocks
from antiphon.io.channels import average, choose_mix
from waiting import LIMIT_S

RATE_HZ = 16_000
SECONDS = 6.0
ENDS_EARLY = r"it ends early: {have} s of the 6\.[01] s that its header states are read"
Make = Callable[[], bytes]


def _tune() -> NDArray[np.float32]:
    """Six seconds of notes, each of another pitch, with a click at the start of each second."""
    time = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    pitch_hz = 200 * 2 ** (np.floor(time * 4) * 7 % 24 / 12)
    notes = 0.4 * np.sin(2 * np.pi * pitch_hz * (time % 0.25)) * np.exp(-6 * (time % 0.25))
    return (notes + 0.4 * (time % 1 < 0.002)).astype(np.float32)


TUNE = _tune()


def encoded(name: str, subtype: str | None = None, sound: NDArray[np.float32] = TUNE, rate_hz: int = RATE_HZ) -> bytes:
    """The sound as a file of libsndfile."""
    file = io.BytesIO()
    soundfile.write(file, sound, rate_hz, format=name, subtype=subtype)
    return file.getvalue()


def muxed(
    path: Path,
    codec: str,
    sound: NDArray[np.float32] = TUNE,
    start_s: float = 0.0,
    quality: int | None = None,
    **options: str,
) -> Path:
    """Write the sound by FFmpeg."""
    with av.open(str(path), "w", options=options) as container:
        how = {} if quality is None else {"flags": "+qscale", "global_quality": str(quality)}
        stream = container.add_stream(codec, rate=RATE_HZ, layout="mono", options=how)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None]), format="fltp", layout="mono")
        frame.sample_rate = RATE_HZ
        size = stream.codec_context.frame_size or 1024
        wanted = av.AudioResampler(stream.codec_context.format, "mono", stream.codec_context.sample_rate, size)
        done = round(start_s * stream.codec_context.sample_rate)
        for one in [*wanted.resample(frame), *wanted.resample(None)]:
            one.pts, one.time_base = done, Fraction(1, stream.codec_context.sample_rate)
            done += one.samples
            container.mux(stream.encode(one))
        container.mux(stream.encode(None))
    return path


def wav(riff: int | None = None, data: int | None = None, body: bytes | None = None, before: bytes = b"") -> bytes:
    """A 16-bit WAV whose sizes are these instead of the right ones."""
    samples = (TUNE * 32767).astype("<i2").tobytes() if body is None else body
    data = len(samples) if data is None else data
    head = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16) + before
    riff = 4 + len(head) + 8 + len(samples) if riff is None else riff
    return b"RIFF" + struct.pack("<I", riff) + b"WAVE" + head + b"data" + struct.pack("<I", data) + samples


def id3(content: bytes) -> bytes:
    """A tag in front of an MP3."""
    size = bytes((len(content) >> 7 * (3 - at)) & 127 for at in range(4))
    return b"ID3\3\0\0" + size + content


def picture(length: int) -> bytes:
    """An ID3 tag with a picture of random bytes."""
    content = b"\0image/jpeg\0\3\0" + np.random.default_rng(1).bytes(length)
    return id3(b"APIC" + struct.pack(">I", len(content)) + b"\0\0" + content)


def lag_s(samples: NDArray[np.float32], source: NDArray[np.float32] = TUNE) -> float:
    """By how much the samples are later than their source."""
    length = 1 << int(np.ceil(np.log2(len(samples) + len(source))))
    product = np.fft.irfft(np.fft.rfft(samples, length) * np.conj(np.fft.rfft(source, length)))
    best = int(np.argmax(product))
    return (best if best < length // 2 else best - length) / RATE_HZ


def agree(path: Path, seconds: float, within_s: float = 0.002, atol: float = 3e-4) -> NDArray[np.float32]:
    """Check that every way to read a file agrees on its length, and that windows are parts of the whole."""
    info, samples = audio_info(path), read_samples(path, RATE_HZ)
    assert info.duration_s == pytest.approx(seconds, abs=within_s)
    assert len(samples) / RATE_HZ == pytest.approx(info.duration_s, abs=2e-3)
    assert read_audio(path).duration_s == pytest.approx(info.duration_s, abs=2e-3)
    np.testing.assert_array_equal(np.concatenate(list(sound_blocks(path, RATE_HZ, 0.7))), samples)
    for start_s in (0.0, seconds / 3, seconds - 1.0):
        window = read_samples(path, RATE_HZ, start_s, 0.9)
        first = round(start_s * RATE_HZ)
        np.testing.assert_allclose(window, samples[first : first + len(window)], atol=atol)
    return samples


LOSSLESS = {
    "wav of a pipe, sizes 0": lambda: wav(0, 0),
    "wav with a right size but none of its data": lambda: wav(data=0),
    "wav of sox to a pipe": lambda: wav(0x7FFFF024, 0x7FFFF000),
    "wav of arecord, killed": lambda: wav(0x80000024, 0x80000000),
    "wav of ffmpeg to a pipe": lambda: wav(0xFFFFFFFF, 0xFFFFFFFF),
    "wav, a chunk before the data": lambda: wav(before=b"LIST" + struct.pack("<I", 4) + b"INFO"),
    "wav, a chunk behind the data": lambda: wav() + b"LIST" + struct.pack("<I", 4) + b"INFO",
    "wav, four bytes short": lambda: wav()[:-4],
    "24 bit": lambda: encoded("WAVEX", "PCM_24"),
    "float": lambda: encoded("WAV", "FLOAT"),
    "rf64": lambda: encoded("RF64", "PCM_16"),
    "w64": lambda: encoded("W64", "PCM_16"),
    "w64 of ffmpeg to a pipe": lambda: wave64_of_a_pipe(),
    "aiff": lambda: encoded("AIFF", "PCM_16"),
    "au": lambda: encoded("AU", "PCM_16"),
    "au of a pipe": lambda: encoded("AU", "PCM_16")[:8] + b"\xff" * 4 + encoded("AU", "PCM_16")[12:],
    "caf": lambda: encoded("CAF", "PCM_16"),
    "flac": lambda: encoded("FLAC", "PCM_16"),
    "flac of a pipe": lambda: unknown_length(encoded("FLAC", "PCM_16")),
}
COARSE = {
    "eight bit": lambda: encoded("WAV", "PCM_U8"),
    "mu law": lambda: encoded("WAV", "ULAW"),
    "adpcm": lambda: encoded("WAV", "IMA_ADPCM"),
    "gsm": lambda: encoded("WAV", "GSM610"),
    "vorbis": lambda: encoded("OGG", "VORBIS"),
    "chained vorbis": lambda: chained("VORBIS"),
    "chained opus": lambda: chained("OPUS"),
    "chained vorbis of two rates": lambda: chained("VORBIS", 2),
    "chained opus of one and two channels": lambda: chained("OPUS", 2),
}


def wave64_of_a_pipe() -> bytes:
    """A Wave64 whose sizes are placeholders."""
    file = bytearray(encoded("W64", "PCM_16"))
    size_at = file.index(b"data") + 16
    file[16:24], file[size_at : size_at + 8] = b"\xff" * 8, b"\xff" * 7 + b"\x7f"
    return bytes(file)


def unknown_length(flac: bytes) -> bytes:
    """A FLAC whose header does not state the number of samples."""
    return flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]


def chained(subtype: str, channels: int = 1) -> bytes:
    """Two logical streams, the second with another rate where it has two channels."""
    half = len(TUNE) // 2
    second = TUNE[half:]
    if channels == 1:
        return encoded("OGG", subtype, TUNE[:half]) + encoded("OGG", subtype, second)
    twice = np.interp(np.arange(3 * len(second)) / 3, np.arange(len(second)), second).astype(np.float32)
    return encoded("OGG", subtype, TUNE[:half]) + encoded("OGG", subtype, np.stack([twice, twice], 1), 3 * RATE_HZ)


@pytest.mark.filterwarnings("error::antiphon.errors.InputWarning")
@pytest.mark.parametrize("make", LOSSLESS.values(), ids=LOSSLESS)
def test_whole_and_exact(tmp_path: Path, make: Make) -> None:
    path = tmp_path / "sound"  # the content decides, not a suffix
    path.write_bytes(make())
    samples = agree(path, SECONDS)
    np.testing.assert_allclose(samples[: len(TUNE)], TUNE[: len(samples)], atol=2e-4)


@pytest.mark.parametrize("make", COARSE.values(), ids=COARSE)
def test_whole_and_in_time(tmp_path: Path, make: Make) -> None:
    path = tmp_path / "sound.wav"  # a wrong suffix for most
    path.write_bytes(make())
    samples = agree(path, SECONDS, within_s=0.07)
    for begin in (0, 4 * RATE_HZ):
        part, right = samples[begin : begin + 2 * RATE_HZ], TUNE[begin : begin + 2 * RATE_HZ]
        assert lag_s(part, right) == pytest.approx(0.0, abs=1e-3)
        assert np.std(part) == pytest.approx(np.std(right), rel=0.1)


def test_the_same_ogg_twice(tmp_path: Path) -> None:
    (tmp_path / "twice.ogg").write_bytes(2 * encoded("OGG", "VORBIS"))
    samples = agree(tmp_path / "twice.ogg", 2 * SECONDS)
    assert lag_s(samples[: len(TUNE)]) == lag_s(samples[len(TUNE) :]) == 0.0


def test_an_empty_wav_with_a_chunk_behind_it_holds_no_samples(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    path.write_bytes(wav(body=b"") + b"LIST" + struct.pack("<I", 4) + b"INFO")
    with pytest.raises(UnreadableInput, match=r"empty\.wav: the file holds no samples"):
        read_samples(path, RATE_HZ)


class TestMp3:
    """What an MP3 states is an estimate, or of another file."""

    def make(self, tmp_path: Path, sound: NDArray[np.float32] = TUNE, xing: bool = False) -> bytes:
        options = {} if xing else {"write_xing": "0", "id3v2_version": "0"}
        return muxed(tmp_path / "made.mp3", "libmp3lame", sound, quality=472, **options).read_bytes()

    def test_variable_rate_without_xing(self, tmp_path: Path) -> None:
        loud = TUNE.copy()
        loud[: RATE_HZ // 10] = np.random.default_rng(0).uniform(-0.9, 0.9, RATE_HZ // 10)
        (tmp_path / "vbr.mp3").write_bytes(self.make(tmp_path, loud))
        agree(tmp_path / "vbr.mp3", SECONDS, within_s=0.15)

    def test_a_picture_is_not_sound(self, tmp_path: Path) -> None:
        (tmp_path / "picture.mp3").write_bytes(picture(600_000) + self.make(tmp_path))
        agree(tmp_path / "picture.mp3", SECONDS, within_s=0.15)

    def test_cut_in_half(self, tmp_path: Path) -> None:
        data = self.make(tmp_path, xing=True)
        (tmp_path / "cut.mp3").write_bytes(data[: len(data) // 2])
        with pytest.warns(InputWarning, match=r"cut\.mp3: " + ENDS_EARLY.format(have=r"[23]\.\d")):
            agree(tmp_path / "cut.mp3", SECONDS / 2, within_s=0.7)

    def test_damage_writes_nothing_to_the_terminal(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        data = bytearray(self.make(tmp_path, xing=True))
        for at in range(2000, len(data), 997):
            data[at] ^= 0x5A
        (tmp_path / "damaged.mp3").write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            assert len(read_samples(tmp_path / "damaged.mp3", RATE_HZ)) > 0
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize("between", [b"", picture(3000), b"TAG" + bytes(125)], ids=["nothing", "id3v2", "id3v1"])
    @pytest.mark.parametrize("xing", [False, True])
    def test_put_end_to_end(self, tmp_path: Path, between: bytes, xing: bool) -> None:
        data = self.make(tmp_path, xing=xing)
        (tmp_path / "two.mp3").write_bytes(data + between + data)
        samples = agree(tmp_path / "two.mp3", 2 * SECONDS, within_s=0.3)
        assert lag_s(samples[6 * RATE_HZ :]) == pytest.approx(0.1, abs=0.12)  # the encoder's delay, twice


class TestEndsEarly:
    @pytest.mark.parametrize(
        ("name", "subtype"),
        [("WAV", "FLOAT"), *((name, "PCM_16") for name in ("WAV", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC"))],
    )
    def test_at_60_percent(self, tmp_path: Path, name: str, subtype: str) -> None:
        data = encoded(name, subtype)
        (tmp_path / "cut").write_bytes(data[: len(data) * 6 // 10])
        with pytest.warns(InputWarning, match="cut: " + ENDS_EARLY.format(have=r"3\.\d")):
            samples = agree(tmp_path / "cut", 3.6, within_s=0.6 if name == "FLAC" else 0.06)
        np.testing.assert_allclose(samples, TUNE[: len(samples)], atol=2e-4)

    @pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
    def test_an_ogg_that_states_no_length(self, tmp_path: Path, subtype: str) -> None:
        data = encoded("OGG", subtype, np.concatenate([TUNE] * 3))
        (tmp_path / "cut.ogg").write_bytes(data[: len(data) * 6 // 10])
        with pytest.warns(InputWarning, match=r"it ends early: \d+\.\d s are read, the end of its stream is missing"):
            samples = read_samples(tmp_path / "cut.ogg", RATE_HZ)
        assert len(samples) / RATE_HZ == pytest.approx(9.0, abs=4.5)

    @pytest.mark.parametrize("suffix", ["m4a", "mkv"])
    def test_containers(self, tmp_path: Path, suffix: str) -> None:
        data = muxed(tmp_path / f"whole.{suffix}", "aac", movflags="+faststart").read_bytes()
        (tmp_path / f"cut.{suffix}").write_bytes(data[: len(data) * 6 // 10])
        with pytest.warns(InputWarning, match=r"it ends early: \d\.\d s of the 6\.\d s that its header states"):
            agree(tmp_path / f"cut.{suffix}", 3.4, within_s=0.8)

    @pytest.mark.parametrize(("after", "state"), [(b"ftyp", "missing"), (b"mdat", "missing"), (b"moov", "cut off")])
    def test_an_mp4_without_its_index(self, tmp_path: Path, after: bytes, state: str) -> None:
        path = muxed(tmp_path / "a.m4a", "aac")
        content = path.read_bytes()
        path.write_bytes(content[: content.index(after) + 300] if after != b"ftyp" else content[:28])
        with pytest.raises(UnreadableInput, match=rf"a\.m4a: .*the index of its samples \(moov\) is {state}"):
            read_samples(path, RATE_HZ)

    def test_is_said_once_for_all_windows_and_again_for_the_whole(self, tmp_path: Path) -> None:
        data = wav()
        (tmp_path / "cut.wav").write_bytes(data[: len(data) // 2])
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            for start_s in (0.0, 0.5, 1.0):
                read_samples(tmp_path / "cut.wav", RATE_HZ, start_s, 0.5)
            assert len(said) == 1
            read_samples(tmp_path / "cut.wav", RATE_HZ)
            assert len(said) == 2


class TestDamagedInTheMiddle:
    @pytest.mark.parametrize(
        ("name", "subtype", "longest_s"), [("FLAC", "PCM_16", 0.6), ("OGG", "VORBIS", 3.0), ("OGG", "OPUS", 2.5)]
    )
    @pytest.mark.parametrize("fault", ["flip", "zeros"])
    def test_the_rest_stays_in_its_place(
        self, tmp_path: Path, name: str, subtype: str, longest_s: float, fault: str
    ) -> None:
        sound = np.concatenate([TUNE] * 3)
        data = bytearray(encoded(name, subtype, sound))
        at = len(data) // 2
        data[at : at + 1024] = bytes(1024) if fault == "zeros" else bytes([data[at] ^ 255]) + data[at + 1 : at + 1024]
        (tmp_path / "damaged").write_bytes(data)
        with pytest.warns(InputWarning, match=r"damaged: damaged at second \d+\.\d: what cannot be decoded is silent"):
            samples = read_samples(tmp_path / "damaged", RATE_HZ)
        assert len(samples) == pytest.approx(len(sound), abs=160)
        assert lag_s(samples[-4 * RATE_HZ :], sound[-4 * RATE_HZ :]) == pytest.approx(0.0, abs=1e-3)
        clear = encoded(name, subtype, sound)
        (tmp_path / "clear").write_bytes(clear)
        differing = np.abs(samples[: len(sound)] - read_samples(tmp_path / "clear", RATE_HZ)[: len(samples)]) > 0.02
        assert np.ptp(np.flatnonzero(differing)) / RATE_HZ < longest_s

    def test_an_mp3_goes_on(self, tmp_path: Path) -> None:
        data = bytearray(muxed(tmp_path / "made.mp3", "libmp3lame").read_bytes())
        data[len(data) // 2 : len(data) // 2 + 256] = bytes(256)
        (tmp_path / "damaged.mp3").write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            samples = read_samples(tmp_path / "damaged.mp3", RATE_HZ)
        assert len(samples) / RATE_HZ == pytest.approx(SECONDS, abs=0.3)
        assert abs(lag_s(samples[4 * RATE_HZ :], TUNE[4 * RATE_HZ :])) < 0.3


class TestStart:
    """The delay of the encoder is taken off where the container states it."""

    @pytest.mark.parametrize(
        ("suffix", "codec"),
        [("mp3", "libmp3lame"), ("m4a", "aac"), ("flac", "flac"), ("m4a", "alac")],
    )
    def test_the_sound_begins_where_it_began(self, tmp_path: Path, suffix: str, codec: str) -> None:
        assert lag_s(read_samples(muxed(tmp_path / f"a.{suffix}", codec), RATE_HZ)) == pytest.approx(0.0, abs=1e-3)

    @pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
    def test_ogg(self, tmp_path: Path, subtype: str) -> None:
        (tmp_path / "a.ogg").write_bytes(encoded("OGG", subtype))
        assert lag_s(read_samples(tmp_path / "a.ogg", RATE_HZ)) == pytest.approx(0.0, abs=1e-3)

    @pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("mkv", "aac"), ("mka", "flac")])
    def test_sound_that_begins_later(self, tmp_path: Path, suffix: str, codec: str) -> None:
        path = muxed(tmp_path / f"late.{suffix}", codec, start_s=3.0)
        # A decoder of AAC replaces noise by noise of its own.
        samples = agree(path, SECONDS + 3.0, within_s=0.1, atol=0.05 if codec == "aac" else 3e-4)
        assert not np.abs(samples[: int(2.8 * RATE_HZ)]).max()
        assert lag_s(samples) == pytest.approx(3.0, abs=0.07)
        assert not read_samples(path, RATE_HZ, 1.0, 1.0).any()


class TestChannels:
    def read(self, tmp_path: Path, *channels: NDArray[np.float32]) -> NDArray[np.float32]:
        path = tmp_path / "sound.wav"
        soundfile.write(path, np.stack(channels, axis=1), RATE_HZ, subtype="FLOAT")
        samples = read_samples(path, RATE_HZ)
        np.testing.assert_array_equal(read_samples(path, RATE_HZ, 2.0, 1.0), samples[2 * RATE_HZ : 3 * RATE_HZ])
        return samples

    @pytest.mark.parametrize("other", [-TUNE, -0.7 * TUNE, -TUNE + 1e-3], ids=["opposite", "weaker", "with an offset"])
    def test_opposite_phase_is_not_silence(self, tmp_path: Path, other: NDArray[np.float32]) -> None:
        samples = self.read(tmp_path, TUNE, other)
        assert np.corrcoef(samples, TUNE)[0, 1] > 0.999
        assert np.std(samples) > 0.7 * np.std(TUNE)

    def test_opposite_phase_with_noise_of_its_own(self, tmp_path: Path) -> None:
        noise = np.random.default_rng(0).standard_normal((2, len(TUNE))).astype(np.float32) * np.float32(0.03)
        assert np.corrcoef(self.read(tmp_path, TUNE + noise[0], -TUNE + noise[1]), TUNE)[0, 1] > 0.9

    def test_opposite_phase_of_a_part(self, tmp_path: Path) -> None:
        other = np.where(np.arange(len(TUNE)) < len(TUNE) // 2, TUNE, -TUNE)
        assert np.corrcoef(self.read(tmp_path, TUNE, other)[RATE_HZ:], TUNE[RATE_HZ:])[0, 1] > 0.999

    def test_one_dead_channel_and_six_channels_are_averaged(self, tmp_path: Path) -> None:
        dead = np.zeros_like(TUNE)
        np.testing.assert_allclose(self.read(tmp_path, TUNE, dead), TUNE / 2, atol=1e-6)
        np.testing.assert_allclose(self.read(tmp_path, TUNE, TUNE, dead, dead, dead, dead), TUNE / 3, atol=1e-6)

    def test_an_offset_of_one_channel_does_not_count(self) -> None:
        probe = np.stack([TUNE, -TUNE + np.float32(0.5)], axis=1)
        assert choose_mix(2, [probe]).factors == (1, -1)
        assert choose_mix(2, [np.zeros((100, 2), np.float32)]) == average(2)
        assert choose_mix(2, []) == average(2)


def _read_in_child(path: Path, before: NDArray[np.float32]) -> None:
    again = read_samples(path, RATE_HZ, 1.0, 3.0)
    os._exit(0 if np.array_equal(again, before) else 1)


class TestOpenDecoders:
    def test_a_file_that_changes_is_read_anew(self, tmp_path: Path) -> None:
        path = tmp_path / "sound.flac"
        path.write_bytes(encoded("FLAC", "PCM_16"))
        assert audio_info(path).duration_s == SECONDS
        path.write_bytes(encoded("FLAC", "PCM_16", TUNE[:RATE_HZ]))
        assert audio_info(path).duration_s == 1.0

    @pytest.mark.parametrize("name", ["WAV", "FLAC"])
    def test_threads_read_one_file_at_once(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / "sound"
        path.write_bytes(encoded(name, "PCM_16"))
        whole = read_samples(path, RATE_HZ)
        with ThreadPoolExecutor(4) as pool:
            starts = [number % 5 for number in range(60)]
            found = list(pool.map(lambda start: read_samples(path, RATE_HZ, float(start), 1.0), starts))
        for start, window in zip(starts, found, strict=True):
            np.testing.assert_array_equal(window, whole[start * RATE_HZ : (start + 1) * RATE_HZ])

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    @pytest.mark.parametrize("name", ["WAV", "FLAC"])
    def test_a_forked_process_leaves_the_files_of_its_parent_alone(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / "sound"
        path.write_bytes(encoded(name, "PCM_16"))
        before = read_samples(path, RATE_HZ, 1.0, 3.0)
        children = [
            multiprocessing.get_context("fork").Process(target=_read_in_child, args=(path, before)) for _ in range(3)
        ]
        for child in children:
            child.start()
        for _ in range(20):
            np.testing.assert_array_equal(read_samples(path, RATE_HZ, 1.0, 3.0), before)
        for child in children:
            child.join(LIMIT_S)
        assert [child.exitcode for child in children] == [0, 0, 0]

    def test_only_a_few_stay_open(self, tmp_path: Path) -> None:
        decoders.close_all()
        for number in range(12):
            (tmp_path / f"{number}.wav").write_bytes(wav())
            read_samples(tmp_path / f"{number}.wav", RATE_HZ, 1.0, 1.0)
        assert 1 <= len(decoders._open) <= 6
        decoders.close_all()
        assert not decoders._open


def test_damaged_files_end_in_samples_or_in_one_line() -> None:
    outcome = fuzz(63, first=5000)
    assert outcome.faults == {}
    assert sum(outcome.results.values()) == 63
    assert outcome.results["refused"] < 50
