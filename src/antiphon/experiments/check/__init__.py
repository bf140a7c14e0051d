"""Audit of a data set of pairs: offset, drift, cuts, wrong partners, lost stretches and notes that are not played.

`deviation` fits a clock to the times of an alignment, `register_shares` counts notes by register, `findings` judges,
`partners` searches for the right note file, `run` audits a corpus, `report` is its result, and `pictures` draws.
"""
