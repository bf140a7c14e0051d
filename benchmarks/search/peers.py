"""Score the results of peers in the same way as our own.

A peer runs the first queries of a row, possibly against a smaller library. Our results on the same queries, from the
row's own run against the whole library, are reported next to them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.files import content_hash
from benchmarks.search.queries import QuerySet, outcome_from_dict, read_queries
from benchmarks.search.tasks import ROWS, RetrievalTask

_QUERIES, _ANSWERS = ".queries.json", ".answers.json"


def merge(peers: Path, exchange: Path) -> list[dict[str, Any]]:
    """Score every result file below `peers`, and our own results on the same queries.

    `exchange` holds the queries and our own results. Raises `AntiphonError` when there is no result file, when one
    belongs to other queries, or when peers cannot run its row.
    """
    files = sorted(peers.rglob("*.json"))
    theirs = [path for path in files if not path.name.endswith((_QUERIES, _ANSWERS))]
    if not theirs:
        raise AntiphonError(f"{peers}: no results of peers in this folder")
    scored = []
    counts_of_row: dict[str, set[int]] = {}
    for path in theirs:
        result = _scored(path, exchange)
        scored.append(result)
        counts_of_row.setdefault(result["row"], set()).add(result["queries"])
    for row, counts in counts_of_row.items():
        ours = exchange / f"{row}{_ANSWERS}"
        if ours.exists():
            scored += [_scored(ours, exchange, count) for count in sorted(counts)]
    return scored


def _scored(path: Path, exchange: Path, first: int | None = None) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        row, hash_ = content["row"], content["queries_hash"]
        outcomes = [outcome_from_dict(one) for one in content["answers"]][:first]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise UnreadableInput(path, f"not a result file of a peer ({type(error).__name__}: {error})") from None
    queries = exchange / f"{row}{_QUERIES}"
    if not queries.exists() or content_hash(queries) != hash_:
        raise AntiphonError(f"{path}: belongs to other queries than {queries}; run this peer again")
    task = next((one.run for one in ROWS if one.name == row), None)
    if not isinstance(task, RetrievalTask):
        raise AntiphonError(f"{path}: row {row!r} cannot be run by peers")
    _, _, query_set = read_queries(queries)
    part = QuerySet(query_set.queries[: len(outcomes)], query_set.library)
    counted = task.count(part, outcomes, content["likely"] if content["likely"] is not None else -1.0)
    kept = {name: counted[name] for name in ("queries", "refused", "measures", "seconds")}
    return {"peer": content["peer"], "row": row, "library": content["library"], "queries_hash": hash_} | kept
