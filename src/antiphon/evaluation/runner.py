"""Scores of an embedder on a corpus: from recordings to the result document."""

from __future__ import annotations

from typing import Any

from antiphon.corpora import Corpus
from antiphon.evaluation.protocols import default_split, evaluate
from antiphon.models.corpus_embedding import EmbeddedSegments, embed_corpus
from antiphon.models.protocol import Embedder
from antiphon.provenance import code_version


def evaluate_model(
    embedder: Embedder,
    corpus: Corpus,
    protocol: str,
    split: str | None = None,
    seed: int = 42,
    recordings: int | None = None,
) -> dict[str, Any]:
    """The scores of `evaluate`, their provenance (model, data, code), and the recordings that were skipped.

    `split` defaults to the one that the protocol is reported on, where the corpus has it. `recordings` limits the
    number of recordings, evenly spread over the split.
    """
    corpus, split = choose(corpus, protocol, split, recordings)
    about = origin(embedder, corpus, split)
    return about | score_segments(embed_corpus(embedder, corpus), protocol, seed)


def choose(
    corpus: Corpus, protocol: str, split: str | None = None, recordings: int | None = None
) -> tuple[Corpus, str | None]:
    """The recordings with audio to score a protocol on, and their split; None stands for all recordings."""
    split = split or default_split(protocol, corpus.splits)
    return (corpus if split is None else corpus.split(split)).with_sound().spread(recordings), split


def origin(embedder: Embedder, corpus: Corpus, split: str | None) -> dict[str, Any]:
    """The provenance of a result: model, data, code. Call it before the evaluation; the checkout may change later."""
    return {
        "model": embedder.name,
        "model_hash": embedder.fingerprint,
        "corpus": corpus.name,
        "split": split,
        "data_hash": corpus.manifest_hash,
        "code": code_version(),
    }


def score_segments(segments: EmbeddedSegments, protocol: str, seed: int) -> dict[str, Any]:
    """The scores of `evaluate`, the number of recordings and the skipped ones."""
    return {
        "recordings": len(segments.table.recordings),
        **evaluate(segments, protocol, seed),
        "skipped": [str(error) for error in segments.skipped],
    }
