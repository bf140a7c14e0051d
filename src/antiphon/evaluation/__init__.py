"""How well do the two sides find each other? Knows embeddings and the segment table, no model.

Conventions. Scores are cosines of unit vectors. The rank of a positive is the number of candidates scoring at least
as high as it, itself included: ties count against us, and a constant embedding has rank = pool size. Recalls and S
are in percent, MRR in 0–1. `a2m` asks with audio for notes, `m2a` the other way round.
"""
