"""Audio of M4A, video and other containers through PyAV: any part of a stream as mono samples, found by seeking.

Times are those of a media player. Second 0 is the start of the earliest audio or video stream of the container. An
audio stream that starts later is silent until then, and gaps of up to 10 s between its packets are silent. The decoder
drops the priming samples of the codec. In containers with millisecond time stamps (Matroska, WebM) a part may be
displaced by up to a millisecond; in other containers it is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput

_PREROLL_S = 0.5  # decoded before a part, until overlapping transforms and Opus's prediction have settled
_GAP_S = (0.1, 10.0)  # smaller jumps of the time stamps are rounding, larger ones a new clock; FFmpeg joins those too
_LATEST_START_S = 3600
_TAIL_S = 1.0


@dataclass(frozen=True)
class AvStream:
    """The first audio stream of a container.

    `zero_s` is the container's time stamp of second 0. `seekable` is False when frames have no time stamps.
    """

    path: Path
    sample_rate_hz: int
    zero_s: Fraction
    seekable: bool

    @classmethod
    def open(cls, path: str | Path) -> AvStream:
        """Open a container and decode its first frame. Raises `UnreadableInput` when no audio can be decoded."""
        with _opened(path) as (container, stream):
            frame = next(container.decode(stream), None)
            if frame is None:
                raise UnreadableInput(path, "not a readable sound file (none of its sound can be decoded)")
            start_s = _time_s(frame)
            others = [
                one for one in (*container.streams.video, *container.streams.audio[1:]) if one.start_time is not None
            ]
            zero_s = min([start_s or Fraction(0), *(one.start_time * one.time_base for one in others)])
            if (late_s := (start_s or zero_s) - zero_s) > _LATEST_START_S:
                reason = f"its sound begins {float(late_s):.0f} s after its picture; {_LATEST_START_S} s is the most"
                raise UnreadableInput(path, reason)
            return cls(Path(path), frame.sample_rate, zero_s, start_s is not None)

    def duration_s(self) -> float:
        """Length up to the last sample that can be decoded. Reads every packet and decodes the last second."""
        with _opened(self.path) as (container, stream):
            times = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
            last_s = max(times) * stream.time_base - self.zero_s if times else Fraction(0)
        tail = max(0, int((last_s - Fraction(_TAIL_S)) * self.sample_rate_hz))
        found = len(self.read(tail, None))
        return (tail + found if found else len(self.read(0, None))) / self.sample_rate_hz

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Mono samples from the start to the end, frame by frame, with zeros for gaps."""
        reached = 0
        with _opened(self.path) as (container, stream):
            for at, samples in self._frames(container, stream):
                if at > reached:
                    yield np.zeros(at - reached, np.float32)
                    reached = at
                part = samples[reached - at :]
                reached += len(part)
                yield part

    def read(self, begin: int, count: int | None) -> NDArray[np.float32]:
        """Mono samples from `begin` to begin + count, to the end for None; fewer at the end of the stream.

        Raises `UnreadableInput` when decoding fails.
        """
        from_s = self.zero_s + Fraction(begin, self.sample_rate_hz) - Fraction(_PREROLL_S)
        if self.seekable and from_s > self.zero_s:
            found = self._decode(begin, count, from_s)
            if found is not None:
                return found
        found = self._decode(begin, count, None)
        assert found is not None
        return found

    def _decode(self, begin: int, count: int | None, from_s: Fraction | None) -> NDArray[np.float32] | None:
        """Decode the part from a time stamp, or from the start; None when seeking fails or ends after `begin`."""
        end = None if count is None else begin + count
        blocks = [np.zeros(0, np.float32)]
        reached = begin
        with _opened(self.path) as (container, stream):
            if from_s is not None:
                try:
                    container.seek(int(from_s / stream.time_base), stream=stream)
                except FFmpegError:
                    return None
            for number, (at, samples) in enumerate(self._frames(container, stream)):
                if number == 0 and from_s is not None and at > begin:
                    return None
                if end is not None and at >= end:
                    break
                if at > reached:
                    blocks.append(np.zeros(at - reached, np.float32))
                    reached = at
                part = samples[reached - at : None if end is None else end - at]
                blocks.append(part)
                reached += len(part)
                if reached == end:
                    break
        return np.concatenate(blocks)

    def _frames(self, container: Any, stream: Any) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """The position of each frame in samples from second 0, and its mono samples."""
        rate = self.sample_rate_hz
        mono = av.AudioResampler(format="fltp", layout="mono", rate=rate)
        expected: int | None = None
        for frame in container.decode(stream):
            time_s = _time_s(frame)
            at = expected or 0 if time_s is None else round((time_s - self.zero_s) * rate)
            if expected is not None and not _GAP_S[0] * rate < at - expected <= _GAP_S[1] * rate:
                at = expected
            samples = np.concatenate([one.to_ndarray()[0] for one in mono.resample(frame)] or [np.zeros(0, np.float32)])
            expected = at + len(samples)
            yield at, samples


def _time_s(frame: Any) -> Fraction | None:
    return None if frame.pts is None else frame.pts * Fraction(frame.time_base)


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[Any, Any]]:
    """Open a container and its first audio stream; errors of the decoder become `UnreadableInput`."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise UnreadableInput(path, "the file has no sound track")
            stream = container.streams.audio[0]
            if stream.codec_context is None:
                raise UnreadableInput(path, "nothing installed decodes the codec that its header names")
            yield container, stream
    except (FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableInput(path, f"not a readable sound file ({reason})") from None
