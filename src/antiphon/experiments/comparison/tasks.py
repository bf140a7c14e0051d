"""Suites as data: tasks, the recordings that each task uses, and the models under comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal, Protocol

from antiphon.corpora import Corpus
from antiphon.corpora.segment_table import PAPER_GRID, WindowGrid
from antiphon.evaluation.localisation import Queries, localise
from antiphon.evaluation.runner import score_segments
from antiphon.models.corpus_embedding import EmbeddedSegments, embed_corpus
from antiphon.models.embedder import ModelEmbedder
from antiphon.models.network import DualEncoder
from antiphon.models.protocol import Embedder

Role = Literal["rendered", "sample", "real"]
"""The recordings of a task: all of the corpus, a few of them, or those of the real corpus."""
Record = dict[str, Any]


@dataclass(frozen=True)
class Competitor:
    """A model and the name of its row."""

    name: str
    embedder: Embedder

    @property
    def network(self) -> DualEncoder | None:
        """The neural network; None for a baseline, which has none."""
        return self.embedder.model if isinstance(self.embedder, ModelEmbedder) else None


class Run:
    """A model on a corpus. The recordings are embedded at first use, once for each grid."""

    def __init__(self, competitor: Competitor, corpus: Corpus, seed: int) -> None:
        self.competitor, self.corpus, self.seed = competitor, corpus, seed
        self._segments: dict[WindowGrid, EmbeddedSegments] = {}

    def segments(self, grid: WindowGrid) -> EmbeddedSegments:
        """Embeddings of both modalities of every window of the grid. The window length is the model's."""
        if grid not in self._segments:
            self._segments[grid] = embed_corpus(self.competitor.embedder, self.corpus, grid)
        return self._segments[grid]


class Measure(Protocol):
    """The measurement of a task: called with a `Run`, it returns facts that are JSON-ready."""

    @property
    def settings(self) -> Record:
        """The further inputs of the facts, next to model, recordings and seed; JSON-ready."""
        ...

    def __call__(self, run: Run) -> Record: ...


def _without_window(grid: WindowGrid) -> Record:
    """A grid without its window length, which each model sets itself."""
    return {"hop_s": grid.hop_s, "max_windows": grid.max_windows}


@dataclass(frozen=True)
class Retrieval:
    """A retrieval protocol: the other modality of every window, see `antiphon.evaluation.protocols`."""

    protocol: str
    grid: WindowGrid = PAPER_GRID

    @property
    def settings(self) -> Record:
        return {"protocol": self.protocol, "grid": _without_window(self.grid)}

    def __call__(self, run: Run) -> Record:
        return score_segments(run.segments(self.grid), self.protocol, run.seed)


@dataclass(frozen=True)
class Localisation:
    """Localisation of queries with arbitrary start times, see `localise`."""

    queries: Queries

    @property
    def settings(self) -> Record:
        return asdict(self.queries) | {"grid": _without_window(self.queries.grid)}

    def __call__(self, run: Run) -> Record:
        return localise(run.competitor.embedder, run.corpus, self.queries, run.seed)


class Robustness:
    """The analysis `robustness`, which needs a network. Raises `ValueError` for a baseline."""

    @property
    def settings(self) -> Record:
        from antiphon.experiments.analysis.robustness import SWEEPS  # imports matplotlib

        return {"amounts": {sweep.name: list(sweep.amounts) for sweep in SWEEPS}}

    def __call__(self, run: Run) -> Record:
        from antiphon.experiments.analysis import ModelUnderTest
        from antiphon.experiments.analysis.robustness import ANALYSIS

        if run.competitor.network is None:
            raise ValueError(f"{run.competitor.name} has no network: robustness is measured on trained models")
        tested = ModelUnderTest(run.competitor.network, run.competitor.name, run.corpus, run.seed)
        return ANALYSIS.run(tested).facts


@dataclass(frozen=True)
class Task:
    """A measurement on the recordings of a role; `question` describes it in words.

    `network_only` leaves out baselines, which have no network.
    """

    name: str
    question: str
    corpus: Role
    measure: Measure
    network_only: bool = False


_WHOLE_RECORDINGS = WindowGrid(max_windows=None)

SUITES: Mapping[str, tuple[Task, ...]] = MappingProxyType(
    {
        "default": (
            Task("paper", "the other modality of a window, protocol of the paper", "rendered", Retrieval("paper")),
            Task("strict", "the other modality of a window, strict protocol", "rendered", Retrieval("strict")),
            Task(
                "anywhere",
                "localisation of 4 s from an arbitrary start time, within 0.5 s",
                "rendered",
                Localisation(Queries(length_s=4.0, tolerance_s=0.5, times=8)),
            ),
            Task("robustness", "S when one modality is changed", "sample", Robustness(), network_only=True),
            Task(
                "real",
                "the other modality of a window, strict protocol, whole recordings",
                "real",
                Retrieval("strict", _WHOLE_RECORDINGS),
            ),
            Task(
                "real-10s",
                "localisation of 10 s from an arbitrary start time, within 1 s, whole recordings",
                "real",
                Localisation(Queries(length_s=10.0, tolerance_s=1.0, grid=_WHOLE_RECORDINGS, times=8)),
            ),
        ),
    }
)
"""Tasks on the same recordings are adjacent, so that their windows are embedded once."""
