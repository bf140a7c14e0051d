"""The constants of `antiphon.matching.confidence`: a logistic regression over chains that are right and that are not.

python -m benchmarks.search.calibration CORPUS… --index DIR

Every corpus asks the index of all their notes, in turn with 4, 6, 10, 20 and 30 s: for all of it, and for what is left
without the composer of what is asked. The best hit of the first is right when it is the query's own file, that of the
second is wrong.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from antiphon.corpora import Corpus, Recording, open_corpus
from antiphon.embedding import Embedder, load_embedder
from antiphon.errors import UnreadableInput
from antiphon.index.build import build_index
from antiphon.index.library import Library
from antiphon.index.query import open_query
from antiphon.index.search import find_chains, stretches_of
from antiphon.index.store import Store
from antiphon.matching.confidence import FEATURES, features_of
from antiphon.progress import track

_LENGTHS_S = (4.0, 6.0, 10.0, 20.0, 30.0)
_RIDGE = 1e-3


def main() -> None:
    """Ask, fit, print the constants and what they would have said."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search.calibration")
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--queries", type=int, default=120, help="of each corpus")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    embedder = load_embedder(options.model)
    corpora = [open_corpus(name).with_sound() for name in options.corpora]
    files = [one.notes_path for corpus in corpora for one in corpus.recordings]
    build_index(files, embedder, options.model, options.index, only="notes")
    with Store(options.index) as store:
        library = store.library("notes")
        rows = [
            row
            for number, corpus in enumerate(corpora)
            for row in _ask(corpus, library, embedder, options.queries, options.seed + number)
        ]
    features = np.array([row[0] for row in rows])
    right = np.array([row[1] for row in rows])
    length_s = np.array([row[2] for row in rows])
    constants = fit(features, right)
    for name, value in zip(FEATURES, constants, strict=True):
        print(f"{name:>14} {value:7.2f}")
    said = features @ constants > 0
    for length in _LENGTHS_S:
        asked = length_s == length
        print(
            f"{length:4.0f} s: found {_share(said[asked & right])} of those present, "
            f"{_share(said[asked & ~right])} of those absent"
        )


def _share(said: NDArray[np.bool_]) -> str:
    return f"{int(said.sum())} of {len(said)}"


def _ask(
    corpus: Corpus, library: Library, embedder: Embedder, queries: int, seed: int
) -> Iterator[tuple[list[float], bool, float]]:
    """What speaks for the best chain, whether it is right, and the length of the query."""
    rng = np.random.default_rng(seed)
    by_name = {one.notes_path.name: one.composer for one in corpus.recordings}
    composers = [by_name.get(Path(path).name, "") for path in library.paths]
    for number in track(range(queries), f"asking {corpus.name}"):
        one = corpus.recordings[int(rng.integers(len(corpus.recordings)))]
        length_s = _LENGTHS_S[number % len(_LENGTHS_S)]
        if one.duration_s <= length_s:
            continue
        start_s = float(rng.uniform(0.0, one.duration_s - length_s))
        assert one.audio_path is not None
        try:
            asked = open_query(one.audio_path, embedder, start_s, length_s)
        except UnreadableInput:  # a silent stretch
            continue
        for absent in (False, True):
            among = np.array(_without(one, composers, library.paths)) if absent else None
            chains = find_chains(asked, library, embedder, among)
            own = bool(chains) and Path(library.paths[chains[0][0].recording]).name == one.notes_path.name
            if chains and own != absent:
                yield features_of(chains[0], stretches_of(asked)), not absent, length_s


def _without(one: Recording, composers: Sequence[str], paths: Sequence[str]) -> list[bool]:
    """The files that cannot be of the same piece."""
    return [
        composer != one.composer if one.composer else Path(path).name != one.notes_path.name
        for composer, path in zip(composers, paths, strict=True)
    ]


def fit(features: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The constants [k] that give what is right [n] the greatest likelihood, by its `features` [n, k]."""

    def unlikelihood(constants: NDArray[np.float64]) -> float:
        odds = features @ constants
        return float(np.logaddexp(0.0, np.where(right, -odds, odds)).sum() + _RIDGE * np.square(constants).sum())

    found: NDArray[np.float64] = minimize(unlikelihood, np.zeros(features.shape[1])).x
    return found


if __name__ == "__main__":
    main()
