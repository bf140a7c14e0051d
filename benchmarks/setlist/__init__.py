"""Set lists of concerts that are put together by a seed, against the pieces that were really played."""
