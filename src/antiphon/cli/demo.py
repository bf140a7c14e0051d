"""The demo: an index of notes, recordings that search it, a table and a picture of what they find."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.cli.pictures import draw_match
from antiphon.corpora import Recording, open_corpus
from antiphon.errors import AntiphonError
from antiphon.index.build import build_index
from antiphon.index.match import Match
from antiphon.index.search import SearchOptions, search
from antiphon.index.store import Store
from antiphon.index.view import Filters
from antiphon.io.audio import read_samples
from antiphon.io.notes import read_notes
from antiphon.models.loading import lasting_name, load_model
from antiphon.progress import track

NEAR_S = 0.5
_QUERY_S = 10.0
_SEED = 7


@dataclass(frozen=True)
class Answer:
    """One query and its best hit.

    `right_piece`: the hit plays the query's work. `right_place`: it is the query's own performance, within 0.5 s.
    """

    recording: Recording
    start_s: float
    hit: Match
    right_piece: bool
    right_place: bool


def run_demo(out: Path, model: str, queries: int | None = None) -> list[Answer]:
    """Index the demo corpus's notes in `out/index`, search with 10 s of its recordings, draw `out/pictures`.

    `queries` limits how many recordings ask, from the first on.
    """
    corpus = open_corpus("demo")
    embedder = load_model(model)
    folder = corpus.recordings[0].notes_path.parent
    report = build_index([folder], embedder, lasting_name(model), out / "index", only="notes")
    if report.failed:
        raise AntiphonError(f"the demo corpus is damaged: {report.failed[0]}; remove {folder} and run again")
    by_path = {recording.notes_path.resolve(): recording for recording in corpus.recordings}
    # An index of an earlier demo holds the files of that one too.
    options = SearchOptions(top=1, filters=Filters(folder=folder))
    rng = np.random.default_rng(_SEED)
    answers = []
    with Store(out / "index") as store:
        for recording in track(corpus.recordings[:queries], "searching"):
            start_s = round(float(rng.uniform(0.0, recording.duration_s - _QUERY_S)), 2)
            assert recording.audio_path is not None
            hit = search(recording.audio_path, store, embedder, start_s, _QUERY_S, options)[0]
            found = by_path[Path(hit.file)]
            right_place = found.id == recording.id and abs(hit.start_s - start_s) <= NEAR_S
            answers.append(Answer(recording, start_s, hit, found.work == recording.work, right_place))
    for number, answer in enumerate(track(answers, "drawing"), start=1):
        _draw(out / "pictures" / f"{number:02d}.png", answer)
    return answers


def _draw(path: Path, answer: Answer) -> None:
    recording, hit = answer.recording, answer.hit
    assert recording.audio_path is not None
    rate = 24_000
    draw_match(
        path,
        f"{recording.id}, {answer.start_s:g}–{answer.start_s + _QUERY_S:g} s\n"
        f"→ {Path(hit.file).name}, {hit.start_s:g}–{hit.end_s:g} s, "
        f"score {hit.score:.2f}, {'right' if answer.right_place else 'wrong'}",
        read_samples(recording.audio_path, rate, answer.start_s, _QUERY_S),
        rate,
        answer.start_s,
        read_notes(hit.file),
        (hit.start_s, hit.end_s),
    )


def summary(answers: list[Answer]) -> dict[str, Any]:
    """Recall of the demo, in percent, and every hit."""
    return {
        "queries": len(answers),
        "query_s": _QUERY_S,
        "right_piece": 100 * float(np.mean([answer.right_piece for answer in answers])),
        "right_place": 100 * float(np.mean([answer.right_place for answer in answers])),
        "hits": [
            {"query": answer.recording.id, "start_s": answer.start_s, "hit": answer.hit.as_dict()} for answer in answers
        ],
    }
