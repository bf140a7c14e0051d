"""Set lists for players: a CUE sheet, and chapter marks as FFmpeg metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath

_CUE_FRAMES = 75
"""Frames a second of a compact disc."""
_CUE_TYPES = {".mp3": "MP3", ".aif": "AIFF", ".aiff": "AIFF"}
"""Types of files in a CUE sheet; players take WAVE for every other one."""
_SPACE = re.compile(r"[\s\x00-\x1f\x7f]+")
_SPECIAL = re.compile(r"([=;#\\\n])")

Mark = tuple[float, float, str, str]
"""Begin and end in seconds, title, and composer, which may be empty."""


def cue_text(recording: str, marks: Iterable[Mark]) -> str:
    """A CUE sheet. It names the recording without its folder: both files have to be in one folder.

    >>> print(cue_text("tapes/one.flac", [(65.4, 120.0, 'Prelude "in F"', "Bach")]), end="")
    FILE "one.flac" WAVE
      TRACK 01 AUDIO
        TITLE "Prelude 'in F'"
        SONGWRITER "Bach"
        INDEX 01 01:05:30
    """
    path = PurePath(recording)
    lines = [f'FILE "{_quoted(path.name)}" {_CUE_TYPES.get(path.suffix.lower(), "WAVE")}']
    for number, (begin_s, _, title, composer) in enumerate(marks, start=1):
        lines += [f"  TRACK {number:02d} AUDIO", f'    TITLE "{_quoted(title)}"']
        if composer:
            lines.append(f'    SONGWRITER "{_quoted(composer)}"')
        lines.append(f"    INDEX 01 {_cue_time(begin_s)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Text between the quotation marks of a CUE sheet, which cannot have any itself."""
    return _SPACE.sub(" ", text).replace('"', "'")


def _cue_time(second: float) -> str:
    """Minutes, seconds and frames; there are as many minutes as it takes.

    >>> _cue_time(0.0), _cue_time(6000.5)
    ('00:00:00', '100:00:38')
    """
    seconds, frames = divmod(round(max(second, 0.0) * _CUE_FRAMES), _CUE_FRAMES)
    return f"{seconds // 60:02d}:{seconds % 60:02d}:{frames:02d}"


def chapters_text(marks: Iterable[Mark]) -> str:
    r"""Chapters in FFmpeg's format of metadata, in milliseconds.

    >>> print(chapters_text([(1.5, 60.0, "Op. 7 = No. 1", "Bach")]), end="")
    ;FFMETADATA1
    [CHAPTER]
    TIMEBASE=1/1000
    START=1500
    END=60000
    title=Bach: Op. 7 \= No. 1
    """
    lines = [";FFMETADATA1"]
    for begin_s, end_s, title, composer in marks:
        name = _SPACE.sub(" ", f"{composer}: {title}" if composer else title)
        times = [f"START={round(1000 * begin_s)}", f"END={round(1000 * end_s)}"]
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", *times, "title=" + _SPECIAL.sub(r"\\\1", name)]
    return "\n".join(lines) + "\n"
