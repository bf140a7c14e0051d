"""Aligned notes: the notes of an alignment at the recording's times and in its key."""

from __future__ import annotations

import numpy as np

from antiphon.alignment.alignment_table import Alignment
from antiphon.errors import AntiphonError
from antiphon.io.notes import Notes


def aligned_notes(alignment: Alignment) -> Notes:
    """The notes that have a time in the recording. Those that the key moves out of MIDI's range 0–127 are left out.

    Raises `AntiphonError` where no note remains.
    """
    pitch = alignment.pitch.astype(np.int64) + alignment.semitones
    written = np.isfinite(alignment.recording_s) & np.isfinite(alignment.onset_s)
    kept = written & (pitch >= 0) & (pitch <= 127)
    if not kept.any():
        raise AntiphonError(f"{alignment.recording}: no note of {alignment.notes} was found in it")
    onset_s = alignment.recording_s[kept]
    return Notes.of(onset_s, alignment.recording_offset_s[kept] - onset_s, pitch[kept], alignment.velocity[kept])
