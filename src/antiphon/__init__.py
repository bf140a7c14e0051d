"""Find the MIDI for a recording and the recording for a MIDI."""

__version__ = "0.1.0"
