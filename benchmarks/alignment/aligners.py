"""The methods that are compared: a name, and a function from a recording and its notes to the times of the notes.

A new method is one more entry of `ALIGNERS`. Peers run in an environment of their own (`benchmarks.peers.alignment`).
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import symusic
from numpy.typing import NDArray

import antiphon
from antiphon.alignment.dtw import Warp
from antiphon.errors import AntiphonError, UnknownName
from antiphon.io.files import atomic_file, content_hash
from antiphon.io.note_files import read_notes
from benchmarks.alignment.cases import Case

OURS = "antiphon"
_PEERS = Path(__file__).parent.parent / "peers" / "alignment.py"
_BEATS_PER_S = 2.0  # of note files without a tempo
Seconds = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Aligned:
    """Times of notes in a recording, one row [N] for each time that a note sounds.

    `onset_s` are seconds in the notes, `recording_s` in the recording, NaN where a note was not found. `confidence` is
    None for a method without one. `path` and `lost` are as in `antiphon.Alignment`. `seconds` is the CPU time.
    """

    onset_s: Seconds
    pitch: NDArray[np.uint8]
    recording_s: Seconds
    seconds: float
    confidence: Seconds | None = None
    path: tuple[Warp, ...] = ()
    lost: tuple[tuple[float, float], ...] = ()
    pair_confidence: float | None = None

    def at(
        self, notes_s: Seconds, pitch: NDArray[np.uint8] | None = None, within_s: float = 1e-3
    ) -> tuple[Seconds, Seconds]:
        """Seconds of the recording [B] at seconds of the notes [B] on which notes begin, and the confidence there.

        With `pitch` [B] only notes of this pitch count, and a time that was not found stays NaN.

        A time is the median over the notes that begin there, of a note with several rows the surest one. Where none
        was found it is that of the path, or NaN. Confidence is the median of the same rows, 0 where none was found.
        """
        order = np.argsort(self.onset_s, kind="stable")
        onset_s = self.onset_s[order]
        first = np.searchsorted(onset_s, notes_s - within_s, side="left")
        last = np.searchsorted(onset_s, notes_s + within_s, side="right")
        sureness = np.zeros(len(notes_s))
        times = self._on_path(notes_s) if pitch is None else np.full(len(notes_s), np.nan)
        for beat, (begin, end) in enumerate(zip(first, last, strict=True)):
            rows = order[begin:end]
            rows = rows[np.isfinite(self.recording_s[rows])]
            if pitch is not None:
                rows = rows[self.pitch[rows] == pitch[beat]]
            if not len(rows):
                continue
            if self.confidence is not None:
                rows = rows[np.argsort(-self.confidence[rows], kind="stable")]
            _, surest = np.unique(self.pitch[rows], return_index=True)
            times[beat] = np.median(self.recording_s[rows[surest]])
            if self.confidence is not None:
                sureness[beat] = np.median(self.confidence[rows[surest]])
        return times, sureness

    def _on_path(self, notes_s: Seconds) -> Seconds:
        times = np.full(len(notes_s), np.nan)
        for warp in self.path:
            inside = (notes_s >= warp.query_s[0]) & (notes_s <= warp.query_s[-1]) & np.isnan(times)
            times[inside] = warp.at(notes_s[inside])
        return times


class Aligner(Protocol):
    """One method. It raises `AntiphonError` where it has no answer."""

    name: str

    def __call__(self, case: Case) -> Aligned: ...

    def close(self) -> object: ...


class Antiphon:
    """`antiphon.align`, in this process."""

    name = OURS

    def __call__(self, case: Case) -> Aligned:
        began = time.process_time()
        found: Any = antiphon.align(case.recording, case.notes)
        seconds = time.process_time() - began
        kept = np.isfinite(found.onset_s)  # extra notes are not in the file and have no place here
        sureness = getattr(found, "note_confidence", None)
        return Aligned(
            np.asarray(found.onset_s[kept], np.float64),
            np.asarray(found.pitch[kept], np.uint8),
            np.asarray(found.recording_s[kept], np.float64),
            seconds,
            None if sureness is None else np.asarray(sureness[kept], np.float64),
            tuple(getattr(found, "path", ())),
            tuple(getattr(found, "lost", ())),
            float(found.confidence),
        )

    def close(self) -> None:
        """Nothing to end."""


class Peer:
    """A method in a process of another Python, which gets the same notes and recording."""

    def __init__(self, name: str, python: str) -> None:
        self.name = name
        self._command = [python, "-m", "benchmarks.peers.alignment", name]
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, case: Case) -> Aligned:
        notes = read_notes(case.notes, sustain=True)
        begins, ends = onset_beats(case.notes, notes.onset_s), onset_beats(case.notes, notes.offset_s)
        request = {
            "recording": str(case.recording.resolve()),
            "performed": None if case.performed is None else str(case.performed.resolve()),
            "onset_s": notes.onset_s.tolist(),
            "duration_s": notes.duration_s.tolist(),
            "onset_beat": begins.tolist(),
            "duration_beat": (ends - begins).tolist(),
            "pitch": notes.pitch.tolist(),
            "velocity": notes.velocity.tolist(),
        }
        reply = self._request(request)
        if "error" in reply:
            raise AntiphonError(f"{self.name}: {case.name}: {reply['error']}")
        times = np.array([np.nan if value is None else value for value in reply["recording_s"]])
        return Aligned(notes.onset_s, notes.pitch, times, reply["seconds"])

    def _request(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise AntiphonError(f"{self.name} ended with code {self.close()}; try: {' '.join(self._command)}")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def close(self) -> int | None:
        """End the process, if it runs, and give its exit code."""
        if self._process is None:
            return None
        ended, self._process = self._process, None
        with suppress(BrokenPipeError), ended:
            pass  # closes both pipes and waits
        return ended.wait()


class Remembered:
    """A method whose times are kept in a folder, by the contents of both files; `fresh` is the method itself."""

    def __init__(self, fresh: Aligner, cache: Path) -> None:
        self.name = fresh.name
        self.fresh = fresh
        self._folder = cache / "peers" / f"{fresh.name}-{content_hash(_PEERS)[:8]}"

    def __call__(self, case: Case) -> Aligned:
        path = self._folder / f"{content_hash(case.recording)[:16]}-{content_hash(case.notes)[:16]}.npz"
        notes = read_notes(case.notes, sustain=True)
        if path.exists():
            with np.load(path) as kept:
                return Aligned(notes.onset_s, notes.pitch, kept["recording_s"], float(kept["seconds"]))
        aligned = self.fresh(case)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, recording_s=aligned.recording_s, seconds=aligned.seconds)
        return aligned

    def close(self) -> None:
        """End the method's process."""
        self.fresh.close()


