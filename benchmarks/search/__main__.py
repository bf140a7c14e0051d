"""Measure search quality against target figures, and compare it with that of other methods.

python -m benchmarks.search --corpus RENDERED --real RECORDINGS --library NOTES… --maestro MAESTRO --asap ASAP

Each row samples its queries with the seed, updates the index of its library in the cache, and runs the queries. Rows
whose folders are not given are skipped and named. `--out` keeps the rows that earlier runs wrote. Queries and results
are written to CACHE/exchange: `benchmarks.peers` runs the same queries, and `--peers DIR` reports its results next to
ours.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from antiphon.corpora import open_corpus
from antiphon.errors import AntiphonError, UnknownName
from antiphon.io.files import write_json
from antiphon.models.loading import load_model
from benchmarks.report import replace_section
from benchmarks.search.peers import merge
from benchmarks.search.querying import Indexes
from benchmarks.search.report import peers_as_markdown, rows_as_markdown
from benchmarks.search.rows import Row, Setting
from benchmarks.search.sampling import Data
from benchmarks.search.tasks import ROWS


def main() -> None:
    """Parse the command line, run the rows, print the tables."""
    parser = _parser()
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    try:
        text = _run(options)
    except AntiphonError as error:
        parser.error(str(error))
    print(text)
    if options.update:
        replace_section(options.update, "search", text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search", description="Search quality against target figures and other methods."
    )
    names = ", ".join(row.name for row in ROWS)
    parser.add_argument(
        "--rows", nargs="*", metavar="ROW", help=f"rows to run (all; none to merge peers only): {names}"
    )
    parser.add_argument("--corpus", metavar="DIR", help="a corpus with audio unseen in training")
    parser.add_argument("--real", metavar="DIR", help="real recordings with their notes")
    parser.add_argument(
        "--library",
        nargs="+",
        type=Path,
        default=[],
        metavar="DIR",
        help="folders of further note files to search among",
    )
    parser.add_argument("--maestro", metavar="DIR", help="MAESTRO: performances of the scores")
    parser.add_argument("--asap", type=Path, metavar="DIR", help="ASAP: the scores")
    parser.add_argument(
        "--asap-sound", nargs="+", default=[], metavar="DIR", help="corpora with audio of MAESTRO's performances"
    )
    parser.add_argument(
        "--asap-splits",
        nargs="+",
        default=["validation", "test"],
        metavar="S",
        help="MAESTRO splits whose performances are queries",
    )
    parser.add_argument("--model", default="default")
    parser.add_argument("--soundfont", default="additive", help="renders the transposed queries")
    parser.add_argument("--queries", type=int, default=1000, metavar="N", help="queries per row (1000)")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="PyTorch's threads (2)")
    parser.add_argument("--cache", type=Path, default=Path("runs/search"), metavar="DIR", help="indexes and queries")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the results to FILE")
    parser.add_argument("--update", type=Path, metavar="FILE", help="replace the tables in FILE")
    parser.add_argument("--peers", type=Path, metavar="DIR", help="folder with the results of peers")
    return parser


def _run(options: argparse.Namespace) -> str:
    chosen = _chosen(options.rows)
    results = _earlier(options.out)
    exchange = options.cache / "exchange"
    if chosen:
        data = _data(options)
        indexes = Indexes(options.cache / options.model.replace("/", "_"), options.model, load_model(options.model))
        setting = Setting(data, indexes, options.queries, options.seed, exchange)
        for row in chosen:
            if missing := row.missing_inputs(data):
                print(f"{row.name} is skipped: needs --{' --'.join(missing)}")
                continue
            results["rows"][row.name] = {"title": row.title, "bar": row.bar} | row.run(row, setting)
            _write(options.out, results)
    text = rows_as_markdown(results["rows"])
    if options.peers:
        results["peers"] = merge(options.peers, exchange)
        _write(options.out, results)
    if results["peers"]:
        text += "\n\n" + peers_as_markdown(results["peers"])
    return text


def _chosen(names: list[str] | None) -> list[Row]:
    known = {row.name: row for row in ROWS}
    for name in names or []:
        if name not in known:
            raise UnknownName("row", name, list(known))
    return list(ROWS) if names is None else [known[name] for name in names]


def _data(options: argparse.Namespace) -> Data:
    return Data(
        corpus=open_corpus(options.corpus) if options.corpus else None,
        real=open_corpus(options.real) if options.real else None,
        library=tuple(options.library),
        asap=options.asap,
        maestro=open_corpus(options.maestro) if options.maestro else None,
        asap_sound=tuple(open_corpus(one) for one in options.asap_sound),
        splits=tuple(options.asap_splits),
        soundfont=options.soundfont,
        cache=options.cache,
    )


def _earlier(out: Path | None) -> dict[str, Any]:
    """The results already in the file. Every row records the code and the model that produced it."""
    empty: dict[str, Any] = {"rows": {}, "peers": []}
    return empty | json.loads(out.read_text(encoding="utf-8")) if out and out.exists() else empty


def _write(out: Path | None, results: dict[str, Any]) -> None:
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, results)


if __name__ == "__main__":
    main()
