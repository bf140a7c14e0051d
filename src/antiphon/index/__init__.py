"""A library on disk that can be searched: `store` keeps it, `build` fills it, `search` asks it."""
