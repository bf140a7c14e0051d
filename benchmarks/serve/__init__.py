"""The server against target figures: time to the first match, concurrent users, fuzzing, memory, changed files."""
