"""What peers answered, counted as our own answers are.

A peer answers the first of a row's queries, maybe in a smaller library. Ours to the same queries stand beside: those of
the row's own run, in the whole library.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.io.files import content_hash
from benchmarks.search.queries import Asked, answer_from_dict, read_queries
from benchmarks.search.tasks import ROWS, Asking

_QUERIES, _ANSWERS = ".queries.json", ".answers.json"


def merge(peers: Path, exchange: Path) -> list[dict[str, Any]]:
    """Every answer file below `peers` counted, and ours to the same queries, by row.

    `exchange` holds the queries and our own answers. Raises `AntiphonError` when there is no answer file, when one
    answers other queries than these, or when its row counts nothing.
    """
    files = sorted(peers.rglob("*.json"))
    theirs = [path for path in files if not path.name.endswith((_QUERIES, _ANSWERS))]
    if not theirs:
        raise AntiphonError(f"{peers}: no answers of peers below it")
    found = []
    asked_of: dict[str, set[int]] = {}
    for path in theirs:
        result = _counted(path, exchange)
        found.append(result)
        asked_of.setdefault(result["row"], set()).add(result["queries"])
    for row, counts in asked_of.items():
        ours = exchange / f"{row}{_ANSWERS}"
        if ours.exists():
            found += [_counted(ours, exchange, count) for count in sorted(counts)]
    return found


def _counted(path: Path, exchange: Path, first: int | None = None) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        row, hash_ = content["row"], content["queries_hash"]
        answers = [answer_from_dict(one) for one in content["answers"]][:first]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise UnreadableInput(path, f"no answers of a peer ({type(error).__name__}: {error})") from None
    queries = exchange / f"{row}{_QUERIES}"
    if not queries.exists() or content_hash(queries) != hash_:
        raise AntiphonError(f"{path}: answers other queries than {queries}; ask this peer again")
    asking = next((one.run for one in ROWS if one.name == row), None)
    if not isinstance(asking, Asking):
        raise AntiphonError(f"{path}: row {row!r} is none that peers can answer")
    _, _, asked = read_queries(queries)
    part = Asked(asked.queries[: len(answers)], asked.library)
    counted = asking.count(part, answers, content["likely"] if content["likely"] is not None else -1.0)
    kept = {name: counted[name] for name in ("queries", "refused", "measures", "seconds")}
    return {"peer": content["peer"], "row": row, "library": content["library"], "queries_hash": hash_} | kept
