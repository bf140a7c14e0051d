"""Praat TextGrid: a tier of intervals from onset to onset, and a tier of points at the onsets.

Intervals are named by bar and beat where the notes have them, else by the ids of the notes that begin together; points
have the id of their note. The intervals of a tier cover its time without gaps or overlaps, as Praat demands.
"""

from __future__ import annotations

import numpy as np

from antiphon.alignment.alignment_table import Alignment, AlignmentFormat
from antiphon.alignment.labels import Label, beat_labels, note_labels

_RESOLUTION_S = 1e-6


def _write(alignment: Alignment) -> bytes:
    notes = note_labels(alignment)
    last_s = max(one.end_s for one in notes)
    end_s = float(np.ceil(max(last_s, notes[-1].begin_s + _RESOLUTION_S) / _RESOLUTION_S) * _RESOLUTION_S)
    onsets = _joined(notes)
    intervals = _joined(beat_labels(alignment))
    starts = [begin_s for begin_s, _ in intervals]
    cells = [("", 0.0, starts[0])] if starts[0] > 0 else []
    cells += [(text, begin_s, until) for (begin_s, text), until in zip(intervals, [*starts[1:], end_s], strict=True)]
    lines = [
        'File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end_s:.6f}",
        "tiers? <exists>", "size = 2", "item []:",
        *_tier(1, "IntervalTier", "onsets" if alignment.bar is None else "beats", end_s, "intervals", len(cells)),
    ]  # fmt: skip
    for number, (text, begin_s, until_s) in enumerate(cells, 1):
        lines += [f"        intervals [{number}]:", f"            xmin = {begin_s:.6f}"]
        lines += [f"            xmax = {until_s:.6f}", f"            text = {_quoted(text)}"]
    lines += _tier(2, "TextTier", "notes", end_s, "points", len(onsets))
    for number, (time_s, text) in enumerate(onsets, 1):
        lines += [
            f"        points [{number}]:",
            f"            number = {time_s:.6f}",
            f"            mark = {_quoted(text)}",
        ]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _tier(number: int, kind: str, name: str, end_s: float, what: str, size: int) -> list[str]:
    return [
        f"    item [{number}]:", f'        class = "{kind}"', f'        name = "{name}"', "        xmin = 0",
        f"        xmax = {end_s:.6f}", f"        {what}: size = {size}",
    ]  # fmt: skip


def _joined(labels: list[Label]) -> list[tuple[float, str]]:
    """Times, strictly increasing at the resolution of the file, with the texts of all labels there."""
    found: dict[float, list[str]] = {}
    for one in labels:
        found.setdefault(round(one.begin_s, 6), []).append(one.text)
    return [(time_s, " ".join(texts)) for time_s, texts in sorted(found.items())]


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


FORMAT = AlignmentFormat("textgrid", (".textgrid",), _write)
