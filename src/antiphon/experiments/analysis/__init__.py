"""Analyses of trained models (paper §7): one module for each analysis, which defines `ANALYSIS`.

An analysis takes a `ModelUnderTest` and returns an `AnalysisResult`: facts as JSON, rows as CSV, a figure, and a
summary. `antiphon analyze` runs one or all of them and writes the results. Analyses change models only through the
explicit hooks of `antiphon.models.network`: the descriptors passed to `encode`, and its observer of layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from antiphon.corpora import Corpus
from antiphon.models.network import DualEncoder
from antiphon.registry import Registry


@dataclass(frozen=True)
class ModelUnderTest:
    """A model in evaluation mode, on its device, and the recordings with audio to analyse it on."""

    model: DualEncoder
    name: str
    corpus: Corpus
    seed: int

    @property
    def arm(self) -> str:
        """The name of the arm, which selects the paper's figures."""
        return self.model.config.arm.name


@dataclass(frozen=True)
class AnalysisResult:
    """The result of an analysis.

    `facts` is JSON-ready. `rows`, all with the same keys, become a CSV file; `figure` becomes a PNG file. `summary` is
    Markdown of a few sentences or a table, with the paper's figures next to ours where the paper has them.
    """

    facts: dict[str, Any]
    rows: list[dict[str, Any]]
    figure: Figure
    summary: str


@dataclass(frozen=True)
class Analysis:
    """A named question about a model. `run` raises `AntiphonError` where the question does not apply to the arm."""

    name: str
    question: str
    run: Callable[[ModelUnderTest], AnalysisResult]


ANALYSES = Registry("analysis", Analysis, "antiphon.experiments.analysis", "ANALYSIS", "antiphon.analyses")
