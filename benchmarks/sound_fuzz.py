"""Damaged sound files: whatever is flipped, cut or inserted, reading them ends in samples or in one line.

`python -m benchmarks.sound_fuzz FIRST LAST` reads the damaged files of these numbers and prints a line for each. The
parent process (`fuzz`) sees a crash or a hang of it.
"""

from __future__ import annotations

import selectors
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile

from antiphon.errors import UnreadableInput
from antiphon.io.audio import audio_info, read_samples, sound_blocks
from benchmarks.timing import Benchmark, Effort, Row

_RATE_HZ, _SECONDS, _WANTED_HZ = 16_000, 4.0, 12_000
_MOST_S = 10.0
_LONGEST_S = 600.0  # 150 times the length of the files: a header can state a sixteenth of the rate, and gaps are silent
_AGREE_S = 0.05
_SOUNDFILE = {
    "wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "aiff": ("AIFF", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
_AV = {"m4a": "aac", "mkv": "aac"}
KINDS = (*_SOUNDFILE, *_AV)


def write_sound(path: Path, kind: str) -> None:
    """Write four seconds of two-channel sound."""
    time = np.arange(round(_SECONDS * _RATE_HZ)) / _RATE_HZ
    left = 0.4 * np.sin(2 * np.pi * (220 + 60 * np.floor(time * 4)) * time) * np.exp(-3 * (time % 0.25))
    stereo = np.stack([left, np.roll(left, 9)], axis=1).astype(np.float32)
    if kind in _SOUNDFILE:
        name, subtype = _SOUNDFILE[kind]
        soundfile.write(path, stereo, _RATE_HZ, format=name, subtype=subtype)
        return
    with av.open(str(path), "w") as container:
        stream = container.add_stream(_AV[kind], rate=_RATE_HZ, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        for begin in range(0, len(stereo), 1024):
            block = np.ascontiguousarray(stereo[begin : begin + 1024].T)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate, frame.time_base, frame.pts = _RATE_HZ, Fraction(1, _RATE_HZ), begin
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def damaged(number: int, sound: bytes) -> bytes:
    """The sound with one to four faults, which depend on the number only."""
    random = np.random.default_rng(number)
    data = bytearray(sound)
    for _ in range(int(random.integers(1, 5))):
        reach = 200 if random.random() < 0.4 else len(data)  # headers are short
        at = int(random.integers(0, max(1, min(reach, len(data)))))
        length = int(2 ** random.uniform(0, 10))
        match random.choice(["flip", "zero", "cut", "delete", "insert", "repeat", "maximum"]):
            case "flip":
                data[at : at + 1] = bytes([data[at] ^ int(random.integers(1, 256))]) if data else b""
            case "zero":
                data[at : at + length] = bytes(len(data[at : at + length]))
            case "cut":
                del data[max(at, 16) :]
            case "delete":
                del data[at : at + length]
            case "insert":
                data[at:at] = random.bytes(length)
            case "repeat":
                data[at:at] = data[at : at + length]
            case "maximum":
                data[at : at + 4] = b"\xff" * len(data[at : at + 4])
    return bytes(data)


def read_one(path: Path) -> str:
    """Read a file in every way: "read", "read with a warning" or "refused"; an assertion fails where they disagree."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            info = audio_info(path)
            assert 0 < info.duration_s <= _LONGEST_S, f"it lasts {info.duration_s:g} s"
            samples = read_samples(path, _WANTED_HZ)
            assert np.isfinite(samples).all(), "samples that are not finite"
            difference_s = abs(len(samples) / _WANTED_HZ - info.duration_s)
            assert difference_s <= _AGREE_S, f"the length differs by {difference_s:.2f} s"
            assert np.array_equal(np.concatenate(list(sound_blocks(path, _WANTED_HZ, 0.7))), samples), "blocks differ"
            if info.duration_s > 1.0:
                window = read_samples(path, _WANTED_HZ, info.duration_s / 2, 0.4)
                assert len(window), "no window"
                assert np.isfinite(window).all(), "samples of a window that are not finite"
        except UnreadableInput as error:
            refused = str(error)
        else:
            refused = ""
    assert "\n" not in refused, "more than one line"
    if refused:
        return "refused"
    return "read with a warning" if said else "read"


def main() -> None:
    """Read the damaged files of a range of numbers."""
    first, last = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sounds = {}
        for kind in KINDS:
            write_sound(folder / f"sound.{kind}", kind)
            sounds[kind] = (folder / f"sound.{kind}").read_bytes()
        for number in range(first, last):
            kind = KINDS[number % len(KINDS)]
            path = folder / f"{number}.{kind}"
            path.write_bytes(damaged(number, sounds[kind]))
            try:
                result = read_one(path)
            except Exception as error:
                result = f"fault: {type(error).__name__}: {error}".replace("\n", " ")
            print(number, result, flush=True)
            path.unlink()


@dataclass
class Outcome:
    """How often each result came, and the faults by number."""

    results: Counter[str] = field(default_factory=Counter)
    faults: dict[int, str] = field(default_factory=dict)


def fuzz(count: int, first: int = 0) -> Outcome:
    """Read `count` damaged files in processes of their own."""
    outcome, number, last = Outcome(), first, first + count
    while number < last:
        for result in _lines(number, last):
            if result.startswith("fault") or result in {"crash", "hang"}:
                outcome.faults[number] = result
            outcome.results[result.split(":")[0]] += 1
            number += 1
    return outcome


def _lines(first: int, last: int) -> Iterator[str]:
    """The results of one process, ending with "crash" or "hang" where it does not reach the last file."""
    command = [sys.executable, "-m", "benchmarks.sound_fuzz", str(first), str(last)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0) as process:
        assert process.stdout is not None
        waiting = selectors.DefaultSelector()
        waiting.register(process.stdout, selectors.EVENT_READ)
        for number in range(first, last):
            started = number == first
            if not waiting.select(_MOST_S + 60.0 * started):
                process.kill()
                yield "hang"
                return
            line = process.stdout.readline()
            if not line:
                yield "crash"
                return
            yield line.decode().rstrip().split(" ", 1)[1]


def _measure(effort: Effort) -> list[Row]:
    count = effort.pick(1000, 45)
    outcome = fuzz(count)
    kinds = ", ".join(f"{number} {result}" for result, number in sorted(outcome.results.items()))
    what = f"{count} damaged sound files: crashes, hangs and wrong results"
    return [Row(what, "files", float(len(outcome.faults)), remark=kinds)]


BENCHMARKS = (Benchmark("read-fuzz-sound", _measure),)

if __name__ == "__main__":
    main()
