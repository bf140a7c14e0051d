"""Sound files → mono float32 at a wanted rate: whole, one window of them, or block by block.

Lengths are those of the samples that can be decoded, never those that a header states. `decoders` says which decoder
reads which file, `channels` how several channels become one. Resampling is soxr's, high quality (alias about −147 dB).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput
from antiphon.io.decoders import opened

AUDIO_SUFFIXES = frozenset(
    ".wav .wave .flac .ogg .oga .ogv .opus .spx .mp1 .mp2 .mp3 .aif .aiff .aifc .au .snd .caf .w64 .rf64 .m4a .m4b "
    ".m4r .m4v .mp4 .3gp .3g2 .aac .ac3 .eac3 .dts .amr .wma .wmv .asf .ape .wv .tta .mpc .webm .weba .mka .mkv "
    ".mov .avi .flv .ts .mts .m2ts .mpg .mpeg".split()
)
_RESAMPLER_MARGIN_S = 0.05
_AUDIBLE_CYCLES = 20 / 24_000  # a sample: 20 Hz at 24 kHz
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
    """Length in seconds of what can be decoded, sample rate in Hz, and number of channels."""

    duration_s: float
    sample_rate_hz: int
    channels: int


def audio_info(path: str | Path) -> AudioInfo:
    """Length, rate and channels of a file.

    The length is that of the samples that can be decoded. It takes the end of the file to find it, or all its packets
    where the file does not state their number. Warns and raises `UnreadableInput` like `read_samples`.
    """
    with opened(path, warn_again=True) as (decoder, _):
        return AudioInfo(decoder.frames / decoder.sample_rate_hz, decoder.sample_rate_hz, decoder.channels)


def read_audio(
    path: str | Path, *, sample_rate_hz: int | None = None, start_s: float = 0.0, length_s: float | None = None
) -> Sound:
    """Read an audio file, or a part of it, as mono.

    Parameters
    ----------
    path
        WAV, FLAC, Ogg, MP3, M4A, the sound of video files, and whatever else FFmpeg decodes.
    sample_rate_hz
        Rate of the result in Hz; by default the rate of the file.
    start_s
        Start of the part in seconds.
    length_s
        Length of the part in seconds; by default to the end. A part that passes the end is shorter.

    Returns
    -------
    Sound
        Channels are averaged. Where that would cancel them, as with one lead of a stereo recording wired the wrong way
        round, opposite channels are inverted first, or the loudest is taken alone; the choice holds for the whole file.
        Only the part is decoded.

    Warns
    -----
    InputWarning
        The file ends earlier than it states, or is damaged; what can be decoded is read.

    Raises
    ------
    UnreadableInput
        The file is missing, empty, not audio, contains samples that are not finite, or ends before `start_s`.
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
    rate_hz = sample_rate_hz
    if rate_hz is None:
        with opened(path) as (decoder, _):
            rate_hz = decoder.sample_rate_hz
    return Sound(read_samples(path, rate_hz, start_s, length_s), rate_hz)


def read_samples(
    path: str | Path, sample_rate_hz: int, offset_s: float = 0.0, duration_s: float | None = None
) -> NDArray[np.float32]:
    """Decode a sound file, or a window of it, to mono.

    Returns float32 samples [n] at `sample_rate_hz`, channels mixed as in `read_audio`, nominally within ±1. A window
    that runs past the end of the file comes back shorter; only the window (and 50 ms either side, for the resampler) is
    decoded. Raises `UnreadableInput` for a file that is missing, not to be read, empty, not sound, holds samples that
    are not finite, ends before `offset_s`, or whose name is not UTF-8. A file that ends earlier than it states, or is
    damaged, gives an `InputWarning`, for windows once.
    """
    if sample_rate_hz <= 0:
        raise ValueError(f"sample_rate_hz must be positive, got {sample_rate_hz}")
    if offset_s < 0 or (duration_s is not None and duration_s <= 0):
        raise ValueError(f"a window needs offset_s >= 0 and duration_s > 0, got {offset_s} and {duration_s}")
    with opened(path, warn_again=offset_s == 0 and duration_s is None) as (decoder, mix):
        rate = decoder.sample_rate_hz
        # The resampler must start where an input and an output sample coincide. Otherwise the window would be shifted
        # by a fraction of a sample relative to the same part of the whole file.
        common = math.gcd(rate, sample_rate_hz)
        step_in, step_out = rate // common, sample_rate_hz // common
        first = round(offset_s * sample_rate_hz)
        steps_before = max(0, math.floor((first / sample_rate_hz - _RESAMPLER_MARGIN_S) * rate / step_in))
        begin = steps_before * step_in
        count = None
        if duration_s is not None:
            count = math.ceil((offset_s + duration_s + _RESAMPLER_MARGIN_S) * rate) - begin
        mono = (mix(block) for block in decoder.blocks(begin, count))
        parts = [np.zeros(0, np.float32), *_resampled(mono, rate, sample_rate_hz)]
    skipped = first - steps_before * step_out
    end = None if duration_s is None else skipped + round(duration_s * sample_rate_hz)
    samples = np.ascontiguousarray(np.concatenate(parts)[skipped:end])
    if len(samples) == 0:
        nothing = "no samples in it can be decoded (truncated?)"
        raise UnreadableInput(path, f"it ends before second {offset_s:g}" if offset_s else nothing)
    _check_finite(path, samples)
    return samples


