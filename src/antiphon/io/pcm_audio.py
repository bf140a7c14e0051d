"""WAV, RF64, Wave64, AIFF, AU and CAF by libsndfile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput
from antiphon.io.pcm_headers import PcmHeader

_BLOCK_FRAMES = 1 << 16
_BYTES = {
    "PCM_S8": 1,
    "PCM_U8": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
    "ULAW": 1,
    "ALAW": 1,
}
_NEARLY_ALL = 0.99


class PcmDecoder:
    """An open file. `stated_s` is the length that its header states, where the file ends earlier."""

    seekable = True
    cut = False

    def __init__(self, path: str | Path, file: soundfile.SoundFile, header: PcmHeader | None) -> None:
        self._path, self._file = path, file
        self.sample_rate_hz: int = file.samplerate
        self.channels: int = file.channels
        self.frames: int = file.frames
        self.stated_s: float | None = None
        self.damaged_at_s: float | None = None
        if header is not None and header.missing:
            self.stated_s = self.frames / self.sample_rate_hz / max(1e-9, 1.0 - header.missing)

    @classmethod
    def open(cls, path: str | Path, header: PcmHeader | None) -> PcmDecoder | None:
        """Open a file; None where libsndfile finds no samples in it, fewer than are there, or cannot seek in it."""
        try:
            file = soundfile.SoundFile(str(path))
        except (soundfile.LibsndfileError, TypeError):  # TypeError: a raw file
            return None
        found = file.frames > 0 and file.samplerate > 0 and file.seekable() and not file.subtype.startswith("MPEG")
        if header is not None and header.stated_bytes is None and file.subtype in _BYTES:
            found &= file.frames * file.channels * _BYTES[file.subtype] >= _NEARLY_ALL * header.here_bytes
        if not found:
            file.close()
            return None
        return cls(path, file, header)

    def blocks(self, begin: int, count: int | None) -> Iterator[NDArray[np.float32]]:
        """Samples [n, channels] from `begin` to begin + count, to the end for None."""
        if begin >= self.frames:
            return
        try:
            self._file.seek(begin)
            while count is None or count > 0:
                wanted = _BLOCK_FRAMES if count is None else min(count, _BLOCK_FRAMES)
                block = self._file.read(wanted, dtype="float32", always_2d=True)
                if len(block) == 0:
                    return
                yield block
                count = None if count is None else count - len(block)
        except soundfile.LibsndfileError as error:
            reason = f"truncated or damaged, decoding stops ({error.error_string})"
            raise UnreadableInput(self._path, reason) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()
