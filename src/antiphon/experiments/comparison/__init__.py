"""Comparison of several models: the same tasks for each, all scores in one table."""
