"""Locating a query in the library: votes for candidates, local alignments, chains of stretches, their ends; and
aligning the notes of one file with another file.

Pure functions over arrays; `antiphon.index` handles files, indexes and models.

A *tempo* is library seconds per query second throughout.
"""
