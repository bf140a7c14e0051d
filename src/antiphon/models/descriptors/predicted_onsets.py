"""Predicted onsets: the onset strength in semitone bands that notes predict; see `onset_strength`."""

from __future__ import annotations

from antiphon.models.batch import Tokens
from antiphon.models.descriptors import Descriptor, View
from antiphon.models.descriptors.onset_strength import FRAME_HZ, FRAMES
from antiphon.signal.onsets import BAND_NAMES, normalised, onsets_in_bands


def _compute(view: View) -> Tokens:
    """Square root of the summed velocity / 127 of onsets per frame of 80 ms and band, normalised: [B, 50, 96]."""
    notes = view.notes
    loudness = notes.velocity / 127 * ~notes.padding
    onsets = onsets_in_bands(notes.onset_s, notes.pitch, loudness, FRAME_HZ, FRAMES)
    return Tokens(normalised(onsets.sqrt()))


DESCRIPTOR = Descriptor("predicted_onsets", "notes", BAND_NAMES, _compute, FRAMES)
