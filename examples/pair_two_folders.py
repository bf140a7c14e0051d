"""Find out which recording of one folder is which MIDI file of another, and write a table."""

import shutil
import tempfile
from pathlib import Path

import antiphon

# %% Two folders, in place of your own; the names of the recordings give nothing away.
folder = Path(tempfile.mkdtemp())
(folder / "recordings").mkdir()
(folder / "scores").mkdir()
for number, recording in enumerate(antiphon.open_corpus("demo", split="test").recordings[:4], start=1):
    shutil.copy(recording.audio_path, folder / "recordings" / f"take {number}.flac")
    shutil.copy(recording.notes_path, folder / "scores")

# %% Pair them. Recordings without a partner would be listed with their nearest candidate.
pairing = antiphon.pair(folder / "recordings", folder / "scores")
for pair in pairing:
    print(f"{Path(pair.recording).name} = {Path(pair.file).stem}, confidence {pair.confidence:.2f}")

# %% A table, and MIDI files with each note at its time in the recording.
(folder / "pairs.csv").write_text(pairing.to_csv(), encoding="utf-8")
pairing.write_aligned(folder / "aligned")
print(len(list((folder / "aligned").glob("*.mid"))), "aligned MIDI files")
