"""Audio files in any format are decoded to mono at the requested rate, as a whole or as a window."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput
from antiphon.io import av_audio
from antiphon.io.audio import audio_info, is_silent, read_samples, sound_blocks, write_flac
from helpers import sine, write_sine

RATE_HZ = 24_000
FILE_RATES_HZ = (8_000, 22_050, 24_000, 44_100, 48_000)

LOSSLESS, EIGHT_BIT, LOSSY = 1e-3, 1e-2, 3e-2
FORMATS = [
    # suffix, format, subtype, sample rate in Hz, channels, relative error of the level
    ("wav", "WAV", "PCM_U8", 8_000, 1, EIGHT_BIT),
    ("wav", "WAV", "PCM_16", 11_025, 1, LOSSLESS),
    ("wav", "WAV", "PCM_16", 44_100, 2, LOSSLESS),
    ("wav", "WAV", "PCM_24", 48_000, 2, LOSSLESS),
    ("wav", "WAV", "PCM_32", 96_000, 1, LOSSLESS),
    ("wav", "WAV", "FLOAT", 24_000, 1, LOSSLESS),
    ("wav", "WAV", "DOUBLE", 192_000, 6, LOSSLESS),
    ("wav", "WAVEX", "PCM_24", 44_100, 5, LOSSLESS),
    ("flac", "FLAC", "PCM_S8", 16_000, 1, EIGHT_BIT),
    ("flac", "FLAC", "PCM_16", 44_100, 2, LOSSLESS),
    ("flac", "FLAC", "PCM_24", 192_000, 6, LOSSLESS),
    ("ogg", "OGG", "VORBIS", 44_100, 2, LOSSY),
    ("opus", "OGG", "OPUS", 48_000, 2, LOSSY),
    ("mp3", "MP3", "MPEG_LAYER_III", 44_100, 2, LOSSY),
    ("mp3", "MP3", "MPEG_LAYER_III", 8_000, 1, LOSSY),
    ("aiff", "AIFF", "PCM_16", 44_100, 2, LOSSLESS),
]


def frequency_and_level(samples: NDArray[np.float32], rate_hz: int) -> tuple[float, float]:
    """Of the strongest tone in the middle second, because codecs are inexact at both ends."""
    middle = samples[len(samples) // 2 - rate_hz // 2 :][:rate_hz]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(rate_hz)))
    return float(np.argmax(spectrum)), float(spectrum.max() * 4 / rate_hz)


@pytest.fixture(scope="module")
def noise_files(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Three seconds of white noise per sample rate, where every sample differs from its neighbours."""
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(0)
    files = {rate: folder / f"{rate}.wav" for rate in FILE_RATES_HZ}
    for rate, path in files.items():
        soundfile.write(path, rng.uniform(-0.5, 0.5, 3 * rate), rate, subtype="FLOAT")
    return files


@pytest.mark.parametrize(("suffix", "format_", "subtype", "rate_hz", "channels", "tolerance"), FORMATS)
def test_every_format_keeps_a_tone(
    tmp_path: Path, suffix: str, format_: str, subtype: str, rate_hz: int, channels: int, tolerance: float
) -> None:
    path = write_sine(tmp_path / f"tone.{suffix}", 2.0, rate_hz, channels, format=format_, subtype=subtype)
    samples = read_samples(path, RATE_HZ)
    frequency_hz, level = frequency_and_level(samples, RATE_HZ)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples) / RATE_HZ == pytest.approx(2.0, abs=0.1)
    assert frequency_hz == 440
    assert level == pytest.approx(0.5, rel=tolerance)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = sine(level=0.6), sine(frequency_hz=1000.0, level=0.2)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], axis=1), RATE_HZ, subtype="FLOAT")
    np.testing.assert_allclose(read_samples(tmp_path / "stereo.wav", RATE_HZ), (left + right) / 2, atol=1e-6)


def test_resampling_leaves_no_alias(tmp_path: Path) -> None:
    """A sample rate of 24 kHz cannot represent 15 kHz; a poor resampler would alias it to 9 kHz."""
    soundfile.write(tmp_path / "high.wav", sine(frequency_hz=15_000.0, rate_hz=48_000), 48_000, subtype="FLOAT")
    assert np.abs(read_samples(tmp_path / "high.wav", RATE_HZ)[RATE_HZ:-RATE_HZ]).max() < 1e-5


def test_header_gives_length_rate_and_channels(tmp_path: Path) -> None:
    info = audio_info(write_sine(tmp_path / "tone.flac", 1.5, 44_100, 2))
    assert (info.duration_s, info.sample_rate_hz, info.channels) == (1.5, 44_100, 2)


@settings(max_examples=100)
@given(
    file_rate_hz=st.sampled_from(FILE_RATES_HZ),
    wanted_hz=st.sampled_from([16_000, 22_050, 24_000]),
    offset_s=st.floats(0.0, 2.5),
    duration_s=st.floats(0.01, 2.0),
)
def test_window_is_a_slice_of_the_whole(
    noise_files: dict[int, Path], file_rate_hz: int, wanted_hz: int, offset_s: float, duration_s: float
) -> None:
    whole = read_samples(noise_files[file_rate_hz], wanted_hz)
    begin = round(offset_s * wanted_hz)
    expected = whole[begin : begin + round(duration_s * wanted_hz)]
    window = read_samples(noise_files[file_rate_hz], wanted_hz, offset_s, duration_s)
    assert len(window) == len(expected)
    np.testing.assert_allclose(window, expected, atol=2e-6)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg"])
