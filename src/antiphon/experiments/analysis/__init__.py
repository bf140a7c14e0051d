"""What a trained model has learned, and what it rests on (paper §7). One file per analysis, each defining `ANALYSIS`.

An analysis looks at a `Subject` and gives a `Finding`: facts as JSON, rows as CSV, a picture, and a few sentences.
`antiphon analyze` runs one or all of them and writes what they find. Models are changed through the explicit hooks of
`antiphon.models.network` alone: descriptors handed to `encode`, and its observer of layers.
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
    """A model in evaluation mode, on its device, and the recordings with sound to look at it with."""

    model: DualEncoder
    name: str
    corpus: Corpus
    seed: int

    @property
    def arm(self) -> str:
        """The arm's name, under which the paper's figures are found."""
        return self.model.config.arm.name


@dataclass(frozen=True)
class AnalysisResult:
    """What an analysis gives.

    `facts` is JSON-ready; `rows` have the same keys each and become a CSV; `figure` becomes a PNG; `summary` is
    Markdown of a few sentences or a table, the paper's figures beside ours where there are any.
    """

    facts: dict[str, Any]
    rows: list[dict[str, Any]]
    figure: Figure
    summary: str


@dataclass(frozen=True)
class Analysis:
    """A named question to a model. `run` raises `AntiphonError` where the question does not apply to the arm."""

    name: str
    question: str
    run: Callable[[ModelUnderTest], AnalysisResult]


ANALYSES = Registry("analysis", Analysis, "antiphon.experiments.analysis", "ANALYSIS", "antiphon.analyses")
