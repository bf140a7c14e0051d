"""Sound files → mono float32 at a wanted rate, whole or one window of them.

Decoding is libsndfile's (wav, flac, ogg, mp3, aiff, …); files that it cannot read, m4a and video among them, go to
PyAV where the extra `antiphon[av]` is installed (`av_audio`). Resampling is soxr's, high quality (alias about −147 dB).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from antiphon.errors import MissingDecoder, UnreadableInput
from antiphon.io.files import utf8_name

if TYPE_CHECKING:
    from antiphon.io.av_audio import AvStream

AUDIO_SUFFIXES = frozenset(
    ".wav .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .caf .w64 .m4a .mp4 .aac .wma .webm .mkv .mov".split()
)
_AV_HINT = "this format needs the optional decoder: pip install 'antiphon[av]'"
_BLOCK_FRAMES = 1 << 18
_RESAMPLER_MARGIN_S = 0.05
_LOWEST_RATE_HZ = 1000
SILENCE_PEAK = 1e-4
"""Audio whose absolute samples are all below this value (−80 dBFS) counts as silence."""


@dataclass(frozen=True, eq=False)
class Sound:
    """Mono audio with its sample rate.

    Attributes
    ----------
    samples : float32 array [n]
        Nominally from −1 to 1.
    sample_rate_hz : int
        Samples per second, 1 or more.

    Raises
    ------
    ValueError
        The samples have more than one channel, or the sample rate is below 1 Hz.

    Examples
    --------
    >>> import antiphon, numpy as np
    >>> second = np.arange(24_000) / 24_000
    >>> tone = antiphon.Sound(np.sin(2 * np.pi * 440 * second).astype(np.float32), sample_rate_hz=24_000)
    >>> tone.duration_s, len(tone.resampled(16_000).samples)
    (1.0, 16000)
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int

    def __post_init__(self) -> None:
        if np.ndim(self.samples) != 1:
            shape = np.shape(self.samples)
            raise ValueError(f"samples: expected mono sound of shape [n], found shape {shape}; mix the channels first")
        if self.sample_rate_hz < 1:
            raise ValueError(f"sample_rate_hz is {self.sample_rate_hz}; it takes 1 or more")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate_hz

    def resampled(self, sample_rate_hz: int) -> Sound:
        """Convert to another sample rate by soxr, high quality; the same object where the rate is equal.

        Raises `ValueError` for a rate below 1 Hz.
        """
        if sample_rate_hz == self.sample_rate_hz:
            return self
        if sample_rate_hz < 1:
            raise ValueError(f"sample_rate_hz is {sample_rate_hz}; it takes 1 or more")
        samples = np.asarray(self.samples, np.float32)
        return Sound(soxr.resample(samples, self.sample_rate_hz, sample_rate_hz), sample_rate_hz)


@dataclass(frozen=True)
class AudioInfo:
    """Length in seconds, sample rate in Hz, and number of channels (1 where PyAV decodes)."""

    duration_s: float
    sample_rate_hz: int
    channels: int


def audio_info(path: str | Path) -> AudioInfo:
    """Length, rate and channels: from the header where libsndfile reads it, else from the packets (`av_audio`).

    Raises `UnreadableInput` like `read_samples`.
    """
    _check_file(path)
    try:
        found = soundfile.info(str(path))
    except soundfile.LibsndfileError as error:
        stream = _open_with_av(path, error.error_string)
        return AudioInfo(stream.duration_s(), stream.sample_rate_hz, 1)
    if found.frames <= 0 or found.samplerate <= 0:
        raise UnreadableInput(path, "the file holds no samples")
    return AudioInfo(found.frames / found.samplerate, found.samplerate, found.channels)


def read_audio(
    path: str | Path, *, sample_rate_hz: int | None = None, start_s: float = 0.0, length_s: float | None = None
) -> Sound:
    """Read an audio file, or a part of it, as mono.

    Parameters
    ----------
    path
        WAV, FLAC, Ogg, MP3, AIFF and more. M4A and the audio of video files need the extra `antiphon[av]`.
    sample_rate_hz
        Rate of the result in Hz; by default the rate of the file.
    start_s
        Start of the part in seconds.
    length_s
        Length of the part in seconds; by default to the end. A part that passes the end is shorter.

    Returns
    -------
    Sound
        Channels are averaged. Only the part is decoded.

    Raises
    ------
    UnreadableInput
        The file is missing, empty, truncated, not audio, contains samples that are not finite, or ends before
        `start_s`.
    MissingDecoder
        The format needs the extra `antiphon[av]`.
    ValueError
        `sample_rate_hz`, `start_s` or `length_s` is out of range.

    Examples
    --------
    >>> import antiphon
    >>> recording = antiphon.open_corpus("demo").recordings[0]
    >>> sound = antiphon.read_audio(recording.audio_path, start_s=2, length_s=4)
    >>> sound.sample_rate_hz, sound.samples.shape
    (24000, (96000,))
    """
    rate_hz = audio_info(path).sample_rate_hz if sample_rate_hz is None else sample_rate_hz
    return Sound(read_samples(path, rate_hz, start_s, length_s), rate_hz)


