"""The demo: recordings of the demo corpus search an index of its notes; each best match is judged and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.checks import COUNT
from antiphon.corpora import Recording, open_corpus
from antiphon.errors import AntiphonError
from antiphon.experiments.pictures import draw_match
from antiphon.index.library import Index
from antiphon.index.match import Match
from antiphon.io.audio import read_samples
from antiphon.io.note_files import read_notes
from antiphon.models.protocol import Embedder
from antiphon.progress import track

TOLERANCE_S = 0.5
_QUERY_S = 10.0
_SEED = 7
_RATE_HZ = 24_000


@dataclass(frozen=True)
class DemoQuery:
    """A query of 10 s of a recording and its best match.

    `right_piece`: the matched file has the query's work. `right_place`: it is the query's own performance and the
    start is within 0.5 s.
    """

    recording: Recording
    start_s: float
    match: Match
    right_piece: bool
    right_place: bool


@dataclass(frozen=True)
class DemoResult:
    """The queries of a demo in the order of the recordings.

    Attributes
    ----------
    queries : tuple of DemoQuery
        Each query, its best match, and whether piece and place are right.

    Examples
    --------
    >>> import antiphon
    >>> from antiphon.experiments.demo import DemoQuery
    >>> recording = antiphon.open_corpus("demo").recordings[0]
    >>> match = antiphon.Match("chorale.mid", 10.0, 20.0, 10.0, 20.0, 1.0, 0, 0.5, 0.9)
    >>> right = DemoQuery(recording, 10.0, match, right_piece=True, right_place=True)
    >>> elsewhere = DemoQuery(recording, 25.0, match, right_piece=True, right_place=False)
    >>> result = antiphon.DemoResult((right, elsewhere))
    >>> result.right_piece, result.right_place
    (100.0, 50.0)
    """

    queries: tuple[DemoQuery, ...]

    @property
    def right_piece(self) -> float:
        """Percentage of queries whose best match has the right work."""
        return 100 * float(np.mean([query.right_piece for query in self.queries]))

    @property
    def right_place(self) -> float:
        """Percentage of queries whose best match is the right performance within 0.5 s."""
        return 100 * float(np.mean([query.right_place for query in self.queries]))

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON: both percentages and every match."""
        return {
            "queries": len(self.queries),
            "query_s": _QUERY_S,
            "right_piece": self.right_piece,
            "right_place": self.right_place,
            "hits": [
                {"query": query.recording.id, "start_s": query.start_s, "hit": query.match.as_dict()}
                for query in self.queries
            ],
        }


def demo(
    out: str | Path = "demo", *, model: str | Path | Embedder = "default", queries: int | None = None
) -> DemoResult:
    """Index the notes of the demo corpus, search the index with its recordings and draw each best match.

    The demo corpus is composed and rendered by the package, so no other data are needed.

    Parameters
    ----------
    out
        Folder for `index/` and `pictures/`.
    model
        A name, a model folder, a run folder or an embedder.
    queries
        Use the first recordings only; by default all 41.

    Returns
    -------
    DemoResult
        The queries, their best matches, and the percentages that are right.

    Raises
    ------
    AntiphonError
        For an unknown model, and where `out/index` is the index of another model.

    Examples
    --------
    >>> import antiphon
    >>> result = antiphon.demo("demo", model="template", queries=1)
    >>> len(result.queries), result.right_piece
    (1, 100.0)
    """
    COUNT.check("queries", queries)
    out = Path(out)
    corpus = open_corpus("demo")
    folder = corpus.recordings[0].notes_path.parent
    by_path = {recording.notes_path.resolve(): recording for recording in corpus.recordings}
    rng = np.random.default_rng(_SEED)
    found = []
    with Index.build(folder, model, out=out / "index", only="notes") as index:
        if index.report is not None and index.report.failed:
            raise AntiphonError(f"the demo corpus is damaged: {index.report.failed[0]}; remove {folder} and run again")
        for recording in track(corpus.recordings[:queries], "searching"):
            start_s = round(float(rng.uniform(0.0, recording.duration_s - _QUERY_S)), 2)
            assert recording.audio_path is not None
            # An index of an earlier demo contains the files of that demo too.
            match = index.search(recording.audio_path, start_s=start_s, length_s=_QUERY_S, top=1, folder=folder)[0]
            performance = by_path[Path(match.file)]
            right_place = performance.id == recording.id and abs(match.start_s - start_s) <= TOLERANCE_S
            found.append(DemoQuery(recording, start_s, match, performance.work == recording.work, right_place))
    for number, query in enumerate(track(found, "drawing"), start=1):
        _draw(out / "pictures" / f"{number:02d}.png", query)
    return DemoResult(tuple(found))


def _draw(path: Path, query: DemoQuery) -> None:
    recording, match = query.recording, query.match
    assert recording.audio_path is not None
    draw_match(
        path,
        f"{recording.id}, {query.start_s:g}–{query.start_s + _QUERY_S:g} s\n"
        f"→ {Path(match.file).name}, {match.start_s:g}–{match.end_s:g} s, "
        f"score {match.score:.2f}, {'right' if query.right_place else 'wrong'}",
        read_samples(recording.audio_path, _RATE_HZ, query.start_s, _QUERY_S),
        _RATE_HZ,
        query.start_s,
        read_notes(match.file),
        (match.start_s, match.end_s),
    )
