"""The two protocols: `paper` (§6, verbatim, its weaknesses included) and `strict`."""

from __future__ import annotations

from typing import Any

import numpy as np

from antiphon.embedding import EmbeddedSegments
from antiphon.errors import UnknownName
from antiphon.evaluation.pools import sample_pools
from antiphon.evaluation.ranks import pair_accuracy, pool_ranks, whole_pool_ranks
from antiphon.evaluation.scores import chance, intervals, summary

PROTOCOLS = {"paper": "validation", "strict": "test"}
"""Each protocol's split, where the corpus has it."""


def evaluate(segments: EmbeddedSegments, protocol: str, seed: int = 42) -> dict[str, Any]:
    """Score both directions.

    `paper`: 500 queries, pools of 256 with windows that overlap the positive and with other performances of its work
    among the wrong answers; the whole pool likewise. `strict`: both left out. Ties count against us in either.
    Returns S and recalls in percent, MRR, chance level, and 95 % intervals over queries and over pieces.
    """
    if protocol not in PROTOCOLS:
        raise UnknownName("protocol", protocol, PROTOCOLS)
    strict = protocol == "strict"
    table, sides = segments.table, {"a2m": (segments.audio, segments.notes), "m2a": (segments.notes, segments.audio)}
    pools = sample_pools(table, strict, seed)
    result: dict[str, Any] = {"protocol": protocol, "seed": seed, "queries": len(pools.query)}
    ranks, whole_ranks, whole = {}, {}, {}
    for direction, (asking, answering) in sides.items():
        ranks[direction], sizes = pool_ranks(asking[pools.query], answering, pools.candidate)
        whole_ranks[direction], whole_sizes = whole_pool_ranks(asking, answering, table, strict)
        queries = asking[pools.query], answering[pools.query], answering
        result[direction] = summary(ranks[direction]) | {
            "pair_accuracy_same_piece": pair_accuracy(*queries, pools.same_piece),
            "pair_accuracy_other_piece": pair_accuracy(*queries, pools.other_piece),
        }
        whole[direction] = summary(whole_ranks[direction])
    everyone = np.arange(len(table))
    return {
        "S": min(result["a2m"]["R@10"], result["m2a"]["R@10"]),
        **result,
        "pool_size": float(sizes.mean()),
        "chance": chance(sizes),
        "intervals_95": {
            "queries": intervals(ranks, pools.query, seed),
            "pieces": intervals(ranks, table.work[pools.query], seed),
        },
        "whole_pool": {
            "n": len(table),
            **whole,
            "pool_size": float(whole_sizes.mean()),
            "chance": chance(whole_sizes),
            "intervals_95": {
                "queries": intervals(whole_ranks, everyone, seed),
                "pieces": intervals(whole_ranks, table.work, seed),
            },
        },
    }
