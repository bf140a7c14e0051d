"""Campaigns: runs that are planned as one grid, executed in order, and reported next to the paper's figures (§5)."""
