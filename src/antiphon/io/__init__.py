"""Input and output: audio, notes, tables, atomic file writes, caches."""
