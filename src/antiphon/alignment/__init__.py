"""From windows that resemble each other to music that is found: votes for places, their fit, chains of stretches.

Pure functions over arrays; files, indexes and models are for `antiphon.index`.

A *tempo* is library seconds per query second throughout.
"""
