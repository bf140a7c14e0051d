"""Scores of retrieval between audio and notes. Takes embeddings and a segment table; knows no model.

Conventions. Scores are cosines of unit vectors. The rank of a positive is the number of candidates that score at least
as high, itself included: ties count as errors, and a constant embedding has rank = pool size. Recalls and S are in
percent, MRR in 0–1. In direction `a2m` the queries are audio and the candidates notes, in `m2a` the other way round.
"""
