"""Run the queries of every kind in one library, and keep the outcomes between runs."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.errors import UnreadableInput
from antiphon.index.search import SearchOptions, search
from antiphon.index.store import Store
from antiphon.io.files import write_json
from antiphon.models.protocol import Embedder
from antiphon.progress import track
from antiphon.provenance import code_version
from benchmarks.nonmusic.kinds import draw_query
from benchmarks.search.queries import Library

_EVERY = 25  # queries between two writes


@dataclass(frozen=True)
class Answer:
    """The best match of one query: its confidence, 0 without a match; `refused` is the reason where it has none."""

    number: int
    confidence: float
    seconds: float
    file: str = ""
    refused: str = ""


def some_of(files: Sequence[Path], count: int, seed: int) -> tuple[Path, ...]:
    """`count` of the files, drawn with a seed, sorted; all where there are fewer."""
    drawn = np.random.default_rng(seed).permutation(len(files))[:count]
    return tuple(sorted(files[number] for number in drawn))


def run_kinds(
    kinds: Sequence[str], count: int, seed: int, library: Library, store: Store, embedder: Embedder, out: Path
) -> dict[str, list[Answer]]:
    """The answers of queries 0 to `count` − 1 of every kind.

    Those in the file `out` that the same model, code, seed and library gave are not run again. The file is written
    every 25 queries, so a stopped run goes on.
    """
    made_by = {
        "model_hash": embedder.fingerprint,
        "code": code_version(),
        "seed": seed,
        "library_hash": library.manifest_hash,
    }
    answers = _earlier(out, made_by)
    missing = [
        (kind, number)
        for kind in kinds
        for number in range(count)
        if all(one.number != number for one in answers.get(kind, []))
    ]
    for done, (kind, number) in enumerate(track(missing, f"searching {out.stem}")):
        answers.setdefault(kind, []).append(_answer(kind, seed, number, store, embedder))
        if done % _EVERY == _EVERY - 1 or done == len(missing) - 1:
            content = {name: [asdict(one) for one in given] for name, given in answers.items()}
            out.parent.mkdir(parents=True, exist_ok=True)
            write_json(out, made_by | {"answers": content})
    return {kind: [one for one in answers.get(kind, []) if one.number < count] for kind in kinds}


def _answer(kind: str, seed: int, number: int, store: Store, embedder: Embedder) -> Answer:
    query = draw_query(kind, seed, number)
    began = time.perf_counter()
    try:
        matches = search(query, store, embedder, options=SearchOptions(top=1))
    except UnreadableInput as error:
        return Answer(number, 0.0, round(time.perf_counter() - began, 3), refused=error.reason)
    seconds = round(time.perf_counter() - began, 3)
    if not matches:
        return Answer(number, 0.0, seconds)
    return Answer(number, matches[0].confidence, seconds, matches[0].file)


def _earlier(out: Path, made_by: dict[str, Any]) -> dict[str, list[Answer]]:
    content = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    if any(content.get(name) != value for name, value in made_by.items()):
        return {}
    return {kind: [Answer(**one) for one in given] for kind, given in content["answers"].items()}
