"""Containers, packets and frames of FFmpeg through PyAV, and their samples as arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from io import RawIOBase
from pathlib import Path
from typing import Any

import av
import numpy as np
import soxr
from av.audio.fifo import AudioFifo
from av.error import FFmpegError
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput
from antiphon.io.mp4_boxes import missing_index

Source = Callable[[], str | RawIOBase]
_MOST_FAULTS = 1000  # packets in a row that cannot be read


def open_container(path: Path, source: Source, options: dict[str, str]) -> tuple[Any, Any]:
    """A container and its first audio stream. Raises `UnreadableInput`."""
    try:
        container: Any = av.open(source(), options=options, metadata_errors="replace")
    except (FFmpegError, ValueError) as error:
        reason = missing_index(path) or getattr(error, "strerror", None) or error
        raise UnreadableInput(path, f"not a readable sound file ({reason})") from None
    try:
        if not container.streams.audio:
            raise UnreadableInput(path, missing_index(path) or "the file has no sound track")
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            raise UnreadableInput(path, "nothing installed decodes the codec that its header names")
    except BaseException:
        container.close()
        raise
    return container, stream


def frames_of(
    container: Any, stream: Any, excused: Callable[[int], bool] = lambda at: False
) -> Iterator[tuple[Any, bool]]:
    """Decoded frames, and whether packets directly before could not be decoded.

    `excused` says of a byte of the file, behind the last packet that was decoded, whether no sound is expected there.
    """
    fault, behind = False, 0
    for packet in packets_of(container, stream):
        if packet is None:
            fault = True
            continue
        try:
            frames = packet.decode()
        except (FFmpegError, ValueError):
            fault = fault or not excused(behind)
            continue
        behind = (packet.pos or 0) + packet.size
        for frame in frames:
            if frame.samples > 0 and frame.sample_rate > 0:
                yield frame, fault
                fault = False


def packets_of(container: Any, stream: Any) -> Iterator[Any]:
    """Packets of the stream; None where the container cannot be read, after which reading goes on."""
    faults = 0
    while faults < _MOST_FAULTS:
        try:
            for packet in container.demux(stream):
                yield packet
                faults = 0
            return
        except (FFmpegError, ValueError):
            faults += 1
            yield None


def samples_in(frame: Any, rate: int) -> float:
    """Length of a frame at another rate."""
    return frame.samples if frame.sample_rate == rate else frame.samples * rate / frame.sample_rate


def as_floats(frame: Any) -> NDArray[np.float32]:
    """Samples [n, channels] within ±1."""
    array = frame.to_ndarray()
    channels = frame.layout.nb_channels
    array = array.T if frame.format.is_planar else array.reshape(-1, channels)
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - np.float32(128)) / np.float32(128)
    return np.multiply(array, 2.0 ** (1 - 8 * array.dtype.itemsize), dtype=np.float32)


class Run:
    """Frames of one format without a gap; they leave as arrays at the rate and with the channels that are wanted."""

    def __init__(self, begin: float, channels: int, rate: int, own_rate: int) -> None:
        self.end = begin
        self._channels, self._reached = channels, round(begin)
        self._fifo = AudioFifo()
        self._resampler, self._unaligned = None, 0
        if own_rate != rate:
            # The resampler starts where an input and an output sample coincide, so that parts equal the whole.
            first, step = round(begin * own_rate / rate), own_rate // math.gcd(own_rate, rate)
            self._unaligned = -first % step
            self._reached = (first + self._unaligned) * rate // own_rate
            self._resampler = soxr.ResampleStream(own_rate, rate, channels, dtype="float32", quality="HQ")

    @property
    def waiting(self) -> int:
        """Number of samples that have not left."""
        return self._fifo.samples

    def add(self, frame: Any, end: float) -> bool:
        """Add a frame that reaches to `end`; False for one of another format."""
        frame.pts = None
        try:
            self._fifo.write(frame)
        except ValueError:
            return False
        self.end = end
        return True

    def drain(self) -> tuple[int, NDArray[np.float32]]:
        """Position and samples of what is waiting."""
        frame = self._fifo.read(0, partial=True)
        samples = np.zeros((0, self._channels), np.float32)
        if frame is not None:
            samples = _with_channels(as_floats(frame), self._channels)
        if self._resampler is not None:
            aligned = samples[self._unaligned :]
            self._unaligned -= len(samples) - len(aligned)
            samples = self._resampler.resample_chunk(np.ascontiguousarray(aligned))
        return self._leaving(samples)

    def rest(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Position and samples of everything that is left."""
        yield self.drain()
        if self._resampler is not None:
            yield self._leaving(self._resampler.resample_chunk(np.zeros((0, self._channels), np.float32), last=True))

    def _leaving(self, samples: NDArray[np.float32]) -> tuple[int, NDArray[np.float32]]:
        at = self._reached
        self._reached += len(samples)
        return at, samples


def _with_channels(samples: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    if samples.shape[1] == channels:
        return samples
    return np.repeat(samples.mean(axis=1, dtype=np.float32, keepdims=True), channels, axis=1)
