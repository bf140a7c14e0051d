"""ABC → `Sheet`, by abc2midi, which symusic brings: repeats, part orders and voices are its work.

It runs as a process of its own with a time limit. Chord symbols are not played, fermatas not held. Grace notes begin
on the beat, at an eighth of their written length, and the main note follows them. ABC read in this way has no bar
numbers.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import symusic

from antiphon.errors import UnreadableInput, warn_input
from antiphon.io.sheet import Bar, Sheet, TempoMark, Written

_LIMIT_S = 10.0
_OPTIONS = ("-silent", "-NGUI", "-NFER", "-Q", "120")
_DIRECTIVES = "%%MIDI chordattack 0\n%%MIDI gracedivider 8\n"
_TUNE = re.compile(r"^X:", re.MULTILINE)
_TITLE = re.compile(r"^T:[ \t]*(\S.*)$", re.MULTILINE)
_KEY = re.compile(r"^K:", re.MULTILINE)
_TEMPO = re.compile(r"^Q:.*\d|\[Q:[^\]]*\d", re.MULTILINE)
_INCLUDE = re.compile(r"^(%%|I:)\s*abc-include.*$", re.MULTILINE)


def looks_like_abc(text: str) -> bool:
    """Whether a text has the key field that every tune needs."""
    return _KEY.search(text) is not None


def read_abc(path: Path, text: str) -> Sheet:
    """Read the first tune of an ABC text. Raises `UnreadableInput` where abc2midi finds no tune or takes too long."""
    text = _INCLUDE.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", ""))
    starts = [match.start() for match in _TUNE.finditer(text)]
    if len(starts) > 1:
        title = _TITLE.search(text, starts[0], starts[1])
        name = f", {title[1].strip()[:60]!r}," if title else ""
        warn_input(path, f"it holds {len(starts)} tunes; the first{name} is read")
    header = text[: starts[0]] if starts else ""
    tune = text[starts[0] : starts[1] if len(starts) > 1 else None] if starts else f"X:1\n{text.lstrip()}"
    first, _, rest = tune.partition("\n")
    score: Any = _played(path, f"{header}{first}\n{_DIRECTIVES}{rest}\n".encode())
    notes: list[Written] = []
    for part, track in enumerate(score.tracks):
        for note in track.notes:  # abc2midi begins every note one tick late
            at, length = max(note.time - 1, 0), note.duration + 1
            ticks = Fraction(at, score.tpq), Fraction(length, score.tpq)
            notes.append(Written(*ticks, note.pitch, max(note.velocity, 1), part=part, is_drum=track.is_drum))
    if not notes:
        raise UnreadableInput(path, "it holds no notes")
    end = max(note.at + note.length for note in notes)
    tempi = []
    if _TEMPO.search(header + tune):
        tempi = [
            TempoMark(Fraction(max(mark.time - 1, 0), score.tpq), 60e6 / mark.mspq)
            for mark in score.tempos
            if mark.mspq > 0
        ]
    return Sheet([Bar(Fraction(0), end, 0, notes=notes)], tempi, has_bars=False)


def _played(path: Path, tune: bytes) -> Any:
    with tempfile.TemporaryDirectory(prefix="antiphon-abc-") as folder:
        source, midi = Path(folder) / "tune.abc", Path(folder) / "tune.mid"
        source.write_bytes(tune)
        try:
            subprocess.run(
                [os.environ["SYMUSIC_ABC2MIDI"], source.name, "-o", midi.name, *_OPTIONS],
                cwd=folder, timeout=_LIMIT_S, check=False, stdin=subprocess.DEVNULL, capture_output=True,
            )  # fmt: skip
            return symusic.Score.from_midi(midi.read_bytes())
        except subprocess.TimeoutExpired:
            raise UnreadableInput(path, f"abc2midi takes more than {_LIMIT_S:.0f} s over it") from None
        except (OSError, RuntimeError, ValueError):
            raise UnreadableInput(
                path, "not ABC that abc2midi can read (no tune with X: and K: fields, or damaged)"
            ) from None
