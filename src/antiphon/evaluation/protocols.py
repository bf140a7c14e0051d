"""The two protocols: `paper` (§6, as published, weaknesses included) and `strict`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from antiphon.errors import UnknownName, look_up
from antiphon.evaluation.pools import sample_pools
from antiphon.evaluation.ranks import pair_accuracy, pool_ranks, whole_pool_ranks
from antiphon.evaluation.scores import CUTOFFS, chance, intervals, summary
from antiphon.models.corpus_embedding import EmbeddedSegments

PROTOCOLS = {"paper": "validation", "strict": "test"}
"""The split that each protocol is reported on, where the corpus has it."""


def score_embeddings(segments: EmbeddedSegments, protocol: str, seed: int = 42) -> dict[str, Any]:
    """Score both directions.

    `paper`: 500 queries with pools of 256, and the pool of all windows. Windows that overlap the positive and windows
    of other performances of its work count as negatives. `strict` excludes both. Ties count as errors in either.
    Returns S and recalls in percent, MRR, chance level, and 95 % intervals over queries and over pieces. Raises
    `UnknownName` for another protocol.
    """
    if protocol not in PROTOCOLS:
        raise UnknownName("protocol", protocol, PROTOCOLS)
    strict = protocol == "strict"
    table, sides = (
        segments.table,
        {"a2m": (segments.audio, segments.notes), "m2a": (segments.notes, segments.audio)},
    )
    pools = sample_pools(table, strict, seed)
    result: dict[str, Any] = {"protocol": protocol, "seed": seed, "queries": len(pools.query)}
    ranks, whole_ranks, whole = {}, {}, {}
    for direction, (query_rows, candidate_rows) in sides.items():
        ranks[direction], sizes = pool_ranks(query_rows[pools.query], candidate_rows, pools.candidate)
        whole_ranks[direction], whole_sizes = whole_pool_ranks(query_rows, candidate_rows, table, strict)
        queries = query_rows[pools.query], candidate_rows[pools.query], candidate_rows
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


def default_split(protocol: str, splits: Collection[str]) -> str | None:
    """The split that a protocol is reported on; None, for all recordings, where the corpus lacks it."""
    split = look_up("protocol", protocol, PROTOCOLS)
    return split if split in splits else None


def scores_as_text(result: dict[str, Any]) -> str:
    """A result as a small table, with the chance level and the 95 % interval of S over pieces."""
    whole = result["whole_pool"]
    low, high = result["intervals_95"]["pieces"]["S"]
    lines = [
        f"{result['model']} on {result['corpus']}, split {result['split'] or '(all)'}, protocol {result['protocol']}: "
        f"S {result['S']:.1f} % (95 % over pieces {low:.1f}–{high:.1f}; chance {result['chance']['R@10']:.1f})",
        f"{'':28}{'R@1':>8}{'R@5':>8}{'R@10':>8}{'R@20':>8}{'MRR':>8}",
    ]
    for title, scores in (
        (f"pool of {result['pool_size']:.0f}", result),
        (f"pool of {whole['pool_size']:.0f}", whole),
    ):
        for direction, arrow in (("a2m", "audio→notes"), ("m2a", "notes→audio")):
            recalls = "".join(f"{scores[direction][f'R@{k}']:8.1f}" for k in CUTOFFS)
            lines.append(f"{title + ' ' + arrow:28}{recalls}{scores[direction]['MRR']:8.3f}")
        lines.append(f"{title + ' chance':28}" + "".join(f"{scores['chance'][f'R@{k}']:8.2f}" for k in CUTOFFS))
    return "\n".join(lines)
