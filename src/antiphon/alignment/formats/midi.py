"""MIDI on the recording's clock: the notes at their times in the recording, in its key, at a constant tempo."""

from __future__ import annotations

from antiphon.alignment.alignment_table import AlignmentFormat
from antiphon.io.notes import midi_bytes

FORMAT = AlignmentFormat("midi", (".mid", ".midi"), lambda alignment: midi_bytes(alignment.to_midi()))