def make_aligner(name: str, python: str | None, cache: Path) -> Aligner:
    """A method by name; peers need the Python of their environment, and their times are kept in the cache.

    Raises `AntiphonError` for an unknown name, and for a peer without an environment.
    """
    if name not in ALIGNERS:
        raise UnknownName("method", name, list(ALIGNERS))
    if name == OURS:
        return Antiphon()
    if python is None:
        raise AntiphonError(f"method {name!r} needs --peers, the Python of its environment")
    return Remembered(ALIGNERS[name](python), cache)


ALIGNERS: dict[str, Callable[[str], Aligner]] = {
    OURS: lambda python: Antiphon(),
    "synctoolbox": partial(Peer, "synctoolbox"),
    "parangonar": partial(Peer, "parangonar"),
    "parangonar-notes": partial(Peer, "parangonar-notes"),
}


def onset_beats(path: Path, seconds: Seconds) -> Seconds:
    """Quarter notes at seconds of a MIDI file by its tempi; of other files two a second.

    >>> import symusic
    >>> score = symusic.Score(480)
    >>> score.tempos.extend([symusic.Tempo(0, 60.0), symusic.Tempo(960, 120.0)])
    >>> score.dump_midi("two-tempi.mid")
    >>> onset_beats(Path("two-tempi.mid"), np.array([0.0, 1.0, 2.0, 2.5])).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    if path.suffix.lower() not in (".mid", ".midi"):
        return seconds * _BEATS_PER_S
    score: Any = symusic.Score(path)
    tempi = sorted((int(one.time), float(one.qpm)) for one in score.tempos)
    resolution = score.ticks_per_quarter
    if not tempi or tempi[0][0] > 0:
        tempi.insert(0, (0, 120.0))
    quarter = np.array([tick / resolution for tick, _ in tempi])
    per_s = np.array([qpm / 60.0 for _, qpm in tempi])
    begins_s = np.concatenate([[0.0], np.cumsum(np.diff(quarter) / per_s[:-1])])
    at = np.searchsorted(begins_s, seconds, side="right") - 1
    return np.asarray(quarter[at] + (seconds - begins_s[at]) * per_s[at])
