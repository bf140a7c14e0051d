"""Augmentation of training batches, so that a model trained on rendered pianos has heard real recordings too.

Sound goes through a random recording chain (room, noise, microphone, level, converter), notes through what separates
a score or a transcription from a performance, and a detuned piano is a recording played a little too fast or slow.
Everything is a function of its arguments and of a `numpy.random.Generator`, so that a batch stays a function of seed
and step. Parameters are drawn by numpy; arithmetic on sound runs on its own device.
"""

from antiphon.augmentation.notes import NoteAugmentation, augment_notes
from antiphon.augmentation.settings import Augmentation
from antiphon.augmentation.sound import RecordingChain, SoundAugmentation, augment_sound, draw_chain, draw_detune

__all__ = [
    "Augmentation",
    "NoteAugmentation",
    "RecordingChain",
    "SoundAugmentation",
    "augment_notes",
    "augment_sound",
    "draw_chain",
    "draw_detune",
]