def read_samples(
    path: str | Path, sample_rate_hz: int, offset_s: float = 0.0, duration_s: float | None = None
) -> NDArray[np.float32]:
    """Decode a sound file, or a window of it, to mono.

    Returns float32 samples [n] at `sample_rate_hz`, channels averaged, nominally within ±1. A window that runs past
    the end of the file comes back shorter; only the window (and 50 ms either side, for the resampler) is decoded.
    Raises `UnreadableInput` for a file that is missing, not to be read, empty, truncated to nothing, not sound, holds
    samples that are not finite, ends before `offset_s`, or whose name is not UTF-8.
    """
    if sample_rate_hz <= 0:
        raise ValueError(f"sample_rate_hz must be positive, got {sample_rate_hz}")
    if offset_s < 0 or (duration_s is not None and duration_s <= 0):
        raise ValueError(f"a window needs offset_s >= 0 and duration_s > 0, got {offset_s} and {duration_s}")
    _check_file(path)
    try:
        file = soundfile.SoundFile(str(path))
    except soundfile.LibsndfileError as error:
        stream = _open_with_av(path, error.error_string)
        samples = _read_window(path, stream.read, stream.sample_rate_hz, sample_rate_hz, offset_s, duration_s)
    else:
        try:
            with file:
                read = partial(_read_file, path, file)
                samples = _read_window(path, read, file.samplerate, sample_rate_hz, offset_s, duration_s)
        except soundfile.LibsndfileError as error:
            raise UnreadableInput(path, f"truncated or damaged, decoding stops ({error.error_string})") from None
    if len(samples) == 0:
        nothing = "no samples in it can be decoded (truncated?)"
        raise UnreadableInput(path, f"it ends before second {offset_s:g}" if offset_s else nothing)
    if not np.isfinite(samples).all():
        raise UnreadableInput(path, "it holds samples that are not finite (NaN or infinity)")
    return samples


def sound_blocks(path: str | Path, sample_rate_hz: int, block_s: float) -> Iterator[NDArray[np.float32]]:
    """Decode a sound file from its start to its end, block by block.

    Yields float32 samples at `sample_rate_hz`, `block_s` seconds at a time; the last block is shorter. Joined, the
    blocks equal `read_samples(path, sample_rate_hz)`. The memory does not grow with the length of the file. Raises
    `UnreadableInput` like `read_samples`, where a fault is met only later in the file, after the blocks before it.
    """
    if sample_rate_hz <= 0 or block_s <= 0:
        raise ValueError(f"sample_rate_hz and block_s must be positive, got {sample_rate_hz} and {block_s}")
    _check_file(path)
    try:
        file = soundfile.SoundFile(str(path))
    except soundfile.LibsndfileError as error:
        stream = _open_with_av(path, error.error_string)
        parts = _resampled_parts(path, stream.blocks(), stream.sample_rate_hz, sample_rate_hz)
        yield from _regrouped(path, parts, round(block_s * sample_rate_hz))
        return
    try:
        with file:
            parts = _resampled_parts(path, _mono_blocks(file, -1), file.samplerate, sample_rate_hz)
            yield from _regrouped(path, parts, round(block_s * sample_rate_hz))
    except soundfile.LibsndfileError as error:
        raise UnreadableInput(path, f"truncated or damaged, decoding stops ({error.error_string})") from None


def _resampled_parts(
    path: str | Path, parts: Iterator[NDArray[np.float32]], rate: int, wanted_hz: int
) -> Iterator[NDArray[np.float32]]:
    if rate < _LOWEST_RATE_HZ:
        raise UnreadableInput(path, f"its header gives a sample rate of {rate} Hz; {_LOWEST_RATE_HZ} is the least")
    if rate == wanted_hz:
        yield from parts
        return
    stream = soxr.ResampleStream(rate, wanted_hz, 1, dtype="float32", quality="HQ")
    for part in parts:
        yield stream.resample_chunk(part)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _regrouped(path: str | Path, parts: Iterator[NDArray[np.float32]], length: int) -> Iterator[NDArray[np.float32]]:
    length = max(1, length)
    waiting = np.zeros(0, np.float32)
    empty = True
    for part in parts:
        if not np.isfinite(part).all():
            raise UnreadableInput(path, "it holds samples that are not finite (NaN or infinity)")
        empty &= len(part) == 0
        waiting = np.concatenate([waiting, part])
        while len(waiting) >= length:
            yield waiting[:length]
            waiting = waiting[length:]
    if empty:
        raise UnreadableInput(path, "no samples in it can be decoded (truncated?)")
    if len(waiting):
        yield waiting


