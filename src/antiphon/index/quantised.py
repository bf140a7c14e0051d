"""A quantised copy of a library's vectors: 4 bits for every two dimensions, searched whole by faiss.

Product quantisation (Jégou, Douze, Schmid, "Product Quantization for Nearest Neighbor Search", 2011) with tables looked
up in registers (André, Kermarrec, Le Scouarnec, "Cache locality is not enough", 2015; faiss' `IndexPQFastScan`). Its
inner products are approximate, so it returns several candidates for each row that is wanted, and these are ranked by
their exact cosines. The number of candidates is measured when the copy is made: the fewest that reach `RECALL`.

Inverted lists were tried instead. A model's windows spread over some 40 dimensions without clusters (175 000 windows of
MAESTRO), so that a third of the lists had to be searched for the same recall, at five times the cost.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from antiphon.index.artifacts import Artifacts
from antiphon.index.neighbours import CHUNK_VALUES, Nearest, nearest_exact, rank_candidates

RECALL = 0.98
"""Share of the ten nearest rows that has to be found."""
_SUFFIXES = _INDEX, _FACTS = ".pq", ".pq.json"
_TRAINING_VALUES = 1 << 23
_FEWEST_CANDIDATES = 4


@dataclass(frozen=True)
class QuantisedFacts:
    """`candidates_per_row` are ranked for every row wanted; `recall_at_10` was measured when the copy was made."""

    candidates_per_row: int
    recall_at_10: float
    seconds_to_make: float


class Quantised:
    """Codes of all rows of a library, in memory: D / 4 bytes each."""

    def __init__(self, index: faiss.Index, facts: QuantisedFacts) -> None:
        self.index = index
        self.facts = facts

    def nearest(self, vectors: NDArray[np.float16], queries: NDArray[np.float32], count: int) -> Nearest:
        """Like `Neighbours.nearest`, over the `vectors` [n, D] that the codes were made of."""
        _, rows = self.index.search(queries, min(count * self.facts.candidates_per_row, len(vectors)))
        return rank_candidates(vectors, queries, count, [row[row >= 0] for row in rows])


def quantised(vectors: NDArray[np.float16], derived: Artifacts) -> Quantised:
    """The quantised copy of `vectors` [n, D] that `derived` holds; made and written first where it is missing."""
    facts = facts_of(derived)
    try:
        index = faiss.read_index(str(derived.path(_INDEX)))
    except RuntimeError:  # missing, or cut off
        index = None
    if index is not None and facts is not None and (index.ntotal, index.d) == vectors.shape:
        return Quantised(index, facts)
    made = quantise(vectors)
    with derived.written_aside(*_SUFFIXES) as (index_aside, facts_aside):
        faiss.write_index(made.index, str(index_aside))
        facts_aside.write_text(json.dumps(asdict(made.facts)), encoding="utf-8")
    return made


def facts_of(derived: Artifacts) -> QuantisedFacts | None:
    """The measurements of the quantised copy; None where it does not exist yet."""
    try:
        return QuantisedFacts(**json.loads(derived.path(_FACTS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # missing, or cut off
        return None


def quantise(vectors: NDArray[np.float16]) -> Quantised:
    """Learn codebooks from some of the rows [n, D], encode all, and measure how many candidates it takes.

    There must be 16 rows at least, to fill a codebook of 4 bits. The queries of the measurement are 100 of them, each
    moved so far that its cosine with itself is about 0.7.
    """
    began = time.monotonic()
    rng = np.random.default_rng(0)
    rows, dimensions = vectors.shape
    subspaces = dimensions // 2 if dimensions % 2 == 0 else dimensions
    index = faiss.IndexPQFastScan(dimensions, subspaces, 4, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.min_points_per_centroid = 1  # or it warns of libraries of a few hundred windows
    with _on_one_thread():
        index.train(_some(vectors, max(1024, _TRAINING_VALUES // dimensions), rng))
    for chunk in _chunks(vectors):
        index.add(chunk)
    queries = _some(vectors, 100, rng)
    queries += rng.standard_normal(queries.shape, np.float32) / np.float32(math.sqrt(dimensions))
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    count = min(10, rows)
    tenth = nearest_exact(vectors, queries, count)[0][:, -1:]
    candidates = _FEWEST_CANDIDATES
    while True:
        found = Quantised(index, QuantisedFacts(candidates, 0.0, 0.0)).nearest(vectors, queries, count)[0]
        recall = float((found >= tenth - 1e-5).mean())  # by cosine, so that equal rows may stand for each other
        if recall >= RECALL or candidates * count >= rows:
            return Quantised(index, QuantisedFacts(candidates, round(recall, 4), round(time.monotonic() - began, 1)))
        candidates *= 2


@contextmanager
def _on_one_thread() -> Iterator[None]:
    """Training is thousands of steps of microseconds: on a busy machine, threads wait for each other a hundredfold."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def _some(vectors: NDArray[np.float16], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    rows = rng.choice(len(vectors), min(count, len(vectors)), replace=False)
    return vectors[np.sort(rows)].astype(np.float32)


def _chunks(vectors: NDArray[np.float16]) -> Iterator[NDArray[np.float32]]:
    size = max(1, CHUNK_VALUES // vectors.shape[1])
    for begin in range(0, len(vectors), size):
        yield vectors[begin : begin + size].astype(np.float32)
