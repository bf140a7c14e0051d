"""Import of the modules that register kinds."""

from __future__ import annotations

from benchmarks.nonmusic import few_notes, impacts, noises, percussion, tones, voices
from benchmarks.nonmusic.kinds import KINDS

__all__ = ["KINDS", "few_notes", "impacts", "noises", "percussion", "tones", "voices"]
