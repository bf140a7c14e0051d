"""Run analyses of a trained model by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from antiphon.checks import COUNT, SEED
from antiphon.corpora import Corpus, as_corpus
from antiphon.evaluation.runner import choose
from antiphon.experiments.analysis import ANALYSES, ModelUnderTest
from antiphon.experiments.analysis.report import run_analyses
from antiphon.models.embedder import ModelEmbedder
from antiphon.models.loading import load_trained


def analyze(
    analysis: str,
    corpus: Corpus | str | Path,
    *,
    model: str | Path | ModelEmbedder,
    out: str | Path,
    split: str | None = None,
    recordings: int | None = None,
    seed: int = 42,
) -> dict[str, Any]:
    """Measure properties of a trained model and write JSON, CSV, pictures and a report. Stopped, it resumes.

    Parameters
    ----------
    analysis
        A name of `catalogue("analyses")`, or `all`.
    corpus
        A corpus, or the spec of one, with sound.
    model
        A name, a model folder, a run folder or an embedder; it must have a network, which baselines do not have.
    out
        Folder of `NAME.json`, `NAME.csv` and `NAME.png` for each analysis, `report.md` and `report.html`.
    split
        The split to use; by default `validation`, or all recordings where the corpus does not have it.
    recordings
        Use this many recordings, evenly spread over the split; by default all.
    seed
        Seed of everything drawn at random, 0 or more.

    Returns
    -------
    dict
        The model and data, and under `analyses` a record for each name: its `facts`, or the `reason` why it does not
        apply to the model.

    Raises
    ------
    UnknownName
        For an unknown analysis.
    AntiphonError
        For an unknown model or corpus, a model without a network, and a corpus without sound.

    Examples
    --------
    >>> import antiphon
    >>> found = antiphon.analyze("similarity", "demo", model="default", out="maps", recordings=2)  # doctest: +SKIP
    >>> found["analyses"]["similarity"]["reason"] is None  # doctest: +SKIP
    True
    """
    SEED.check("seed", seed)
    COUNT.check("recordings", recordings)
    names = list(ANALYSES) if analysis == "all" else [ANALYSES[analysis].name]
    chosen, _ = choose(as_corpus(corpus), "paper", split, recordings)
    embedder = model if isinstance(model, ModelEmbedder) else load_trained(model, "analyze")
    return run_analyses(names, ModelUnderTest(embedder.model, embedder.name, chosen, seed), Path(out))
