"""A process that reads untrusted files: `python -m antiphon.serving.decoder_worker BYTES`.

A decoder that hangs, fills the memory or crashes affects this process and not the server. Requests are lines of JSON on
standard input, responses are lines of JSON on standard output. An empty line says that the process is ready. BYTES is
the limit of the address space.
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
from antiphon.io.audio import audio_info, is_silent, read_samples, sound_blocks
from antiphon.io.note_files import read_notes
from antiphon.io.notes import Notes

_MOST_CHANNELS = 32
_HIGHEST_RATE_HZ = 768_000
_SLACK_S = 0.05
_BLOCK_S = 60.0


def prepare_query(request: dict[str, Any]) -> dict[str, Any]:
    """Check the stretch of a file that is the query, and write audio to `out` as float samples.

    Returns the file's `duration_s` and the `length_s` of the stretch. Raises `UnreadableInput`.
    """
    path, start_s, most_s = Path(request["path"]), request["start_s"], request["most_s"]
    sound = request["kind"] == "audio"
    notes = None if sound else _notes(path, request["most_notes"])
    duration_s = _audio_duration_s(path) if notes is None else notes.end_s
    if start_s >= duration_s:
        raise UnreadableInput(path, f"the file lasts {duration_s:.2f} s, so start_s cannot be {start_s:g}")
    length_s = duration_s - start_s
    if request["length_s"] is not None:
        length_s = min(length_s, request["length_s"])
    if length_s > most_s + _SLACK_S:
        raise UnreadableInput(
            path,
            f"the query lasts {length_s:.0f} s, more than {most_s:g} s; choose a stretch with start_s and length_s",
        )
    if notes is None:
        samples = read_samples(path, request["rate_hz"], start_s, length_s)
        length_s = len(samples) / request["rate_hz"]
        if is_silent(samples):
            raise UnreadableInput(path, "it is silent (nothing audible above −80 dBFS)")
        if length_s < request["least_s"] - _SLACK_S:
            raise UnreadableInput(path, f"{length_s:.2f} s is too short; a search needs {request['least_s']:g} s")
        _write(request["out"], samples, request["rate_hz"], "FLOAT")
    elif not len(notes.window(start_s, length_s)):
        raise UnreadableInput(path, f"it has no notes from second {start_s:g} to {start_s + length_s:.2f}")
    return {"duration_s": duration_s, "length_s": length_s}


def write_clip(request: dict[str, Any]) -> dict[str, Any]:
    """Write a stretch of audio to `out` with 16 bits. Raises `UnreadableInput`."""
    path = Path(request["path"])
    _audio_duration_s(path)
    samples = read_samples(path, request["rate_hz"], request["start_s"], request["length_s"])
    _write(request["out"], np.clip(samples, -1.0, 1.0), request["rate_hz"], "PCM_16")
    return {"length_s": len(samples) / request["rate_hz"]}


def check_file(request: dict[str, Any]) -> dict[str, Any]:
    """Read a whole file, as indexing does. Raises `UnreadableInput`."""
    path = Path(request["path"])
    if request["kind"] == "notes":
        return {"duration_s": _notes(path, request["most_notes"]).end_s}
    duration_s = _audio_duration_s(path)
    if duration_s > request["most_s"]:
        raise UnreadableInput(path, f"it lasts {duration_s:.0f} s, more than the limit of {request['most_s']:g} s")
    for _ in sound_blocks(path, request["rate_hz"], _BLOCK_S):
        pass
    return {"duration_s": duration_s}


def _audio_duration_s(path: Path) -> float:
    found = audio_info(path)
    if found.channels > _MOST_CHANNELS or found.sample_rate_hz > _HIGHEST_RATE_HZ:
        raise UnreadableInput(
            path,
            f"its header states {found.channels} channels at {found.sample_rate_hz} Hz; "
            f"the limits are {_MOST_CHANNELS} channels and {_HIGHEST_RATE_HZ} Hz (is the file damaged?)",
        )
    return found.duration_s


def _notes(path: Path, most: int) -> Notes:
    notes = read_notes(path)
    read_notes(path, sustain=True)  # rendering reads it so
    if len(notes) > most:
        raise UnreadableInput(path, f"it has {len(notes)} notes; {most} is the limit")
    return notes


def _write(out: str, samples: NDArray[np.float32], rate_hz: int, subtype: str) -> None:
    soundfile.write(out, samples, rate_hz, format="WAV", subtype=subtype)


def handle(request: dict[str, Any]) -> dict[str, Any]:
    """The response to one request, or the reason of its failure."""
    try:
        return {"query": prepare_query, "clip": write_clip, "check": check_file}[request["do"]](request)
    except UnreadableInput as error:
        return {"reason": error.reason}
    except MemoryError:
        return {"reason": "reading it needs more memory than the limit"}
    except (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        return {"reason": f"it cannot be decoded ({type(error).__name__}: {str(error)[:200]})"}


def _limit_memory(most_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # other systems ignore the limit
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))


def main() -> None:
    """Handle requests until standard input ends, as it does when the server exits."""
    _limit_memory(int(sys.argv[1]))
    responses = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # output of decoders must not mix with responses
    responses.write("\n")
    responses.flush()
    for line in sys.stdin:
        responses.write(json.dumps(handle(json.loads(line))) + "\n")
        responses.flush()


if __name__ == "__main__":
    main()
