"""The constants of `antiphon.alignment.confidence`: a logistic regression over chains that are right and that are not.

python -m benchmarks.search.calibration CORPUS… --asap ASAP --maestro MAESTRO --index DIR

Every corpus asks for its notes among all of theirs, performances of MAESTRO's training split for their scores, in turn
with 4, 6, 10, 20 and 30 s. Each asks the whole library and a library of three, once with the file that is right in it
and once with nothing of its composer: in a small library, too, what fits best is not yet right. The best hit is right
when it is the query's own file or another of its work; other hits of a query whose piece is there are left out, since
one work goes by several titles.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from antiphon.alignment.confidence import FEATURES, features_of, log_prior
from antiphon.corpora import open_corpus
from antiphon.errors import UnreadableInput
from antiphon.index.query import open_query
from antiphon.index.retrieval import rank_chains
from antiphon.models.loading import load_model
from antiphon.models.protocol import Embedder
from antiphon.progress import track
from benchmarks.search.asking import Indexes
from benchmarks.search.drawing import Data, names_of, own_sound, scores
from benchmarks.search.queries import Asked, Query

MISLABELLED = {
    "MIDI-Unprocessed_07_R1_2009_01-03_ORIG_MID--AUDIO_07_R1_2009_07_R1_2009_02_WAV.midi": "Ludwig van Beethoven",
    "MIDI-Unprocessed_19_R1_2006_01-07_ORIG_MID--AUDIO_19_R1_2006_07_Track07_wav.midi": "Mily Balakirev",
}
"""Files of MAESTRO's validation split that its table gives to Chopin, the Eroica Variations and Islamey, by whose they
are: other performances of either are found in them from end to end."""
_LENGTHS_S = (4.0, 6.0, 10.0, 20.0, 30.0)
_RIDGE = 1e-3
_FEW = 3


@dataclass(frozen=True)
class _Sample:
    """The best hit of a query: what speaks for it, its log odds beforehand, and whether it is right."""

    source: str
    length_s: float
    features: list[float]
    beforehand: float
    right: bool


def main() -> None:
    """Ask, fit, print the constants and what they would have said."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search.calibration")
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--asap", type=Path)
    parser.add_argument("--maestro")
    parser.add_argument("--asap-sound", nargs="+", default=[])
    parser.add_argument("--index", type=Path, required=True, help="folder for indexes")
    parser.add_argument("--model", default="default")
    parser.add_argument("--queries", type=int, default=120, help="of each source")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    embedder = load_model(options.model)
    indexes = Indexes(options.index, options.model, embedder)
    samples = [
        sample
        for source, asked, composers in _sources(options)
        for sample in _ask(source, asked, composers, indexes, embedder)
    ]
    constants = fit(
        np.array([one.features for one in samples]),
        np.array([one.right for one in samples]),
        np.array([one.beforehand for one in samples]),
    )
    for name, value in zip(FEATURES, constants, strict=True):
        print(f"{name:>14} {value:7.2f}")
    for source in dict.fromkeys(one.source for one in samples):
        for length_s in _LENGTHS_S:
            own = [one for one in samples if (one.source, one.length_s) == (source, length_s)]
            present, absent = ([one for one in own if one.right == right] for right in (True, False))
            print(f"{source}, {length_s:g} s: found {_share(present, constants)}, absent {_share(absent, constants)}")


def _share(samples: Sequence[_Sample], constants: NDArray[np.float64]) -> str:
    said = sum(one.beforehand + float(np.dot(one.features, constants)) > 0 for one in samples)
    return f"{said} of {len(samples)}"


def _sources(options: argparse.Namespace) -> Iterator[tuple[str, Asked, dict[str, str]]]:
    """A name, what is asked of what library, and the composer of the library's files, as far as they are known."""
    for number, name in enumerate(options.corpora):
        corpus = open_corpus(name).with_sound()
        parts = [own_sound(corpus, length_s, options.queries, options.seed + number) for length_s in _LENGTHS_S]
        composers = {
            str(one.notes_path.resolve()): MISLABELLED.get(one.notes_path.name, one.composer)
            for one in corpus.recordings
        }
        yield corpus.name, _in_turn(parts), composers
    if options.asap and options.maestro:
        sound = tuple(open_corpus(one) for one in options.asap_sound)
        data = Data(asap=options.asap, maestro=open_corpus(options.maestro), asap_sound=sound, splits=("train",))
        parts = [scores(data, length_s, options.queries, options.seed) for length_s in _LENGTHS_S]
        works = parts[0].library.works
        yield "scores", _in_turn(parts), {file: work.split("/")[0] for file, work in works.items()}


def _in_turn(parts: Sequence[Asked]) -> Asked:
    """The first query of the first, the second of the second, and so on."""
    queries = zip(*(part.queries for part in parts), strict=True)
    return replace(parts[0], queries=tuple(row[number % len(parts)] for number, row in enumerate(queries)))


def _ask(
    source: str, asked: Asked, composers: dict[str, str], indexes: Indexes, embedder: Embedder
) -> Iterator[_Sample]:
    rng = np.random.default_rng(len(asked.queries))
    with indexes.open(asked.library) as store:
        library = store.library("notes")
        for query in track(asked.queries, f"asking for {source}"):
            strangers = np.array([stranger(path, query, composers) for path in library.paths])
            own = np.array([path == query.file for path in library.paths])
            few = np.isin(np.arange(len(own)), rng.permutation(np.flatnonzero(strangers))[:_FEW])
            fewer = few & (np.cumsum(few) < _FEW)
            try:
                asked_with = open_query(query.path, embedder, query.start_s, query.length_s)
            except UnreadableInput:  # a silent stretch
                continue
            for among, present in ((None, True), (strangers, False), (own | fewer, True), (few, False)):
                for best in rank_chains(asked_with, library, embedder, among)[:1]:
                    path = library.paths[best.chain[0].recording]
                    right = asked.library.work_of(path) == asked.library.work_of(query.file)
                    if right == present:
                        features = features_of(best.chain, best.stretches)
                        yield _Sample(source, query.length_s, features, log_prior(best.chain), right)


def stranger(path: str, query: Query, composers: dict[str, str]) -> bool:
    """Whether a file cannot be of the query's piece: an arrangement is by two."""
    own, other = (composers.get(file, "") for file in (query.file, path))
    return not (names_of(own) & names_of(other)) if own else path != query.file


def fit(
    features: NDArray[np.float64], right: NDArray[np.bool_], beforehand: NDArray[np.float64] | float = 0.0
) -> NDArray[np.float64]:
    """The constants [k] that give what is right [n] the greatest likelihood, by its `features` [n, k] and what its log
    odds are without them."""

    def unlikelihood(constants: NDArray[np.float64]) -> float:
        odds = features @ constants + beforehand
        return float(np.logaddexp(0.0, np.where(right, -odds, odds)).sum() + _RIDGE * np.square(constants).sum())

    found: NDArray[np.float64] = minimize(unlikelihood, np.zeros(features.shape[1])).x
    return found


if __name__ == "__main__":
    main()