def is_silent(samples: NDArray[np.float32]) -> bool:
    """Whether all samples are below −80 dBFS; an empty array is silent."""
    return len(samples) == 0 or float(np.abs(samples).max()) < SILENCE_PEAK


def write_flac(path: str | Path, samples: NDArray[np.float32], sample_rate_hz: int) -> None:
    """Write mono samples as 16-bit FLAC. Samples beyond ±1 are clipped."""
    soundfile.write(str(path), np.clip(samples, -1.0, 1.0), sample_rate_hz, format="FLAC", subtype="PCM_16")


def _check_file(path: str | Path) -> None:
    path = Path(path)
    utf8_name(path)
    if not path.exists():
        raise UnreadableInput(path, "no such file")
    if path.is_dir():
        raise UnreadableInput(path, "this is a folder, a sound file was expected")
    size = path.stat().st_size
    if size == 0:
        raise UnreadableInput(path, "the file is empty (0 bytes)")
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise UnreadableInput(path, f"cannot be read ({error.strerror})") from None
    promised = int.from_bytes(head[4:8], "little") + 8
    # libsndfile reads a truncated WAV without an error. Programs that write to a pipe leave a size of 0 or the maximum.
    if head[:4] == b"RIFF" and head[8:] == b"WAVE" and 8 < promised < 0xFFFFFF00 and size < promised - 1:
        raise UnreadableInput(path, f"truncated: its header promises {promised} bytes, the file has {size}")


def _read_window(
    path: str | Path,
    read: Callable[[int, int | None], NDArray[np.float32]],
    rate: int,
    wanted_hz: int,
    offset_s: float,
    duration_s: float | None,
) -> NDArray[np.float32]:
    """Read a window at the rate `wanted_hz`; `read(begin, count)` returns mono samples at the file's own `rate`."""
    if rate < _LOWEST_RATE_HZ:  # a damaged header; resampling would produce days of audio
        raise UnreadableInput(path, f"its header gives a sample rate of {rate} Hz; {_LOWEST_RATE_HZ} is the least")
    # The resampler must start where an input and an output sample coincide. Otherwise the window would be shifted by a
    # fraction of a sample relative to the same part of the whole file.
    step_in, step_out = rate // math.gcd(rate, wanted_hz), wanted_hz // math.gcd(rate, wanted_hz)
    first_wanted = round(offset_s * wanted_hz)
    steps_before = max(0, math.floor((first_wanted / wanted_hz - _RESAMPLER_MARGIN_S) * rate / step_in))
    begin = steps_before * step_in
    count = None
    if duration_s is not None:
        count = math.ceil((offset_s + duration_s + _RESAMPLER_MARGIN_S) * rate) - begin
    mono = read(begin, count)
    if len(mono) and rate != wanted_hz:
        mono = soxr.resample(mono, rate, wanted_hz)
    skipped = first_wanted - steps_before * step_out
    return _cut(mono, wanted_hz, skipped / wanted_hz, duration_s)


def _read_file(path: str | Path, file: soundfile.SoundFile, begin: int, count: int | None) -> NDArray[np.float32]:
    if begin >= file.frames:
        return np.zeros(0, np.float32)
    if begin:
        file.seek(begin)
    blocks = list(_mono_blocks(file, -1 if count is None else count))
    if not blocks:
        raise UnreadableInput(path, "its header promises samples but none can be decoded (truncated?)")
    return np.concatenate(blocks)


def _mono_blocks(file: soundfile.SoundFile, count: int) -> Iterator[NDArray[np.float32]]:
    while count != 0:
        wanted = _BLOCK_FRAMES if count < 0 else min(count, _BLOCK_FRAMES)
        block = file.read(wanted, dtype="float32", always_2d=True)
        if len(block) == 0:
            return
        with np.errstate(invalid="ignore"):  # infinities of both signs; the caller checks for them
            mono = block[:, 0].copy()
            for channel in range(1, block.shape[1]):  # ten times as fast as a mean over a short axis
                mono += block[:, channel]
        yield mono / np.float32(block.shape[1])
        count = count - len(block) if count > 0 else count


def _cut(
    samples: NDArray[np.float32], sample_rate_hz: int, offset_s: float, duration_s: float | None
) -> NDArray[np.float32]:
    begin = round(offset_s * sample_rate_hz)
    end = None if duration_s is None else begin + round(duration_s * sample_rate_hz)
    return np.ascontiguousarray(samples[begin:end], dtype=np.float32)


def _open_with_av(path: str | Path, libsndfile_says: str) -> AvStream:
    try:
        from antiphon.io.av_audio import AvStream
    except ImportError:
        hint = f"{_AV_HINT}; " if Path(path).suffix.lower() in AUDIO_SUFFIXES else ""
        raise MissingDecoder(path, f"not a readable sound file ({hint}libsndfile: {libsndfile_says})") from None
    return AvStream.open(path)
