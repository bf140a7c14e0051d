"""Indexes of audio and notes that can be searched: `library` is the interface to `build`, `store` and `search`."""
