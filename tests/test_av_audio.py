"""What FFmpeg decodes: windows are found by seeking, and times are those of a media player."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput
from antiphon.io import av_audio
from antiphon.io.audio import audio_info, read_samples

RATE_HZ = 24_000
SECONDS = 20.0
CODECS = {
    "m4a": ("aac", 44_100),
    "mp4": ("aac", 48_000),
    "aac": ("aac", 44_100),
    "mkv": ("aac", 48_000),
    "webm": ("libopus", 48_000),
    "ts": ("aac", 48_000),
}
MILLISECONDS = ("mkv", "webm")


def write(
    path: Path,
    sound: NDArray[np.float32],
    sound_at_s: float = 0.0,
    picture_at_s: float | None = None,
    gap_s: float = 0.0,
) -> Path:
    """A container with this audio from `sound_at_s` on, and black frames from `picture_at_s` on.

    The second half of the sound comes `gap_s` later than the first ends.
    """
    codec, rate = CODECS[path.suffix[1:]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        if picture_at_s is not None:
            picture = container.add_stream("mpeg4", rate=25)
            assert isinstance(picture, av.VideoStream)
            picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
            for number in range(50):
                black = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
                black.pts, black.time_base = number + round(picture_at_s * 25), Fraction(1, 25)
                container.mux(picture.encode(black))
            container.mux(picture.encode(None))
        size = stream.codec_context.frame_size or 960
        cut = len(sound) // (2 * size) * size
        for number, half in enumerate((sound[:cut], sound[cut:])):
            for begin in range(0, len(half), size):
                block = half[None, begin : begin + size]
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout="mono")
                frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                frame.pts = round((sound_at_s + number * gap_s) * rate) + number * cut + begin
                if codec == "libopus":
                    for one in av.AudioResampler(format="flt", layout="mono", rate=rate).resample(frame):
                        container.mux(stream.encode(one))
                else:
                    container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def bursts(rate: int, seconds: float = SECONDS) -> NDArray[np.float32]:
    """A tone of another pitch each second, each with its own onset, so that no two parts are equal."""
    time = np.arange(round(seconds * rate)) / rate
    pitch_hz = 200 + 37 * np.floor(time)
    return (0.4 * np.sin(2 * np.pi * pitch_hz * (time % 1)) * np.exp(-5 * (time % 1))).astype(np.float32)


def written(tmp_path: Path, suffix: str, **how: float) -> Path:
    return write(tmp_path / f"sound.{suffix}", bursts(CODECS[suffix][1]), **how)


def first_sound_s(samples: NDArray[np.float32]) -> float:
    return float(np.argmax(np.abs(samples) > 0.02)) / RATE_HZ


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collects the number of samples of each decoded frame."""
    found: list[int] = []
    frames_of = av_audio.frames_of

    def counted(*streams: Any) -> Iterator[tuple[Any, bool]]:
        for frame, after_fault in frames_of(*streams):
            found.append(frame.samples)
            yield frame, after_fault

    monkeypatch.setattr(av_audio, "frames_of", counted)
    return found


@pytest.mark.parametrize("suffix", CODECS)
def test_a_window_is_a_slice_of_the_whole(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix)
    whole = read_samples(path, RATE_HZ)
    for start_s in (0.0, 0.3, 7.123, 16.01, 18.5):
        window = read_samples(path, RATE_HZ, start_s, 2.0)
        expected = whole[round(start_s * RATE_HZ) :][: 2 * RATE_HZ]
        assert abs(len(window) - len(expected)) <= (RATE_HZ // 1000 if suffix in MILLISECONDS else 0)
        lag = best_lag(window, expected) if suffix in MILLISECONDS else 0
        assert abs(lag) <= RATE_HZ // 1000
        reach = min(len(window), len(expected)) - 2 * abs(lag)
        first = window[abs(lag) + lag :][:reach]
        assert np.abs(first - expected[abs(lag) :][:reach]).max() < (0.15 if suffix in MILLISECONDS else 0.01)


def best_lag(window: NDArray[np.float32], expected: NDArray[np.float32]) -> int:
    """The number of samples, at most 2 ms, by which the window begins too early."""
    most = RATE_HZ // 500
    middle = expected[most : min(len(window), len(expected)) - most]
    errors = [np.square(window[lag : lag + len(middle)] - middle).sum() for lag in range(2 * most + 1)]
    return int(np.argmin(errors)) - most


@pytest.mark.parametrize("suffix", ["m4a", "mp4", "aac", "ts"])
def test_a_window_decodes_little_more_than_itself(tmp_path: Path, suffix: str, decoded: list[int]) -> None:
    path = written(tmp_path, suffix)
    info = audio_info(path)
    assert sum(decoded) / CODECS[suffix][1] < 3.0
    decoded.clear()
    read_samples(path, RATE_HZ, 15.0, 1.0)
    assert sum(decoded) / CODECS[suffix][1] < 3.0
    assert info.duration_s == pytest.approx(SECONDS, abs=0.08)


@pytest.mark.parametrize("suffix", CODECS)
def test_the_duration_is_that_of_the_decoded_samples(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix)
    assert audio_info(path).duration_s == pytest.approx(len(read_samples(path, RATE_HZ)) / RATE_HZ, abs=2e-3)


@pytest.mark.parametrize(
    ("suffix", "sound_at_s", "picture_at_s", "begins_s"),
    [
        ("mp4", 1.5, 0.0, 1.5),
        ("mkv", 1.5, 0.0, 1.5),
        ("ts", 1.5, 0.0, 1.5),
        ("mp4", 0.0, 1.5, 0.0),
        ("mkv", 2.0, 0.5, 2.0),
        ("mkv", 1.5, None, 1.5),
        ("webm", 1.5, None, 1.5),
        ("ts", 1.5, None, 0.0),
    ],
)
def test_second_0_is_that_of_a_media_player(
    tmp_path: Path, suffix: str, sound_at_s: float, picture_at_s: float | None, begins_s: float
) -> None:
    sound = bursts(CODECS[suffix][1])
    path = write(tmp_path / f"sound.{suffix}", sound, sound_at_s, picture_at_s)
    # The decoder knows the delay of the encoder, 21 ms or more, only where the container states it.
    assert first_sound_s(read_samples(path, RATE_HZ)) == pytest.approx(begins_s, abs=0.05)
    window = read_samples(path, RATE_HZ, 10.0 + begins_s - 0.25, 1.0)
    assert first_sound_s(window[RATE_HZ // 8 :]) == pytest.approx(0.125, abs=0.05)
    assert audio_info(path).duration_s == pytest.approx(SECONDS + begins_s, abs=0.08)


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_a_gap_between_packets_is_silent(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix, gap_s=3.0)
    assert audio_info(path).duration_s == pytest.approx(SECONDS + 3.0, abs=0.08)
    for samples in (read_samples(path, RATE_HZ)[10 * RATE_HZ :], read_samples(path, RATE_HZ, 10.0, 4.0)):
        assert np.abs(samples[RATE_HZ // 10 : 29 * RATE_HZ // 10]).max() < 0.01
        assert np.abs(samples[3 * RATE_HZ : 4 * RATE_HZ]).max() > 0.1


def test_a_window_beyond_the_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match=r"sound.m4a: it ends before second 30"):
        read_samples(written(tmp_path, "m4a"), RATE_HZ, 30.0, 1.0)


def test_audio_that_begins_hours_after_the_video_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "mkv", sound_at_s=7200.0, picture_at_s=0.0)
    with pytest.raises(UnreadableInput, match=r"its sound begins 7200 s after its picture; 3600 s is the most"):
        read_samples(path, RATE_HZ)
