"""Fit the constants of `antiphon.alignment.confidence`: logistic regression over correct and incorrect chains.

python -m benchmarks.search.calibration CORPUS… --asap ASAP --maestro MAESTRO --index DIR

Queries are audio of every corpus against the corpus's notes, and performances of MAESTRO's training split against their
scores. Lengths alternate between 4, 6, 10, 20 and 30 s. Each query searches the whole library and a library of three
files, once with the matching file and once without any file of its composer, because also in a small library the best
match can be wrong. The best match is correct when it is the query's own file or another file of its work. Other matches
of a query whose piece is present are left out, because one work has several titles.
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
from benchmarks.search.queries import Query, QuerySet
from benchmarks.search.querying import Indexes
from benchmarks.search.sampling import Data, names_of, score_queries, sound_queries

MISLABELLED = {
    "MIDI-Unprocessed_07_R1_2009_01-03_ORIG_MID--AUDIO_07_R1_2009_07_R1_2009_02_WAV.midi": "Ludwig van Beethoven",
    "MIDI-Unprocessed_19_R1_2006_01-07_ORIG_MID--AUDIO_19_R1_2006_07_Track07_wav.midi": "Mily Balakirev",
}
"""Files of MAESTRO's validation split with a wrong composer (Chopin), and the right one. They are the Eroica Variations
and Islamey: other performances of these works match them from beginning to end."""
_LENGTHS_S = (4.0, 6.0, 10.0, 20.0, 30.0)
_RIDGE = 1e-3
_FEW = 3


@dataclass(frozen=True)
class _Sample:
    """The best match of a query: its features, its prior log odds, and whether it is correct."""

    source: str
    length_s: float
    features: list[float]
    beforehand: float
    right: bool


def main() -> None:
    """Run the queries, fit and print the constants, and count their decisions on the same queries."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search.calibration")
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--asap", type=Path)
    parser.add_argument("--maestro")
    parser.add_argument("--asap-sound", nargs="+", default=[])
    parser.add_argument("--index", type=Path, required=True, help="folder for indexes")
    parser.add_argument("--model", default="default")
    parser.add_argument("--queries", type=int, default=120, help="number of queries per source")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    embedder = load_model(options.model)
    indexes = Indexes(options.index, options.model, embedder)
    samples = [
        sample
        for source, query_set, composers in _sources(options)
        for sample in _samples(source, query_set, composers, indexes, embedder)
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
    likely = sum(one.beforehand + float(np.dot(one.features, constants)) > 0 for one in samples)
    return f"{likely} of {len(samples)}"


def _sources(options: argparse.Namespace) -> Iterator[tuple[str, QuerySet, dict[str, str]]]:
    """Name, queries, and the composers of the library's files as far as they are known."""
    for number, name in enumerate(options.corpora):
        corpus = open_corpus(name).with_sound()
        parts = [sound_queries(corpus, length_s, options.queries, options.seed + number) for length_s in _LENGTHS_S]
        composers = {
            str(one.notes_path.resolve()): MISLABELLED.get(one.notes_path.name, one.composer)
            for one in corpus.recordings
        }
        yield corpus.name, _in_turn(parts), composers
    if options.asap and options.maestro:
        sound = tuple(open_corpus(one) for one in options.asap_sound)
        data = Data(asap=options.asap, maestro=open_corpus(options.maestro), asap_sound=sound, splits=("train",))
        parts = [score_queries(data, length_s, options.queries, options.seed) for length_s in _LENGTHS_S]
        works = parts[0].library.works
        yield "scores", _in_turn(parts), {file: work.split("/")[0] for file, work in works.items()}


def _in_turn(parts: Sequence[QuerySet]) -> QuerySet:
    """The first query of the first part, the second query of the second part, and so on."""
    queries = zip(*(part.queries for part in parts), strict=True)
    return replace(parts[0], queries=tuple(row[number % len(parts)] for number, row in enumerate(queries)))


def _samples(
    source: str, query_set: QuerySet, composers: dict[str, str], indexes: Indexes, embedder: Embedder
) -> Iterator[_Sample]:
    rng = np.random.default_rng(len(query_set.queries))
    with indexes.open(query_set.library) as store:
        library = store.library("notes")
        for query in track(query_set.queries, f"searching {source}"):
            strangers = np.array([stranger(path, query, composers) for path in library.paths])
            own = np.array([path == query.file for path in library.paths])
            few = np.isin(np.arange(len(own)), rng.permutation(np.flatnonzero(strangers))[:_FEW])
            fewer = few & (np.cumsum(few) < _FEW)
            try:
                query_media = open_query(query.path, embedder, query.start_s, query.length_s)
            except UnreadableInput:  # a silent stretch
                continue
            for among, present in ((None, True), (strangers, False), (own | fewer, True), (few, False)):
                for best in rank_chains(query_media, library, embedder, among)[:1]:
                    path = library.paths[best.chain[0].recording]
                    right = query_set.library.work_of(path) == query_set.library.work_of(query.file)
                    if right == present:
                        features = features_of(best.chain, best.stretches, best.of_notes)
                        yield _Sample(source, query.length_s, features, log_prior(best.chain), right)


def stranger(path: str, query: Query, composers: dict[str, str]) -> bool:
    """Whether a file cannot be of the query's piece: they share no composer. An arrangement has two composers."""
    own, other = (composers.get(file, "") for file in (query.file, path))
    return not (names_of(own) & names_of(other)) if own else path != query.file


def fit(
    features: NDArray[np.float64], right: NDArray[np.bool_], beforehand: NDArray[np.float64] | float = 0.0
) -> NDArray[np.float64]:
    """Maximum-likelihood constants [k] of `right` [n], given `features` [n, k] and the log odds without features."""

    def negative_log_likelihood(constants: NDArray[np.float64]) -> float:
        odds = features @ constants + beforehand
        return float(np.logaddexp(0.0, np.where(right, -odds, odds)).sum() + _RIDGE * np.square(constants).sum())

    found: NDArray[np.float64] = minimize(negative_log_likelihood, np.zeros(features.shape[1])).x
    return found


if __name__ == "__main__":
    main()
