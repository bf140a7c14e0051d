"""How exactly notes are found in their recording, measured against target figures and other methods."""
