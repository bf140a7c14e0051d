"""Campaigns: many runs planned as one grid, carried out one after another, reported beside the paper's figures (§5)."""
