"""Set lists of concerts that a seed puts together: pieces found and invented, errors of their ends, names of the rest.

python -m benchmarks.setlist --notes MAESTRO --sound RENDERED MAPS --seed 2 --count 30 --out results/setlist.json

The development used seed 1. Concerts and the outcome of each are kept below `--cache`, so a stopped run goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import antiphon
from antiphon.errors import InputWarning
from antiphon.io.files import write_json
from antiphon.progress import track
from antiphon.provenance import code_version
from benchmarks.setlist.concerts import Concert, Repertoire, repertoire, write_concert
from benchmarks.setlist.scoring import outcome_of, summary


def main() -> None:
    """Put the concerts together, list their pieces, and print the summary."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.setlist", description=__doc__)
    parser.add_argument("--notes", required=True, metavar="DIR", help="a MAESTRO folder: composers, and distractors")
    parser.add_argument("--sound", required=True, nargs="+", metavar="DIR", help="corpora with audio")
    parser.add_argument("--distractors", type=int, default=100, help="note files of no recording in the library (100)")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--count", type=int, default=30, help="concerts (30)")
    parser.add_argument("--model", default="default")
    parser.add_argument("--threads", type=int, default=1, help="PyTorch's threads (1)")
    parser.add_argument("--cache", type=Path, default=Path("runs/setlist"), metavar="DIR")
    parser.add_argument("--out", type=Path, metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore", InputWarning)
    pieces = repertoire(options.sound, options.notes, options.distractors)
    # A build keeps what an index has of other folders, so another library needs another index.
    name = hashlib.sha256("\n".join([options.model, *map(str, pieces.library)]).encode()).hexdigest()[:12]
    cache = options.cache / name
    with antiphon.Index.build(pieces.library, options.model, out=cache / "index", only="notes") as index:
        outcomes = [
            _outcome(pieces, write_concert(pieces, options.seed, number, cache / "concerts"), index)
            for number in track(range(options.count), "concerts")
        ]
        facts = {"model_hash": index.model.fingerprint, "code": code_version(), "seed": options.seed}
    rows = summary(outcomes)
    for name, value in rows.items():
        print(f"{name:>36}  {value}")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_json(options.out, facts | {"library": len(pieces.library), "rows": rows, "concerts": outcomes})


def _outcome(pieces: Repertoire, concert: Concert, index: antiphon.Index) -> dict[str, Any]:
    """The outcome of a concert, from an earlier run where there is one."""
    kept = concert.path.with_suffix(".found.json")
    if kept.exists():
        known: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return known
    begin = time.perf_counter()
    found = antiphon.setlist(concert.path, index)
    outcome = outcome_of(concert, found, pieces.work_of) | {"seconds": round(time.perf_counter() - begin, 1)}
    write_json(kept, outcome | {"set list": found.as_dict(), "truth": [asdict(part) for part in concert.parts]})
    return outcome


if __name__ == "__main__":
    main()
