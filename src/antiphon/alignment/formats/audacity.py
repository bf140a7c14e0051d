"""Audacity labels: begin, end and text of each beat or note, with tabs between them.

The text is the bar and beat, or the note's number; `?` behind it marks a time that is not sure. `antiphon.alignment.
anchors` reads the labels back after a correction.
"""

from __future__ import annotations

from antiphon.alignment.alignment_table import Alignment, AlignmentFormat
from antiphon.alignment.labels import beat_labels, note_labels, path_labels


def _write(alignment: Alignment) -> bytes:
    if not len(alignment) and alignment.path:
        labels = path_labels(alignment)
    else:
        labels = note_labels(alignment) if alignment.bar is None else beat_labels(alignment)
    lines = [f"{one.begin_s:.6f}\t{one.end_s:.6f}\t{one.text}{'' if one.is_sure else ' ?'}\n" for one in labels]
    return "".join(lines).encode("utf-8", "backslashreplace")


FORMAT = AlignmentFormat("audacity", (".txt",), _write)
