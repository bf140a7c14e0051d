"""Measure how exactly notes are found in their recording, against target figures and other methods.

OMP_NUM_THREADS=1 python -m benchmarks.alignment --asap ASAP --maestro MAESTRO --maps RECORDINGS --peers PYTHON

Renders go to the cache and are used again; so are the times that peers gave to the same files. `--peers` is the Python
of an environment with benchmarks/peers/requirements-alignment.txt. Rows whose data are not given are skipped and named.
`--out` keeps the rows that earlier runs wrote. `--split train --soundfonts FluidR3_GM` is for tuning: works that the
validation and test splits play are left out of it.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import torch

from antiphon.corpora import open_corpus
from antiphon.errors import AntiphonError, UnknownName
from antiphon.io.files import write_json
from antiphon.provenance import code_version
from benchmarks.alignment.aligners import ALIGNERS, OURS, make_aligner
from benchmarks.alignment.cases import REPORTED
from benchmarks.alignment.registry import ROWS
from benchmarks.alignment.report import as_markdown
from benchmarks.alignment.rows import Row, Setting
from benchmarks.alignment.sounds import CONDITIONS

_QUICK_PIECES = 4


def main() -> None:
    """Parse the command line, run the rows, print the tables."""
    parser = _parser()
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    try:
        print(_run(options))
    except AntiphonError as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.alignment", description="Exactness of alignments against target figures and peers."
    )
    names = ", ".join(row.name for row in ROWS)
    parser.add_argument("--rows", nargs="+", metavar="ROW", help=f"rows to run (all): {names}")
    parser.add_argument("--asap", type=Path, metavar="DIR", help="ASAP: scores and annotations")
    parser.add_argument("--maestro", metavar="DIR", help="MAESTRO: the performances")
    parser.add_argument("--maps", type=Path, metavar="DIR", help="real recordings with their notes")
    parser.add_argument("--split", nargs="+", default=list(REPORTED), metavar="S", help="splits of MAESTRO")
    parser.add_argument("--pieces", type=int, default=0, metavar="N", help="a random sample of N pieces (all)")
    parser.add_argument(
        "--soundfonts", nargs="+", default=["TimGM6mb", "MuseScore_General"], metavar="FONT", help="names or files"
    )
    parser.add_argument("--conditions", nargs="+", default=["clean"], choices=CONDITIONS)
    parser.add_argument("--methods", nargs="+", metavar="M", help=f"of {', '.join(ALIGNERS)} (all with --peers)")
    parser.add_argument("--peers", metavar="PYTHON", help="the Python of the peers' environment")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--cache", type=Path, default=Path("runs/alignment"), metavar="DIR")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the results to FILE, as JSON")
    parser.add_argument("--quick", action="store_true", help="a functional check on a few short pieces")
    return parser


def _run(options: argparse.Namespace) -> str:
    setting = _setting(options)
    results = _earlier(options.out)
    ran: dict[str, Any] = {}
    try:
        for row in _chosen(options.rows):
            if missing := row.missing_inputs(setting):
                print(f"{row.name} is skipped: needs --{' --'.join(missing)}")
                continue
            facts = {"code": code_version(), "seed": setting.seed, "quick": setting.quick}
            ran[row.name] = results["rows"][row.name] = row.judged(row.run(setting)) | facts
            if options.out:
                options.out.parent.mkdir(parents=True, exist_ok=True)
                write_json(options.out, results)
    finally:
        for aligner in setting.aligners:
            aligner.close()
    return as_markdown(ran)


def _setting(options: argparse.Namespace) -> Setting:
    names = options.methods or (list(ALIGNERS) if options.peers else [OURS])
    aligners = [make_aligner(name, options.peers, options.cache) for name in names]
    return Setting(
        aligners,
        options.cache,
        options.asap,
        open_corpus(options.maestro) if options.maestro else None,
        options.maps,
        tuple(options.soundfonts),
        tuple(options.conditions),
        tuple(options.split),
        tuple(split for split in REPORTED if split not in options.split) if "train" in options.split else (),
        options.pieces or (_QUICK_PIECES if options.quick else 0),
        options.seed,
        options.quick,
    )


def _chosen(names: list[str] | None) -> list[Row]:
    known = {row.name: row for row in ROWS}
    for name in names or []:
        if name not in known:
            raise UnknownName("row", name, list(known))
    return [known[name] for name in names] if names else list(ROWS)


def _earlier(out: Path | None) -> dict[str, Any]:
    """The results already in the file; every row names the code that gave it."""
    empty: dict[str, Any] = {"rows": {}}
    return empty | json.loads(out.read_text(encoding="utf-8")) if out and out.exists() else empty


if __name__ == "__main__":
    main()
