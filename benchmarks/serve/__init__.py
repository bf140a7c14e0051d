"""The server against its bars: first hit, many at once, fuzzing, memory, files elsewhere."""
