"""Embed a recording and its notes, and compare them window by window."""

import numpy as np

import antiphon

# %% A model, and one recording of the demo corpus, which is composed and rendered at first use.
model = antiphon.load_model("default")
recording = antiphon.open_corpus("demo", split="test").recordings[0]

# %% Each side becomes one unit vector for each window of four seconds.
audio = model.embed_audio(antiphon.read_audio(recording.audio_path))
notes = model.embed_notes(antiphon.read_notes(recording.notes_path))
print(recording.title, "-", len(audio.vectors), "windows of audio,", len(notes.vectors), "of notes")

# %% The dot product of two vectors is their similarity. For each window of audio, find the most similar one of notes.
similarity = audio.vectors @ notes.vectors.T
best = similarity.argmax(axis=1)
error_s = np.abs(notes.start_s[best] - audio.start_s)
print(f"{np.mean(error_s < 1):.0%} of the windows find their notes within a second")
