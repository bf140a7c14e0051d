"""Build an index of note files, and search it with ten seconds of a recording."""

import shutil
import tempfile
from pathlib import Path

import antiphon

# %% A folder of MIDI files, in place of your own.
folder = Path(tempfile.mkdtemp())
recordings = antiphon.open_corpus("demo", split="test").recordings
for recording in recordings:
    shutil.copy(recording.notes_path, folder)

# %% Build an index. A second build of the same folder embeds only new and changed files.
index = antiphon.Index.build([folder], out=folder / "library")
print(index.report.embedded, "files embedded,", len(index.report.failed), "failed")

# %% Search with ten seconds of audio.
query = recordings[2].audio_path
for match in index.search(query, start_s=20, length_s=10, top=3):
    name, state = Path(match.file).stem, "found" if match.confidence >= 0.5 else "unlikely"
    print(f"{match.confidence:4.0%} {state:8} {match.start_s:5.1f} to {match.end_s:5.1f} s: {name}")
