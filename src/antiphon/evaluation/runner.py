"""Scoring a model on a corpus by one of the protocols."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from antiphon.checks import COUNT, SEED
from antiphon.corpora import Corpus, as_corpus
from antiphon.evaluation.protocols import default_split, score_embeddings, scores_as_text
from antiphon.models.corpus_embedding import EmbeddedSegments, embed_corpus
from antiphon.models.loading import load_model
from antiphon.models.protocol import Embedder
from antiphon.provenance import code_version
from antiphon.types import JsonResult


class Evaluation(JsonResult):
    """The scores of one model on one corpus: a read-only mapping; `str()` is a table.

    The keys are those that `antiphon evaluate --json` prints. Further ones have the 95 % intervals, the chance level,
    and the model, data and code scored.

    Attributes
    ----------
    S : float
        A key, as the following ones: the lower recall@10 of both directions in percent.
    a2m, m2a : dict of str to float
        Sound finds notes, and notes find sound, in pools of 256: `R@1`, `R@5`, `R@10` and `R@20` in percent, and `MRR`
        from 0 to 1.
    whole_pool : dict
        The same among all windows.

    Examples
    --------
    >>> import antiphon
    >>> scores = antiphon.evaluate("template", "demo", recordings=1)
    >>> scores["S"] == min(scores["a2m"]["R@10"], scores["m2a"]["R@10"])
    True
    >>> print(str(scores).partition(":")[0])
    template on demo, split validation, protocol paper
    """

    def __str__(self) -> str:
        return scores_as_text(self.as_dict())


def evaluate(
    model: str | Path | Embedder,
    corpus: Corpus | str | Path,
    *,
    protocol: str = "paper",
    split: str | None = None,
    seed: int = 42,
    recordings: int | None = None,
) -> Evaluation:
    """Score a model: how often each window finds its counterpart among 256 and among all windows.

    Parameters
    ----------
    model
        A name, a model folder, a run folder or an embedder.
    corpus
        A corpus or the spec of one.
    protocol
        `paper` (as published) or `strict` (without overlapping windows and other performances of the same work).
    split
        By default the split that the protocol is reported on, `validation` or `test`, or all recordings where the
        corpus does not have it.
    seed
        Seed of the queries and pools, 0 or more.
    recordings
        Use this many recordings, evenly spread over the split; by default all.

    Returns
    -------
    Evaluation
        A mapping of scores; `str()` prints them as a table.

    Raises
    ------
    UnknownName
        For an unknown protocol.
    AntiphonError
        For an unknown model, corpus or split, and for a corpus without sound.

    Examples
    --------
    >>> import antiphon
    >>> scores = antiphon.evaluate("template", "demo", recordings=2)
    >>> scores["queries"], scores["protocol"], 0 <= scores["S"] <= 100
    (77, 'paper', True)
    """
    SEED.check("seed", seed)
    COUNT.check("recordings", recordings)
    embedder = load_model(model)
    chosen, split = choose(as_corpus(corpus), protocol, split, recordings)
    about = origin(embedder, chosen, split)
    return Evaluation(about | score_segments(embed_corpus(embedder, chosen), protocol, seed))


def choose(
    corpus: Corpus, protocol: str, split: str | None = None, recordings: int | None = None
) -> tuple[Corpus, str | None]:
    """The recordings with sound to score by a protocol, and their split; None where these are all recordings."""
    split = split or default_split(protocol, corpus.splits)
    return (corpus if split is None else corpus.split(split)).with_sound().spread(recordings), split


def origin(embedder: Embedder, corpus: Corpus, split: str | None) -> dict[str, Any]:
    """Model, data and code that a result depends on; to be recorded before the work, as the checkout may change."""
    return {
        "model": embedder.name,
        "model_hash": embedder.fingerprint,
        "corpus": corpus.name,
        "split": split,
        "data_hash": corpus.manifest_hash,
        "code": code_version(),
    }


def score_segments(segments: EmbeddedSegments, protocol: str, seed: int) -> dict[str, Any]:
    """The scores with the number of recordings and the skipped files."""
    return {
        "recordings": len(segments.table.recordings),
        **score_embeddings(segments, protocol, seed),
        "skipped": [str(error) for error in segments.skipped],
    }
