"""Scoring an embedder on a corpus: from recordings to the result that is written down."""

from __future__ import annotations

from typing import Any

from antiphon.corpora import Corpus
from antiphon.embedding import Embedder, embed_corpus
from antiphon.evaluation.protocols import default_split, evaluate
from antiphon.provenance import code_version


def evaluate_model(
    embedder: Embedder,
    corpus: Corpus,
    protocol: str,
    split: str | None = None,
    seed: int = 42,
    recordings: int | None = None,
) -> dict[str, Any]:
    """Scores with what they depend on: model, data, code (see `evaluate`), and what had to be skipped.

    Without `split`, the one that the protocol is reported on, where the corpus has it. `recordings` limits how many
    recordings are used, evenly spread over the split.
    """
    code = code_version()  # now: the checkout may move on while this runs
    split = split or default_split(protocol, corpus.splits)
    corpus = (corpus if split is None else corpus.split(split)).with_sound().spread(recordings)
    segments = embed_corpus(embedder, corpus)
    return {
        "model": embedder.name,
        "model_hash": embedder.fingerprint,
        "corpus": corpus.name,
        "split": split,
        "recordings": len(segments.table.recordings),
        "data_hash": corpus.manifest_hash,
        "code": code,
        **evaluate(segments, protocol, seed),
        "skipped": [str(error) for error in segments.skipped],
    }
