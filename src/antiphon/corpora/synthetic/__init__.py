"""Composed music: the demo corpus and the composer behind it."""
