"""Training: windows drawn from a cache of samples, graded learning rates, one explicit loop, resumable runs."""
