"""Several models on the same tasks: every comparison of them in one table."""
