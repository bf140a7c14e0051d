"""What a suite measures, as data: its tasks, the recordings each is about, the models that enter."""

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
"""Which recordings: the corpus's, a few of them, or those of the real one."""
Record = dict[str, Any]


@dataclass(frozen=True)
class Competitor:
    """A model and the name of its row."""

    name: str
    embedder: Embedder

    @property
    def network(self) -> DualEncoder | None:
        """None for what is not one network: a baseline."""
        return self.embedder.model if isinstance(self.embedder, ModelEmbedder) else None


class Run:
    """An entrant before recordings, which are embedded when first asked for and once for each grid."""

    def __init__(self, entrant: Competitor, corpus: Corpus, seed: int) -> None:
        self.entrant, self.corpus, self.seed = entrant, corpus, seed
        self._segments: dict[WindowGrid, EmbeddedSegments] = {}

    def segments(self, grid: WindowGrid) -> EmbeddedSegments:
        """Both sides of every window of the grid, of the model's own length."""
        if grid not in self._segments:
            self._segments[grid] = embed_corpus(self.entrant.embedder, self.corpus, grid)
        return self._segments[grid]


class Measure(Protocol):
    """What a task measures: called with a trial, it gives facts that are JSON-ready."""

    @property
    def settings(self) -> Record:
        """What the facts depend on besides model, recordings and seed, as JSON has it."""
        ...

    def __call__(self, trial: Run) -> Record: ...


def _without_window(grid: WindowGrid) -> Record:
    """A grid but for the length of its windows, which is each model's own."""
    return {"hop_s": grid.hop_s, "max_windows": grid.max_windows}


@dataclass(frozen=True)
class Retrieval:
    """A protocol: every window's other side, see `evaluate`."""

    protocol: str
    grid: WindowGrid = PAPER_GRID

    @property
    def settings(self) -> Record:
        return {"protocol": self.protocol, "grid": _without_window(self.grid)}

    def __call__(self, trial: Run) -> Record:
        return score_segments(trial.segments(self.grid), self.protocol, trial.seed)


@dataclass(frozen=True)
class Localisation:
    """Stretches that begin anywhere, see `localise`."""

    queries: Queries

    @property
    def settings(self) -> Record:
        return asdict(self.queries) | {"grid": _without_window(self.queries.grid)}

    def __call__(self, trial: Run) -> Record:
        return localise(trial.entrant.embedder, trial.corpus, self.queries, trial.seed)


class Robustness:
    """The analysis of that name. Raises `ValueError` for what is not one network, which it looks into."""

    @property
    def settings(self) -> Record:
        from antiphon.experiments.analysis.robustness import SWEEPS  # brings matplotlib

        return {"amounts": {sweep.name: list(sweep.amounts) for sweep in SWEEPS}}

    def __call__(self, trial: Run) -> Record:
        from antiphon.experiments.analysis import ModelUnderTest
        from antiphon.experiments.analysis.robustness import ANALYSIS

        if trial.entrant.network is None:
            raise ValueError(f"{trial.entrant.name} is not one network: robustness is measured of trained models")
        subject = ModelUnderTest(trial.entrant.network, trial.entrant.name, trial.corpus, trial.seed)
        return ANALYSIS.run(subject).facts


@dataclass(frozen=True)
class Task:
    """A measure on the recordings of a role; `question` says it in words.

    `network_only` leaves out what is not one network.
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
            Task("paper", "the other side of a window, protocol of the paper", "rendered", Retrieval("paper")),
            Task("strict", "the other side of a window, strict protocol", "rendered", Retrieval("strict")),
            Task(
                "anywhere",
                "the place of 4 s that begin anywhere, to within 0.5 s",
                "rendered",
                Localisation(Queries(length_s=4.0, tolerance_s=0.5, times=8)),
            ),
            Task("robustness", "S when one side is changed", "sample", Robustness(), network_only=True),
            Task(
                "real",
                "the other side of a window, strict protocol, whole recordings",
                "real",
                Retrieval("strict", _WHOLE_RECORDINGS),
            ),
            Task(
                "real-10s",
                "the place of 10 s that begin anywhere, to within 1 s, whole recordings",
                "real",
                Localisation(Queries(length_s=10.0, tolerance_s=1.0, grid=_WHOLE_RECORDINGS, times=8)),
            ),
        ),
    }
)
"""Tasks on the same recordings stand together: their windows are embedded once."""
