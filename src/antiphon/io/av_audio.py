"""Compressed sound by FFmpeg through PyAV (MP3, FLAC, Ogg, M4A, video …): any part of a stream, found by seeking.

Times are those of a media player. Second 0 of MP4 and Matroska (WebM) is that of their clock; of other containers it is
the start of the earliest audio or video stream. An audio stream that starts later is silent until then, gaps between
its packets are silent, and so is what cannot be decoded. The decoder drops the priming samples of the codec where the
container states them.

Positions are counted in decoded samples; time stamps only place the first frame, the frame after a gap, and the first
frame after a seek, where the median over the frames before the part removes the rounding of single time stamps.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput
from antiphon.io.av_clock import LATEST_START_S, LEAST_GAP_S, Clock
from antiphon.io.av_frames import Run, Source, frames_of, open_container, packets_of, samples_in

_FLAC_PREROLL_S = 0.02
_PREROLL_S = (0.5, 5.0)  # decoded before a part, until overlapping transforms and Opus's prediction have settled
_ROUNDING_S = 0.0015
_GRID_FRAMES = 4
_TAIL_S = 1.0
_AGREE_S = 1.0
_LEAST_JOINED, _MOST_JOINED = 1 << 13, 1 << 16
_GAP_SAMPLES = 1 << 16
_LEAST_MISSING_S = 0.25
_COUNTED = ("flac", "mp3")  # each time stamp is exact
_WITHOUT_GAPS = ("flac", "ogg")  # where one is met, something has been lost
_OWN_CLOCK = ("mov", "matroska")
_STATES_LENGTH = ("mov", "matroska", "flac", "asf", "ape", "wv", "tta", "aiff", "w64", "caf", "au")


class AvDecoder:
    """The first audio stream of a container.

    `damaged_at_s` is the first second that could not be decoded, as far as the file has been read; `stated_s` is the
    length that the file states, where it ends earlier.
    """

    cut = False

    def __init__(
        self,
        path: str | Path,
        source: Source | None = None,
        options: dict[str, str] | None = None,
        like: AvDecoder | None = None,
        missing: float = 0.0,
    ) -> None:
        """Open a container and find its start and end. Raises `UnreadableInput` when no audio can be decoded.

        `source` is read in place of the file, `options` are those of FFmpeg's demuxer. The samples have the rate and
        the channels of `like`, by default those of the first frame. `missing` is the fraction of the samples that is
        known to be cut off.
        """
        self._path, self._source, self._options = Path(path), source or partial(str, path), options or {}
        self._like = like
        self.stated_end_s: float | None = None
        self.damaged_at_s: float | None = None
        self.stated_s: float | None = None
        self._container, self._stream = open_container(self._path, self._source, self._options)
        try:
            self._find_start()
            self._find_end()
            if missing and self.stated_s is None:
                self.stated_s = self.frames / self.sample_rate_hz / max(1e-9, 1.0 - missing)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the container."""
        self._container.close()

    def _find_start(self) -> None:
        container, stream = self._container, self._stream
        self.container_name: str = container.format.name.split(",")[0]
        first = [frame for frame, _ in islice(frames_of(container, stream), _GRID_FRAMES)]
        if not first:
            raise UnreadableInput(self._path, "not a readable sound file (none of its sound can be decoded)")
        frame = first[0]
        like = self._like
        self.sample_rate_hz: int = frame.sample_rate if like is None else like.sample_rate_hz
        self.channels: int = frame.layout.nb_channels if like is None else like.channels
        if self.sample_rate_hz <= 0 or self.channels <= 0:
            raise UnreadableInput(self._path, "not a readable sound file (no rate or no channels)")
        self._tick_s = float(stream.time_base)
        start_s = self._time_s(frame)
        others = [one for one in (*container.streams.video, *container.streams.audio[1:]) if one.start_time is not None]
        earliest_s = min([start_s or 0.0, *(float(one.start_time * one.time_base) for one in others)])
        late_s = (start_s if start_s is not None else earliest_s) - earliest_s
        if late_s > LATEST_START_S:
            reason = f"its sound begins {late_s:.0f} s after its picture; {LATEST_START_S} s is the most"
            raise UnreadableInput(self._path, reason)
        self.zero_s = earliest_s
        if self.container_name in _OWN_CLOCK and 0 < earliest_s <= LATEST_START_S:
            self.zero_s = 0.0
        # FFmpeg places packets of FLAC within Ogg wrongly after a seek.
        self.seekable = start_s is not None and (self.container_name, stream.codec_context.name) != ("ogg", "flac")
        self._grid = self._grid_of(first)
        frame_samples = max(one.samples for one in first)  # of the first, the delay of the encoder has been cut off
        if self.container_name == "mp3":
            counted = _xing_frames(self._path)
            self.stated_end_s = None if counted is None else counted * frame_samples / frame.sample_rate
        elif self.container_name in _STATES_LENGTH:
            if stream.duration is not None:
                start = stream.start_time or 0
                self.stated_end_s = (start + stream.duration) * self._tick_s - self.zero_s
            elif container.duration is not None and len(container.streams) == 1:
                self.stated_end_s = container.duration / av.time_base - self.zero_s

    def _time_s(self, timed: Any) -> float | None:
        return None if timed.pts is None else timed.pts * self._tick_s

    def _clock(self, expected: float | None = None) -> Clock:
        exact = self.container_name in _COUNTED
        return Clock(self.sample_rate_hz, self.zero_s, exact, self.stated_end_s, expected)

    def _grid_of(self, first: list[Any]) -> tuple[float, int] | None:
        """A position and the step of the frames' positions, where all but the first have one length."""
        clock, lengths = self._clock(), {frame.samples for frame in first[1:]}
        if self.container_name != "matroska" or len(lengths) != 1 or len({one.sample_rate for one in first}) != 1:
            return None
        return clock.place(self._time_s(first[0])) + first[0].samples, lengths.pop()

    def _on_grid(self, at: float) -> float:
        """Undo the rounding of Matroska's time stamps to milliseconds."""
        if self._grid is None:
            return at
        origin, step = self._grid
        nearest: float = origin + round((at - origin) / step) * step
        return nearest if abs(float(nearest - at)) <= _ROUNDING_S * self.sample_rate_hz else at

    def _find_end(self) -> None:
        """Find the number of samples: from the last second where the container states its place, else from a scan."""
        rate, stated_s = self.sample_rate_hz, self.stated_end_s
        self.frames: int
        if stated_s is None and self.container_name == "ogg" and self._container.duration:
            stated_s = self._container.duration / av.time_base  # of the last page
        if self.seekable and stated_s is not None and 0 < stated_s < 1e7:
            end = self._end_from(max(0, round((stated_s - _TAIL_S) * rate)))
            if end is not None and abs(end / rate - stated_s) < _AGREE_S:
                self.frames = end
                self._note_missing()
                return
        scanned = self._scan()
        tail = max(0, scanned - round(_TAIL_S * rate))
        end = self._end_from(tail) if self.seekable else None
        self.frames = self._end_from(0) or 0 if end is None else end
        if self.frames <= 0:
            raise UnreadableInput(self._path, "not a readable sound file (none of its sound can be decoded)")
        self._note_missing()

    def _note_missing(self) -> None:
        if self.stated_end_s is not None and self.stated_end_s - self.frames / self.sample_rate_hz > _LEAST_MISSING_S:
            self.stated_s = self.stated_end_s

    def _scan(self) -> int:
        """The end of the last packet. Reads the whole file without decoding it, and has FFmpeg index it."""
        self._container.close()
        self._container, self._stream = open_container(self._path, self._source, self._options)
        clock = self._clock()
        end: float = 0
        for packet in packets_of(self._container, self._stream):
            if packet is None or packet.size == 0:
                continue
            at = clock.place(self._time_s(packet))
            end = at + round((packet.duration or 0) * self._tick_s * self.sample_rate_hz)
            clock.expected = end
        self.seekable &= clock.steady
        return round(end)

    def _end_from(self, begin: int) -> int | None:
        """The position after the last sample, decoded from `begin` on; None where nothing is found there."""
        end = None
        for at, samples in self._parts(begin, None):
            end = at + len(samples)
        return end

    def blocks(self, begin: int, count: int | None) -> Iterator[NDArray[np.float32]]:
        """Samples [n, channels] from `begin` to begin + count, to the end for None, with zeros for gaps."""
        end = self.frames if count is None else min(begin + count, self.frames)
        reached = begin
        if begin >= end:
            return
        for at, samples in self._parts(begin, end):
            sounds_at = min(at, end)
            while reached < sounds_at:
                gap = min(sounds_at - reached, _GAP_SAMPLES)
                yield np.zeros((gap, self.channels), np.float32)
                reached += gap
            if reached >= end:
                return
            part = samples[reached - at : end - at]
            if len(part):
                yield part
                reached += len(part)
            if reached >= end:
                return

    def _parts(self, begin: int, end: int | None) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Position and samples of successive parts; the first may begin before `begin`."""
        # Frames of FLAC do not depend on each other.
        prerolls_s = (_FLAC_PREROLL_S, *_PREROLL_S) if self.container_name == "flac" else _PREROLL_S
        for preroll_s in prerolls_s if self.seekable else ():
            from_s = self.zero_s + begin / self.sample_rate_hz - preroll_s
            if from_s <= self.zero_s:
                break
            frames = self._sought(begin, from_s)
            if frames is not None:
                yield from self._joined(frames, end)
                return
        container, stream = open_container(self._path, self._source, self._options)
        try:
            yield from self._joined(self._placed(container, stream, self._clock()), end)
        finally:
            container.close()

    def _sought(self, begin: int, from_s: float) -> Iterator[tuple[float, Any]] | None:
        """Frames from the one that holds `begin`, after a seek; None where the seek fails or ends after `begin`."""
        container, stream, rate = self._container, self._stream, self.sample_rate_hz
        try:
            container.seek(int(from_s / self._tick_s), stream=stream)
        except FFmpegError:
            return None
        counted: float = 0
        lags: list[float] = []
        frames = self._frames(container, stream)
        for frame, after_fault in frames:
            time_s = self._time_s(frame)
            if time_s is None:
                return None
            lag = round((time_s - self.zero_s) * rate) - counted
            if lags and (abs(lag - lags[-1]) > LEAST_GAP_S * rate or after_fault):
                lags.clear()
            lags.append(lag)
            at = self._on_grid(statistics.median_low(lags) + counted)
            if len(lags) == 1 and at > begin:
                return None
            samples = samples_in(frame, rate)
            if at + samples > begin:
                return self._placed_after(at, frame, frames)
            counted += samples
        return None

    def _frames(self, container: Any, stream: Any) -> Iterator[tuple[Any, bool]]:
        if self.container_name == "mp3":
            return frames_of(container, stream, partial(_begins_mp3, self._path))
        return frames_of(container, stream)

    def _placed_after(self, at: float, first: Any, frames: Iterator[tuple[Any, bool]]) -> Iterator[tuple[float, Any]]:
        yield at, first
        yield from self._place(frames, self._clock(at + samples_in(first, self.sample_rate_hz)))

    def _placed(self, container: Any, stream: Any, clock: Clock) -> Iterator[tuple[float, Any]]:
        return self._place(self._frames(container, stream), clock)

    def _place(self, frames: Iterator[tuple[Any, bool]], clock: Clock) -> Iterator[tuple[float, Any]]:
        for frame, after_fault in frames:
            at = clock.place(self._time_s(frame), after_fault)
            yield at, frame
            clock.expected = at + samples_in(frame, self.sample_rate_hz)
            if clock.first_gap is not None and self.container_name in _WITHOUT_GAPS:
                self._damaged(clock.first_gap)
            if after_fault:
                self._damaged(at)

    def _damaged(self, at: float) -> None:
        at_s = float(at) / self.sample_rate_hz
        self.damaged_at_s = at_s if self.damaged_at_s is None else min(self.damaged_at_s, at_s)

    def _joined(
        self, placed: Iterator[tuple[float, Any]], end: int | None
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Join successive frames of one format into larger arrays [n, channels]."""
        run: Run | None = None
        enough = _LEAST_JOINED
        for at, frame in placed:
            end_of_frame = at + samples_in(frame, self.sample_rate_hz)
            if run is None or run.end != at or not run.add(frame, end_of_frame):
                if run is not None:
                    yield from run.rest()
                run = Run(at, self.channels, self.sample_rate_hz, frame.sample_rate)
                run.add(frame, end_of_frame)
            if end is not None and run.end >= end:
                break
            if run.waiting >= enough:
                yield run.drain()
                enough = min(2 * enough, _MOST_JOINED)
        if run is not None:
            yield from run.rest()


def _xing_frames(path: Path) -> int | None:
    """The number of frames that the first frame of an MP3 states, in Xing's or Fraunhofer's way."""
    with path.open("rb") as file:
        head = file.read(10)
        tag = 0
        if head[:3] == b"ID3" and len(head) == 10:
            tag = 10 + sum(byte << 7 * (3 - at) for at, byte in enumerate(head[6:10]))
        file.seek(tag)
        frame = file.read(256)
    for mark, offset in ((b"Xing", 8), (b"Info", 8), (b"VBRI", 14)):
        at = frame.find(mark)
        if at >= 0 and (mark == b"VBRI" or (frame[at + 7 : at + 8] > b"\0" and frame[at + 7] & 1)):
            return int.from_bytes(frame[at + offset : at + offset + 4], "big") or None
    return None


def _begins_mp3(path: Path, at: int) -> bool:
    """Whether a tag or the header of another MP3 begins at this byte: files were put end to end."""
    with path.open("rb") as file:
        file.seek(at)
        found = file.read(256)
    return found.startswith((b"ID3", b"TAG", b"APETAGEX")) or any(mark in found for mark in (b"Xing", b"Info", b"LAME"))
