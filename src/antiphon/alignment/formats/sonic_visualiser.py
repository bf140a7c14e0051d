"""Sonic Visualiser CSV: a layer of notes with time, pitch, duration, level and label, without a header.

Open it with File › Import Annotation Layer, columns as guessed: time in seconds, value in MIDI pitch.
"""

from __future__ import annotations

import csv
import io

import numpy as np

from antiphon.alignment.alignment_table import SHORTEST_NOTE_S, Alignment, AlignmentFormat
from antiphon.alignment.labels import label_texts
from antiphon.errors import AntiphonError
from antiphon.io.csv_tables import plain_cell


def _write(alignment: Alignment) -> bytes:
    rows = np.flatnonzero(alignment.is_sounding)
    if not len(rows):
        raise AntiphonError(f"{alignment.recording}: no note of {alignment.notes} was found in it")
    rows = rows[np.lexsort((alignment.pitch[rows], alignment.recording_s[rows]))]
    texts = label_texts(alignment)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    for row in rows.tolist():
        begin_s, end_s = max(float(alignment.recording_s[row]), 0.0), float(alignment.recording_offset_s[row])
        duration_s = max(end_s - begin_s, SHORTEST_NOTE_S) if np.isfinite(end_s) else SHORTEST_NOTE_S
        pitch = int(alignment.pitch[row]) + int(alignment.semitones)
        level = int(alignment.velocity[row]) / 127
        table.writerow([f"{begin_s:.6f}", pitch, f"{duration_s:.6f}", f"{level:.3f}", plain_cell(texts[row])])
    return text.getvalue().encode("utf-8", "backslashreplace")


FORMAT = AlignmentFormat("sonic-visualiser", (".sv.csv",), _write)
