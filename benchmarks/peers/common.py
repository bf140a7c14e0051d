"""What all peers share: their command line, the sample of queries and library, the time, the answers' file."""

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
from benchmarks.search.asking import Find
from benchmarks.search.queries import Answer, Library, read_queries
from benchmarks.search.tasks import answers_as_dict


def parser_for(module: str, description: str) -> argparse.ArgumentParser:
    """QUERIES OUT [--queries N] [--library N] [--threads N]."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.peers.{module}", description=description)
    parser.add_argument("asked", type=Path, metavar="QUERIES", help="a row's queries, from CACHE/exchange")
    parser.add_argument("out", type=Path, metavar="OUT", help="write the answers there")
    parser.add_argument("--queries", type=int, metavar="N", help="only the first N (all)")
    parser.add_argument("--library", type=int, metavar="N", help="only N files of the library (all)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="PyTorch's threads (2)")
    return parser


def answer(options: argparse.Namespace, peer: str, prepare: Callable[[Library], Find], likely: float | None) -> None:
    """Prepare the library, ask every query, write the answers and print how long both took.

    `likely` is the confidence from which the peer's hits count as found, None where it has none. The first query is
    asked once before, without being timed.
    """
    torch.set_num_threads(options.threads)
    row, seed, everything = read_queries(options.asked)
    asked = everything.sample(options.queries, options.library, seed)
    began = time.perf_counter()
    find = prepare(asked.library)
    prepared_s = time.perf_counter() - began
    answers = []
    for query in track((asked.queries[0], *asked.queries), peer):
        began = time.perf_counter()
        with _refusals() as refused:
            found = None
            found = find(query)
        answers.append(Answer(found, time.perf_counter() - began, "".join(refused)))
    content = answers_as_dict(peer, row, content_hash(options.asked), asked.library, answers[1:], likely)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.out, content | {"prepared_s": round(prepared_s, 1)})
    print(
        f"{peer}: {len(answers) - 1} queries in {sum(one.seconds for one in answers[1:]):.1f} s, library of "
        f"{len(asked.library.files)} prepared in {prepared_s:.1f} s; answers in {options.out}"
    )


@contextmanager
def _refusals() -> Iterator[list[str]]:
    """What could not be asked leaves its reason in the list."""
    reasons: list[str] = []
    try:
        yield reasons
    except AntiphonError as error:
        reasons.append(str(error))