def test_reading_a_window_decodes_only_the_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    path = write_sine(tmp_path / f"long.{suffix}", 30.0, 44_100)
    decoded = []
    read, frames_of = soundfile.SoundFile.read, av_audio.frames_of

    def counting_read(*args: object, **options: object) -> NDArray[np.float32]:
        block = read(*args, **options)
        decoded.append(len(block))
        return block

    def counted_frames(*args: object) -> Iterator[tuple[Any, bool]]:
        for frame, after_fault in frames_of(*args):
            decoded.append(frame.samples)
            yield frame, after_fault

    monkeypatch.setattr(soundfile.SoundFile, "read", counting_read)
    monkeypatch.setattr(av_audio, "frames_of", counted_frames)
    audio_info(path)
    decoded.clear()
    assert len(read_samples(path, RATE_HZ, offset_s=20.0, duration_s=1.0)) == RATE_HZ
    most = {"wav": 1.2, "ogg": 5.0}.get(suffix, 2.2)  # a page of Ogg holds seconds of a plain tone
    assert 44_100 <= sum(decoded) <= most * 44_100


@pytest.mark.parametrize("block_s", [0.1, 0.77, 10.0])
@pytest.mark.parametrize("rate_hz", FILE_RATES_HZ)
def test_blocks_joined_are_the_whole(noise_files: dict[int, Path], rate_hz: int, block_s: float) -> None:
    blocks = list(sound_blocks(noise_files[rate_hz], RATE_HZ, block_s))
    assert {len(block) for block in blocks[:-1]} <= {round(block_s * RATE_HZ)}
    np.testing.assert_array_equal(np.concatenate(blocks), read_samples(noise_files[rate_hz], RATE_HZ))


def test_window_past_the_end_is_shorter(tmp_path: Path) -> None:
    path = write_sine(tmp_path / "tone.wav", 5.0)
    assert len(read_samples(path, RATE_HZ, offset_s=4.0, duration_s=3.0)) == RATE_HZ


@pytest.mark.parametrize("offset_s", [5.0, 5.01, 60.0])
def test_window_beyond_the_end_is_an_error(tmp_path: Path, offset_s: float) -> None:
    path = write_sine(tmp_path / "tone.wav", 5.0, 44_100)
    with pytest.raises(UnreadableInput, match=f"tone.wav: it ends before second {offset_s:g}"):
        read_samples(path, RATE_HZ, offset_s, 1.0)


@pytest.mark.parametrize(("rate_hz", "offset_s", "duration_s"), [(0, 0, 1), (RATE_HZ, -1, 1), (RATE_HZ, 0, 0)])
def test_impossible_windows_are_refused(tmp_path: Path, rate_hz: int, offset_s: float, duration_s: float) -> None:
    with pytest.raises(ValueError, match=r"sample_rate_hz|window"):
        read_samples(write_sine(tmp_path / "tone.wav"), rate_hz, offset_s, duration_s)


def test_written_flac_is_clipped_not_wrapped(tmp_path: Path) -> None:
    loud = sine(1.0, level=2.0)
    write_flac(tmp_path / "loud.flac", loud, RATE_HZ)
    np.testing.assert_allclose(read_samples(tmp_path / "loud.flac", RATE_HZ), np.clip(loud, -1, 1), atol=1e-4)


def test_silence_is_below_minus_80_dBFS() -> None:
    assert is_silent(np.zeros(0, np.float32))
    assert is_silent(np.full(10, 0.99e-4, np.float32))
    assert not is_silent(sine(1.0, level=1.01e-4))


SECONDS_4 = np.arange(4 * RATE_HZ) / RATE_HZ
NOISE = np.random.default_rng(0).standard_normal(4 * RATE_HZ)


@pytest.mark.parametrize(
    "inaudible",
    [
        np.full(4 * RATE_HZ, 0.5),
        0.5 + 2e-5 * NOISE,
        SECONDS_4 / 4 - 0.5,
        0.3 * np.sin(np.pi * SECONDS_4),
        np.sin(2 * np.pi * SECONDS_4),
    ],
    ids=["constant", "constant with noise", "ramp", "half a hertz", "one hertz"],
)
def test_a_constant_or_a_slow_drift_is_silent(inaudible: NDArray[np.float64]) -> None:
    assert is_silent(inaudible.astype(np.float32))
    for pitch_hz in (27.5, 440.0):
        tone = 3e-4 * np.sin(2 * np.pi * pitch_hz * SECONDS_4)
        assert not is_silent((inaudible + tone).astype(np.float32))


def write_m4a(path: Path, duration_s: float) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(sine(duration_s, rate_hz=44_100)[None], format="fltp", layout="mono")
        frame.sample_rate = 44_100
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


def test_m4a_is_decoded(tmp_path: Path) -> None:
    path = write_m4a(tmp_path / "tone.m4a", 3.0)
    frequency_hz, level = frequency_and_level(read_samples(path, RATE_HZ), RATE_HZ)
    assert (frequency_hz, level) == (440, pytest.approx(0.5, rel=LOSSY))
    assert len(read_samples(path, RATE_HZ, offset_s=1.0, duration_s=0.5)) == RATE_HZ // 2
    assert audio_info(path).duration_s == pytest.approx(3.0, abs=0.1)


def test_a_file_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    write_sine(tmp_path / "plain.wav").rename(path)
    for read in (lambda: audio_info(path), lambda: read_samples(path, 24_000)):
        with pytest.raises(UnreadableInput, match="not UTF-8"):
            read()
