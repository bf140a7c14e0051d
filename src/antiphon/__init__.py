"""Find the MIDI for a recording and the recording for a MIDI."""

from antiphon import openmp  # noqa: F401  # before anything imports torch or faiss
from antiphon.version import __version__ as __version__
