"""Everything that reads or writes what users have: sound, notes, tables, files."""
