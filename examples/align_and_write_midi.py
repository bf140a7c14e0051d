"""Align the notes of a MIDI file with a recording, and write them at the times of the recording."""

import tempfile
from pathlib import Path

import numpy as np

import antiphon

# %% A recording, and the notes of another performance of the same work.
performances = [one for one in antiphon.open_corpus("demo", split="test").recordings if "Nocturne" in one.title]
recording, other = performances[0], performances[1]

# %% Align. `recording_s` is the time of each note in the recording, NaN outside the match.
alignment = antiphon.align(recording.audio_path, other.notes_path)
played = np.isfinite(alignment.recording_s)
print(f"confidence {alignment.confidence:.2f}; {played.sum()} of {played.size} notes are in the recording")

# %% The table of notes.
for index in np.flatnonzero(played)[:3]:
    onset_s, recording_s = alignment.onset_s[index], alignment.recording_s[index]
    print(f"MIDI pitch {alignment.pitch[index]}: {onset_s:.2f} s in the notes, {recording_s:.2f} s in the recording")

# %% The same as a MIDI file, which can be played together with the recording.
path = Path(tempfile.mkdtemp()) / "aligned.mid"
alignment.to_midi().save(path)
print(len(antiphon.read_notes(path)), "notes written")
