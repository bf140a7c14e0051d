"""Which decoder reads a file, and the decoders that stay open between reads.

libsndfile reads uncompressed sound (WAV, RF64, Wave64, AIFF, AU, CAF); FFmpeg reads everything else, and what
libsndfile refuses of those. The content decides, not the suffix of the name.

A search reads many short windows of one file. Some decoders stay open therefore, and facts about a file (mix of
channels, faults) are kept, both until the file changes.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput, warn_input
from antiphon.io.av_audio import AvDecoder
from antiphon.io.chained_ogg import ChainedOgg
from antiphon.io.channels import Mix, average, choose_mix
from antiphon.io.files import utf8_name
from antiphon.io.pcm_audio import PcmDecoder
from antiphon.io.pcm_headers import is_pcm_container, pcm_header

LOWEST_RATE_HZ = 1000
_OPEN_FILES = 6
_KNOWN_FILES = 4096
_LEAST_MISSING_S, _AT_THE_END_S = 0.05, 0.5
_LOST_TO_DAMAGE = 0.05  # of the length
_PROBES, _PROBE_S = 8, 0.5
_SPREAD_S = 30.0  # of the probes of a file that cannot be sought in
_Key = tuple[str, int, int, int]


class Decoder(Protocol):
    """An open sound file."""

    @property
    def sample_rate_hz(self) -> int:
        """Samples per second."""

    @property
    def channels(self) -> int:
        """Number of channels."""

    @property
    def frames(self) -> int:
        """Number of samples of each channel."""

    @property
    def seekable(self) -> bool:
        """Whether a part is found without decoding all before it."""

    @property
    def stated_s(self) -> float | None:
        """The length that the header states, where the file ends earlier."""

    @property
    def cut(self) -> bool:
        """Whether the file lacks its end, by its structure."""

    @property
    def damaged_at_s(self) -> float | None:
        """The first second that could not be decoded, as far as the file has been read."""

    def blocks(self, begin: int, count: int | None) -> Iterator[NDArray[np.float32]]:
        """Samples [n, channels] from `begin` to begin + count, to the end for None."""

    def close(self) -> None:
        """Close the file."""


@dataclass
class Known:
    """Facts about a file; `said` are the kinds of fault that a warning has named."""

    mix: Mix
    said: set[str] = field(default_factory=set)


_lock = threading.Lock()
_open: OrderedDict[_Key, Decoder] = OrderedDict()
_known: OrderedDict[_Key, Known] = OrderedDict()
_inherited: list[object] = []


@contextmanager
def opened(path: str | Path, warn_again: bool = False) -> Iterator[tuple[Decoder, Mix]]:
    """An open decoder of a file, for the caller alone, and the mix of its channels.

    Faults of the file give a warning at the end, once, or at each call for `warn_again`.
    """
    key = _checked(path)
    decoder = _taken(key) or open_decoder(Path(path).absolute())  # it may outlive the working folder
    try:
        known = _known_of(key, decoder)
        yield decoder, known.mix
    except BaseException:
        decoder.close()
        raise
    _warn(path, decoder, known, warn_again)
    _give_back(key, decoder)


def open_decoder(path: str | Path) -> Decoder:
    """Open a file with the decoder that reads it. Raises `UnreadableInput`."""
    with Path(path).open("rb") as file:
        head = file.read(16)
    decoder: Decoder | None = None
    header, options = None, None
    if is_pcm_container(head):
        header = pcm_header(path)
        if header is not None and header.stated_bytes == 0:
            raise UnreadableInput(path, "the file holds no samples")
        decoder = PcmDecoder.open(path, header)
        options = {"ignore_length": "1"} if head[:4] == b"RIFF" else None
    elif head[:4] == b"OggS":
        decoder = ChainedOgg.open(path)
    decoder = decoder or AvDecoder(path, options=options, missing=0.0 if header is None else header.missing)
    if decoder.sample_rate_hz < LOWEST_RATE_HZ:  # a damaged header; resampling would produce days of audio
        decoder.close()
        reason = f"its header gives a sample rate of {decoder.sample_rate_hz} Hz; {LOWEST_RATE_HZ} is the least"
        raise UnreadableInput(path, reason)
    return decoder


def _checked(path: str | Path) -> _Key:
    """Identity of a file that can be read. Raises `UnreadableInput`."""
    path = Path(path)
    utf8_name(path)
    try:
        stat = path.stat()
        if path.is_dir():
            raise UnreadableInput(path, "this is a folder, a sound file was expected")
        if stat.st_size == 0:
            raise UnreadableInput(path, "the file is empty (0 bytes)")
        path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError):
        raise UnreadableInput(path, "no such file") from None
    except OSError as error:
        raise UnreadableInput(path, f"cannot be read ({error.strerror})") from None
    return os.path.abspath(path), stat.st_size, stat.st_mtime_ns, stat.st_ino


def _taken(key: _Key) -> Decoder | None:
    with _lock:
        return _open.pop(key, None)


def _give_back(key: _Key, decoder: Decoder) -> None:
    with _lock:
        closing = [_open.pop(key)] if key in _open else []
        _open[key] = decoder
        while len(_open) > _OPEN_FILES:
            closing.append(_open.popitem(last=False)[1])
    for one in closing:
        one.close()


def _known_of(key: _Key, decoder: Decoder) -> Known:
    with _lock:
        if key in _known:
            _known.move_to_end(key)
            return _known[key]
    mix = average(decoder.channels)
    if decoder.channels > 1:
        mix = choose_mix(decoder.channels, _probes(decoder))
    with _lock:
        known = _known.setdefault(key, Known(mix))
        while len(_known) > _KNOWN_FILES:
            _known.popitem(last=False)
    return known


def _probes(decoder: Decoder) -> list[NDArray[np.float32]]:
    rate = decoder.sample_rate_hz
    length = round(_PROBE_S * rate)
    if decoder.seekable and decoder.frames > 2 * _PROBES * length:
        begins = np.linspace(0, decoder.frames - length, 2 * _PROBES + 1)[1::2].astype(int)
        found = [list(decoder.blocks(int(begin), length)) for begin in begins]
        return [np.concatenate(blocks) for blocks in found if blocks]
    blocks = list(decoder.blocks(0, min(decoder.frames, round(_SPREAD_S * rate))))
    joined = np.concatenate(blocks) if blocks else np.zeros((0, decoder.channels), np.float32)
    return [joined[begin : begin + length] for begin in range(0, len(joined), length)]


def _warn(path: str | Path, decoder: Decoder, known: Known, again: bool) -> None:
    have_s, stated_s, damaged_s = decoder.frames / decoder.sample_rate_hz, decoder.stated_s, decoder.damaged_at_s
    at_the_end = damaged_s is not None and damaged_s > have_s - _AT_THE_END_S
    reasons = []
    least_missing_s = _LEAST_MISSING_S if damaged_s is None or at_the_end else _LOST_TO_DAMAGE * have_s
    if stated_s is not None and stated_s - have_s > least_missing_s:
        reasons.append(f"it ends early: {have_s:.1f} s of the {stated_s:.1f} s that its header states are read")
    elif decoder.cut or at_the_end:
        reasons.append(f"it ends early: {have_s:.1f} s are read, the end of its stream is missing")
    if damaged_s is not None and not at_the_end:
        reasons.append(f"damaged at second {damaged_s:.1f}: what cannot be decoded is silent")
    for reason in reasons:
        kind = reason.split()[0]
        if again or kind not in known.said:
            known.said.add(kind)
            warn_input(path, reason)


def close_all() -> None:
    """Close the decoders that stay open."""
    with _lock:
        closing = list(_open.values())
        _open.clear()
    for decoder in closing:
        decoder.close()


def _after_fork() -> None:
    # A child shares the positions of its parent's open files, and must neither read nor close them.
    global _lock
    _lock = threading.Lock()
    _inherited.extend(_open.values())
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
