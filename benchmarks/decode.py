"""Decoding audio files to mono at 24 kHz: whole files in times real time, and windows of a long file.

`read-…` compares other formats with FLAC, as a search reads them: many short windows of one file.
"""

from __future__ import annotations

import tempfile
from functools import lru_cache, partial
from pathlib import Path

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from antiphon.corpora import open_corpus
from antiphon.io.audio import read_samples
from antiphon.io.note_files import read_notes
from antiphon.rendering.additive import AdditivePiano
from benchmarks.timing import SAMPLE_RATE_HZ, Benchmark, Effort, Peer, Row, race

_SOURCE_HZ = 44_100
_WINDOW_S = 4.0
_PIECE_S = 60
_OTHERS = {"m4a": "aac", "mp3": "libmp3lame", "webm": "libopus", "mkv": "aac"}
_BLOCK = 1 << 16  # libsndfile's Vorbis encoder overflows its stack on one huge write


@lru_cache(maxsize=1)
def _stereo() -> NDArray[np.float32]:
    """One minute of the demo corpus at 44.1 kHz, with a delayed right channel and low background noise."""
    notes = read_notes(open_corpus("demo").recordings[0].notes_path, sustain=True)
    mono = AdditivePiano(_SOURCE_HZ).render(notes, _PIECE_S)
    noise = np.random.default_rng(0).standard_normal((len(mono), 2), np.float32) * np.float32(3e-4)
    return np.clip(np.stack([mono, np.roll(mono, 20)], axis=1) * np.float32(0.9) + noise, -1, 1)


def _write(path: Path, minutes: int) -> None:
    sound = _stereo()
    with soundfile.SoundFile(str(path), "w", _SOURCE_HZ, channels=2) as file:
        for _ in range(minutes):
            for begin in range(0, len(sound), _BLOCK):
                file.write(sound[begin : begin + _BLOCK])


def _by_librosa(path: Path, offset_s: float = 0.0, duration_s: float | None = None) -> NDArray[np.float32]:
    import librosa

    samples: NDArray[np.float32]
    samples, _ = librosa.load(path, sr=SAMPLE_RATE_HZ, mono=True, offset=offset_s, duration=duration_s)
    return samples


def _agree(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> bool:
    """Equal except for the resampler's edges and one sample of length."""
    edge, length = 2000, min(len(ours), len(theirs))
    return abs(len(ours) - len(theirs)) <= 1 and bool(
        np.allclose(ours[edge : length - edge], theirs[edge : length - edge], atol=2e-3)
    )


def _whole(suffix: str, effort: Effort) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"whole.{suffix}"
        _write(path, 1)
        return race(
            f"decode {suffix} 44.1 kHz stereo → 24 kHz mono",
            "× real time",
            _PIECE_S,
            partial(read_samples, path, SAMPLE_RATE_HZ),
            effort,
            (Peer("librosa.load", partial(_by_librosa, path), ("librosa",)),),
            _agree,
        )


def _window(suffix: str, effort: Effort) -> list[Row]:
    minutes = effort.pick(10, 1)
    middle_s = minutes * 30.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"long.{suffix}"
        _write(path, minutes)
        return race(
            f"4-s window from the middle of {minutes} min of {suffix}",
            "windows/s",
            1,
            partial(read_samples, path, SAMPLE_RATE_HZ, middle_s, _WINDOW_S),
            effort,
            (Peer("librosa.load", partial(_by_librosa, path, middle_s, _WINDOW_S), ("librosa",)),),
            _agree,
        )


def _encode(path: Path, codec: str, minutes: int) -> None:
    """Write as `_write` does, by FFmpeg."""
    with av.open(str(path), "w") as container:
        rate = 48_000 if codec == "libopus" else _SOURCE_HZ
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(stream.codec_context.format, "stereo", rate, size)
        for _ in range(minutes):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(_stereo().T), format="fltp", layout="stereo")
            frame.sample_rate = _SOURCE_HZ
            for one in resampler.resample(frame):
                container.mux(stream.encode(one))
        for one in resampler.resample(None):
            container.mux(stream.encode(one))
        container.mux(stream.encode(None))


def _read_windows(path: Path, starts_s: list[float]) -> None:
    for start_s in starts_s:
        read_samples(path, SAMPLE_RATE_HZ, start_s, _WINDOW_S)


def _against_flac(suffix: str, codec: str, effort: Effort) -> list[Row]:
    minutes = effort.pick(10, 1)
    starts_s = [float(one) for one in np.random.default_rng(0).uniform(0, minutes * 60 - _WINDOW_S, effort.pick(20, 2))]
    with tempfile.TemporaryDirectory() as folder:
        path, flac = Path(folder) / f"long.{suffix}", Path(folder) / "long.flac"
        _encode(path, codec, minutes)
        _write(flac, minutes)
        return race(
            f"{len(starts_s)} windows of 4 s from {minutes} min of {suffix}",
            "windows/s",
            len(starts_s),
            partial(_read_windows, path, starts_s),
            effort,
            (Peer("the same as FLAC", partial(_read_windows, flac, starts_s)),),
        )


BENCHMARKS = (
    *(Benchmark(f"decode-{suffix}", partial(_whole, suffix)) for suffix in ("wav", "flac", "mp3", "ogg")),
    *(Benchmark(f"window-{suffix}", partial(_window, suffix)) for suffix in ("wav", "flac", "mp3", "ogg")),
    *(Benchmark(f"read-{suffix}", partial(_against_flac, suffix, codec)) for suffix, codec in _OTHERS.items()),
)