def sound_blocks(path: str | Path, sample_rate_hz: int, block_s: float) -> Iterator[NDArray[np.float32]]:
    """Decode a sound file from its start to its end, block by block.

    Yields float32 samples at `sample_rate_hz`, `block_s` seconds at a time; the last block is shorter. Joined, the
    blocks equal `read_samples(path, sample_rate_hz)`. The memory does not grow with the length of the file. Warns and
    raises `UnreadableInput` like `read_samples`, where a fault is met only later in the file, after the blocks before
    it.
    """
    if sample_rate_hz <= 0 or block_s <= 0:
        raise ValueError(f"sample_rate_hz and block_s must be positive, got {sample_rate_hz} and {block_s}")
    with opened(path, warn_again=True) as (decoder, mix):
        mono = (mix(block) for block in decoder.blocks(0, None))
        length, empty = max(1, round(block_s * sample_rate_hz)), True
        for block in _regrouped(_resampled(mono, decoder.sample_rate_hz, sample_rate_hz), length):
            _check_finite(path, block)
            empty = False
            yield block
        if empty:
            raise UnreadableInput(path, "no samples in it can be decoded (truncated?)")


def _resampled(parts: Iterator[NDArray[np.float32]], rate: int, wanted_hz: int) -> Iterator[NDArray[np.float32]]:
    if rate == wanted_hz:
        yield from parts
        return
    stream = soxr.ResampleStream(rate, wanted_hz, 1, dtype="float32", quality="HQ")
    for part in parts:
        yield stream.resample_chunk(part)
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _regrouped(parts: Iterator[NDArray[np.float32]], length: int) -> Iterator[NDArray[np.float32]]:
    """The same samples in blocks of `length`; the last is shorter."""
    waiting: list[NDArray[np.float32]] = []
    have = 0
    for part in parts:
        waiting.append(part)
        have += len(part)
        if have >= length:
            joined = np.concatenate(waiting)
            whole = have - have % length
            yield from (joined[begin : begin + length] for begin in range(0, whole, length))
            waiting, have = [joined[whole:]], have - whole
    if have:
        yield np.concatenate(waiting)


def _check_finite(path: str | Path, samples: NDArray[np.float32]) -> None:
    if not np.isfinite(samples).all():
        raise UnreadableInput(path, "it holds samples that are not finite (NaN or infinity)")


def is_silent(samples: NDArray[np.float32]) -> bool:
    """Whether nothing is audible: no sample above −80 dBFS apart from a constant or a slow drift.

    An empty array is silent.
    """
    if len(samples) == 0:
        return True
    peak = float(np.abs(samples).max())
    if peak < SILENCE_PEAK:
        return True
    # No signal below the limit is steeper (Bernstein's inequality), so a steeper one is audible.
    if float(np.abs(np.diff(samples)).max(initial=0.0)) > 2 * math.pi * _AUDIBLE_CYCLES * peak + 2 * SILENCE_PEAK:
        return False
    return float(np.abs(_without_drift(samples)).max()) < SILENCE_PEAK


def _without_drift(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """The samples less what changes more slowly than is audible, by a running mean that is taken three times.

    Long arrays lose 75 ms at both ends, where the mean is one of fewer samples.
    """
    rest = np.asarray(samples, np.float64)
    at = np.arange(len(rest))
    most = round(0.5 / _AUDIBLE_CYCLES)
    reach = np.minimum(np.minimum(at, len(rest) - 1 - at), most)
    for _ in range(3):
        total = np.concatenate([[0.0], np.cumsum(rest)])
        rest = rest - (total[at + reach + 1] - total[at - reach]) / (2 * reach + 1)
    return rest[3 * most : -3 * most] if len(rest) > 12 * most else rest


def write_flac(path: str | Path, samples: NDArray[np.float32], sample_rate_hz: int) -> None:
    """Write mono samples as 16-bit FLAC. Samples beyond ±1 are clipped."""
    soundfile.write(str(path), np.clip(samples, -1.0, 1.0), sample_rate_hz, format="FLAC", subtype="PCM_16")
