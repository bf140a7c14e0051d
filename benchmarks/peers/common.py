"""Shared parts of the peers: command line, sample of queries and library, timing, result file."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from antiphon.errors import AntiphonError
from antiphon.io.files import content_hash, write_json
from antiphon.progress import track
from benchmarks.search.queries import Library, Outcome, read_queries
from benchmarks.search.querying import SearchFunction
from benchmarks.search.tasks import outcomes_as_dict


def parser_for(module: str, description: str) -> argparse.ArgumentParser:
    """A parser of: QUERIES OUT [--queries N] [--library N] [--threads N]."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.peers.{module}", description=description)
    parser.add_argument("query_file", type=Path, metavar="QUERIES", help="a row's queries, from CACHE/exchange")
    parser.add_argument("out", type=Path, metavar="OUT", help="write the results to OUT")
    parser.add_argument("--queries", type=int, metavar="N", help="only the first N (all)")
    parser.add_argument("--library", type=int, metavar="N", help="only N files of the library (all)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="PyTorch's threads (2)")
    return parser


def run_peer(
    options: argparse.Namespace, peer: str, prepare: Callable[[Library], SearchFunction], likely: float | None
) -> None:
    """Prepare the library, run every query, write the results and print the seconds of both steps.

    `likely` is the confidence from which a match of the peer counts as found, None for a peer without confidences. The
    first query also runs once untimed.
    """
    torch.set_num_threads(options.threads)
    row, seed, everything = read_queries(options.query_file)
    query_set = everything.sample(options.queries, options.library, seed)
    began = time.perf_counter()
    find = prepare(query_set.library)
    prepared_s = time.perf_counter() - began
    outcomes = []
    for query in track((query_set.queries[0], *query_set.queries), peer):
        began = time.perf_counter()
        with _refusals() as refused:
            match = None
            match = find(query)
        outcomes.append(Outcome(match, time.perf_counter() - began, "".join(refused)))
    content = outcomes_as_dict(peer, row, content_hash(options.query_file), query_set.library, outcomes[1:], likely)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.out, content | {"prepared_s": round(prepared_s, 1)})
    print(
        f"{peer}: {len(outcomes) - 1} queries in {sum(one.seconds for one in outcomes[1:]):.1f} s, library of "
        f"{len(query_set.library.files)} prepared in {prepared_s:.1f} s; results in {options.out}"
    )


@contextmanager
def _refusals() -> Iterator[list[str]]:
    """Collect the reason of an error in the list instead of raising it."""
    reasons: list[str] = []
    try:
        yield reasons
    except AntiphonError as error:
        reasons.append(str(error))
