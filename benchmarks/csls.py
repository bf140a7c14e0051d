"""Whole-pool recall with and without CSLS, the correction for hubness.

python -m benchmarks.csls CORPUS --bank TRAINING_CORPUS --model default [--out FILE]

The bank consists of windows of the training corpus, spread over `--bank-recordings` of its recordings.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.corpora import open_corpus
from antiphon.corpora.segment_table import WindowGrid
from antiphon.evaluation.csls import csls
from antiphon.evaluation.ranks import whole_pool_ranks
from antiphon.evaluation.runner import choose, origin
from antiphon.evaluation.scores import summary
from antiphon.io.files import write_json
from antiphon.models.corpus_embedding import embed_corpus
from antiphon.models.loading import load_model
from benchmarks.report import markdown_table

_NEIGHBOURS, _WEIGHTS = (5, 20, 100), (0.25, 0.5, 1.0)


def main() -> None:
    """Embed corpus and bank, and print R@1 of the whole pool under the strict protocol for every setting."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.csls")
    parser.add_argument("corpus")
    parser.add_argument("--bank", required=True, action="append")
    parser.add_argument("--bank-recordings", type=int, default=60)
    parser.add_argument("--model", default="default")
    parser.add_argument("--whole-recordings", action="store_true", help="every window, not only the paper's first 100")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    embedder = load_model(options.model)
    corpus, split = choose(open_corpus(options.corpus), "strict")
    about = origin(embedder, corpus, split)
    found = embed_corpus(embedder, corpus, WindowGrid(max_windows=None if options.whole_recordings else 100))
    banks = [embed_corpus(embedder, open_corpus(one).spread(options.bank_recordings)) for one in options.bank]
    sides = {
        "a2m": (found.audio, found.notes, np.concatenate([bank.audio for bank in banks])),
        "m2a": (found.notes, found.audio, np.concatenate([bank.notes for bank in banks])),
    }

    def recall(**how: Any) -> list[float]:
        pairs = (csls(*rows, **how) if how else rows[:2] for rows in sides.values())
        return [summary(whole_pool_ranks(*pair, found.table, strict=True)[0])["R@1"] for pair in pairs]

    rows: list[dict[str, Any]] = [{"neighbours": None, "weight": 0.0, "R@1": recall()}]
    for neighbours, weight in product(_NEIGHBOURS, _WEIGHTS):
        rows.append({"neighbours": neighbours, "weight": weight, "R@1": recall(neighbours=neighbours, weight=weight)})
    columns = ("neighbours", "weight", "R@1 audio→notes", "R@1 notes→audio")
    cells = [
        (str(row["neighbours"] or "–"), f"{row['weight']:g}", *(f"{one:.1f}" for one in row["R@1"])) for row in rows
    ]
    print(markdown_table(columns, cells))
    if options.out:
        write_json(options.out, about | {"bank": options.bank, "windows": len(found.table), "rows": rows})


if __name__ == "__main__":
    main()
