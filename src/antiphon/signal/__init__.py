"""Pure functions of samples and notes: spectra, onsets, tuning, varispeed."""
