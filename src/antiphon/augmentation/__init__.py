"""Augmentation of training batches, so that a model trained on rendered pianos works on real recordings.

Audio passes through a random recording chain: room, noise, microphone, level, converter. Notes are changed in the ways
in which a score or a transcription differs from a performance. Varispeed simulates a detuned piano. Every function
depends only on its arguments and a `numpy.random.Generator`, so a batch depends only on seed and step. NumPy draws the
parameters; arithmetic on audio runs on the device of the audio.
"""

from antiphon.augmentation.conditions import Condition, Conditions, record_whole
from antiphon.augmentation.notes import NoteAugmentation, augment_notes
from antiphon.augmentation.settings import Augmentation
from antiphon.augmentation.sound import RecordingChain, SoundAugmentation, augment_sound, draw_chain, draw_detune

__all__ = [
    "Augmentation",
    "Condition",
    "Conditions",
    "NoteAugmentation",
    "RecordingChain",
    "SoundAugmentation",
    "augment_notes",
    "augment_sound",
    "draw_chain",
    "draw_detune",
    "record_whole",
]
