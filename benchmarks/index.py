"""Nearest-neighbour search in a large library: time to quantise, recall, time per query, memory.

python -m benchmarks.index [--windows 1000000] [--dimensions 256]

The library is synthetic: each recording is a random walk of 600 windows on the unit sphere; consecutive windows have
the cosine 0.9. A query is ten consecutive windows with added noise, so that their cosine with the originals is 0.7. It
retrieves the ten nearest neighbours of each. The queries run in a separate process that has imported the modules of a
search.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from antiphon.index.artifacts import Artifacts
from antiphon.index.neighbours import Nearest, nearest_exact
from antiphon.index.view import IndexView, StoredRecording, open_view
from benchmarks.report import markdown_table
from benchmarks.timing import in_fresh_process

_RECORDING_WINDOWS = 600
_NEIGHBOURS_COSINE = 0.9
_QUERY_WINDOWS, _COUNT = 10, 10


def main() -> None:
    """Create the library, query it, print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index")
    parser.add_argument("--windows", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--exact-queries", type=int, default=20, help="number of queries that also run exactly")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        library = _open(Path(folder), options.dimensions, _walks(options.windows, options.dimensions))
        written = time.perf_counter()
        _ = library.neighbours
        made = time.perf_counter()
        queries = _queries(library.vectors, options.queries)
        (seconds, nearest), peak_mib = in_fresh_process(_run_queries, Path(folder), queries)
        began_exact = time.perf_counter()
        exact = [nearest_exact(library.vectors, query, _COUNT) for query in queries[: options.exact_queries]]
        exact_s = (time.perf_counter() - began_exact) / len(exact)
    found = zip(nearest, exact, strict=False)
    recall = np.mean([cosine >= true[:, -1:] - 1e-5 for (cosine, _), (true, _) in found])
    median_s, slow_s = np.quantile(seconds[1:], [0.5, 0.95])
    rows = [
        ("windows × dimensions", f"{options.windows:,} × {options.dimensions}"),
        ("write the vectors, walks included", f"{written - began:.1f} s"),
        ("quantise the vectors", f"{made - written:.1f} s"),
        (f"recall at {_COUNT}", f"{recall:.4f}"),
        (f"query of {_QUERY_WINDOWS} windows, p50", f"{1e3 * median_s:.1f} ms"),
        (f"query of {_QUERY_WINDOWS} windows, p95", f"{1e3 * slow_s:.1f} ms"),
        ("first query, opening included", f"{1e3 * seconds[0]:.0f} ms"),
        ("the same exactly, mean", f"{1e3 * exact_s:.0f} ms"),
        ("peak memory of the searching process", f"{peak_mib:.0f} MiB"),
    ]
    print(markdown_table(("", "measured"), rows))


def _walks(windows: int, dimensions: int) -> Iterator[StoredRecording]:
    rng = np.random.default_rng(1)
    step = np.float32(np.sqrt(1 - _NEIGHBOURS_COSINE**2))
    for begin in range(0, windows, _RECORDING_WINDOWS):
        count = min(_RECORDING_WINDOWS, windows - begin)
        walk = rng.standard_normal((count, dimensions), np.float32)
        walk[1:] *= step
        for window in range(1, count):
            walk[window] += np.float32(_NEIGHBOURS_COSINE) * walk[window - 1]
        starts_s = np.arange(count, dtype=np.float64)
        yield count + 3.0, starts_s.tobytes(), _unit(walk).astype(np.float16).tobytes(), b""


def _open(folder: Path, dimensions: int, recordings: Iterable[StoredRecording] = ()) -> IndexView:
    return open_view(Artifacts(folder, "notes", 1), dimensions, (), recordings, {}, exact_below=16)


def _queries(vectors: NDArray[np.float16], count: int) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(2)
    found = []
    for begin in rng.integers(0, len(vectors) - _QUERY_WINDOWS, count):
        windows = vectors[begin : begin + _QUERY_WINDOWS].astype(np.float32)
        moved = rng.standard_normal(windows.shape, np.float32) / np.float32(np.sqrt(windows.shape[1]))
        found.append(_unit(windows + moved))
    return found


def _run_queries(folder: Path, queries: list[NDArray[np.float32]]) -> tuple[list[float], list[Nearest]]:
    """Seconds and neighbours of each query. The time of the first query includes opening the library."""
    import antiphon.index.search  # noqa: F401  counts towards the memory of a search

    seconds, nearest = [], []
    began = time.perf_counter()
    library = _open(folder, queries[0].shape[1])
    for query in queries:
        nearest.append(library.neighbours.nearest(query, _COUNT))
        seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
    return seconds, nearest


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    main()
