"""A process that reads files nobody vouches for: `python -m antiphon.serving.decoder_worker BYTES`.

Whatever a decoder does to such a file, hang, fill the memory or crash, happens here and not in the server. Requests
come as lines of JSON on standard input, answers go as lines of JSON to standard output, after an empty line when the
process is ready; BYTES bounds the address space.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from antiphon.errors import UnreadableInput
from antiphon.io.audio import audio_info, is_silent, read_samples
from antiphon.io.notes import Notes, read_notes

_MOST_CHANNELS = 32
_HIGHEST_RATE_HZ = 768_000
_SLACK_S = 0.05


def query(asked: dict[str, Any]) -> dict[str, Any]:
    """Check the stretch of a file that is to be searched; of sound write it to `out`, as float samples.

    Gives the file's `duration_s`, and the `length_s` of the stretch.
    """
    path, start_s, most_s = Path(asked["path"]), asked["start_s"], asked["most_s"]
    sound = asked["kind"] == "audio"
    notes = None if sound else _notes(path, asked["most_notes"])
    duration_s = _sound_s(path) if notes is None else notes.end_s
    if start_s >= duration_s:
        raise UnreadableInput(path, f"it lasts {duration_s:.2f} s; a stretch of it cannot start at second {start_s:g}")
    length_s = duration_s - start_s
    if asked["length_s"] is not None:
        length_s = min(length_s, asked["length_s"])
    if length_s > most_s + _SLACK_S:
        raise UnreadableInput(
            path, f"{length_s:.0f} s are to be searched, {most_s:g} at most; say which with start_s and length_s"
        )
    if notes is None:
        samples = read_samples(path, asked["rate_hz"], start_s, length_s)
        length_s = len(samples) / asked["rate_hz"]
        if is_silent(samples):
            raise UnreadableInput(path, "it is silent (no sample above −80 dBFS)")
        if length_s < asked["least_s"] - _SLACK_S:
            raise UnreadableInput(path, f"{length_s:.2f} s is too short; a search needs {asked['least_s']:g} s")
        _write(asked["out"], samples, asked["rate_hz"], "FLOAT")
    elif not len(notes.window(start_s, length_s)):
        raise UnreadableInput(path, f"no note sounds from second {start_s:g} to {start_s + length_s:.2f}")
    return {"duration_s": duration_s, "length_s": length_s}


def clip(asked: dict[str, Any]) -> dict[str, Any]:
    """Write a stretch of sound to `out`, 16 bit."""
    path = Path(asked["path"])
    _sound_s(path)
    samples = read_samples(path, asked["rate_hz"], asked["start_s"], asked["length_s"])
    _write(asked["out"], np.clip(samples, -1.0, 1.0), asked["rate_hz"], "PCM_16")
    return {"length_s": len(samples) / asked["rate_hz"]}


def check(asked: dict[str, Any]) -> dict[str, Any]:
    """Read a file whole, as indexing will."""
    path = Path(asked["path"])
    if asked["kind"] == "notes":
        return {"duration_s": _notes(path, asked["most_notes"]).end_s}
    duration_s = _sound_s(path)
    if duration_s > asked["most_s"]:
        raise UnreadableInput(path, f"it lasts {duration_s:.0f} s; {asked['most_s']:g} s at most can be added")
    read_samples(path, asked["rate_hz"])
    return {"duration_s": duration_s}


def _sound_s(path: Path) -> float:
    found = audio_info(path)
    if found.channels > _MOST_CHANNELS or found.sample_rate_hz > _HIGHEST_RATE_HZ:
        raise UnreadableInput(
            path,
            f"its header gives {found.channels} channels at {found.sample_rate_hz} Hz; "
            f"{_MOST_CHANNELS} at {_HIGHEST_RATE_HZ} are the most (damaged?)",
        )
    return found.duration_s


def _notes(path: Path, most: int) -> Notes:
    notes = read_notes(path)
    read_notes(path, sustain=True)  # as it will be played
    if len(notes) > most:
        raise UnreadableInput(path, f"it holds {len(notes)} notes; {most} are the most")
    return notes


def _write(out: str, samples: NDArray[np.float32], rate_hz: int, subtype: str) -> None:
    soundfile.write(out, samples, rate_hz, format="WAV", subtype=subtype)


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What one request gives, or why it does not."""
    try:
        return {"query": query, "clip": clip, "check": check}[asked["do"]](asked)
    except UnreadableInput as error:
        return {"reason": error.reason}
    except MemoryError:
        return {"reason": "it would take more memory to read than is allowed"}
    except (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        return {"reason": f"not readable ({type(error).__name__}: {str(error)[:200]})"}


def _bounded(most_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # elsewhere it is not kept to
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))


def main() -> None:
    """Answer until standard input ends, as it does when the server is gone."""
    _bounded(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what decoders print is no answer
    answers.write("\n")
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
