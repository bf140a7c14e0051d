"""The rows of the search benchmark. A new row is one more entry of `ROWS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from antiphon.alignment.confidence import LIKELY
from antiphon.io.files import write_json
from antiphon.provenance import code_version
from benchmarks.search import pairing, sampling
from benchmarks.search.queries import Library, Outcome, QuerySet, outcome_as_dict, write_queries
from benchmarks.search.querying import run_queries, search
from benchmarks.search.rows import Result, Row, Setting
from benchmarks.search.sampling import Data
from benchmarks.search.scoring import Measure, ScoredQuery, score_all, short_path, summarise


@dataclass(frozen=True)
class RetrievalTask:
    """Sample queries, run them, score the results. `limits_s` are target seconds per query: median, 95th percentile."""

    sample: Callable[[Data, int, int], QuerySet]
    measures: Sequence[Measure]
    limits_s: tuple[float, float] | None = None
    at_most: int | None = None
    later_seed: int = field(default=0)

    def __call__(self, row: Row, setting: Setting) -> Result:
        """Run the row, write queries and results to the exchange folder, and return the figures."""
        queries = min(setting.queries, self.at_most or setting.queries)
        seed = setting.seed + self.later_seed
        query_set = self.sample(setting.data, queries, seed)
        hash_ = write_queries(setting.exchange / f"{row.name}.queries.json", row.name, seed, query_set)
        embedder = setting.indexes.embedder
        with setting.indexes.open(query_set.library) as store:
            outcomes = run_queries(query_set, lambda query: search(query, store, embedder), row.name)
            recordings, windows, hours = store.counts()[query_set.library.modality]
        write_json(
            setting.exchange / f"{row.name}.answers.json",
            outcomes_as_dict(f"antiphon, {embedder.name}", row.name, hash_, query_set.library, outcomes, LIKELY),
        )
        facts = {
            "model": embedder.name,
            "model_hash": embedder.fingerprint,
            "code": code_version(),
            "seed": seed,
            "likely": LIKELY,
            "library": {"recordings": recordings, "windows": windows, "hours": round(hours, 2)},
            "data_hash": query_set.data_hash,
            "library_hash": query_set.library.manifest_hash,
            "queries_hash": hash_,
            "failed": sorted({f"{short_path(error.path)}: {error.reason}" for error in setting.indexes.failed}),
        }
        return facts | self.count(query_set, outcomes)

    def count(self, query_set: QuerySet, outcomes: Sequence[Outcome], likely: float = LIKELY) -> Result:
        """All measures, the seconds per query and the misses."""
        result = summarise(score_all(query_set, outcomes, likely), self.measures)
        if self.limits_s is not None:
            p50, p95 = self.limits_s
            seconds = result["seconds"]
            seconds |= {"bar": [p50, p95], "met": seconds["p50"] <= p50 and seconds["p95"] <= p95}
        return result


def outcomes_as_dict(
    peer: str, row: str, queries_hash: str, library: Library, outcomes: Sequence[Outcome], likely: float | None
) -> Result:
    """The content of a result file: the outcomes of one competitor on the first queries of a row.

    `likely` is the confidence from which a match counts as found, None for a competitor without confidences.
    """
    return {
        "peer": peer,
        "row": row,
        "queries_hash": queries_hash,
        "library": len(library.files),
        "likely": likely,
        "answers": [outcome_as_dict(outcome) for outcome in outcomes],
    }


def _sound(length_s: float, data: Data, count: int, seed: int) -> QuerySet:
    assert data.corpus is not None
    return sampling.sound_queries(data.corpus, length_s, count, seed)


def _notes(length_s: float, data: Data, count: int, seed: int) -> QuerySet:
    assert data.corpus is not None
    return sampling.notes_queries(data.corpus, None, length_s, count, seed)


def _real_notes(data: Data, count: int, seed: int) -> QuerySet:
    assert data.real is not None
    return sampling.notes_queries(data.real, data.corpus, 10.0, count, seed)


def _real(data: Data, count: int, seed: int) -> QuerySet:
    assert data.real is not None
    return sampling.real_sound_queries(data.real, data.library, 10.0, count, seed)


def _absent(data: Data, count: int, seed: int) -> QuerySet:
    assert data.corpus is not None
    return sampling.half_absent_queries(data.corpus, data.library, 20.0, count, seed)


def _scores(data: Data, count: int, seed: int) -> QuerySet:
    return sampling.score_queries(data, 20.0, count, seed)


def _transposed(data: Data, count: int, seed: int) -> QuerySet:
    assert data.corpus is not None
    return sampling.transposed_queries(data.corpus, 10.0, count, seed, data.soundfont, data.cache)


def _semitones(scored: ScoredQuery) -> int | None:
    return None if scored.outcome.match is None else scored.outcome.match.semitones


def _places(bar: float, barred: str = "place") -> tuple[Measure, ...]:
    """The measures of localisation rows. The measure named `barred` has the target figure `bar`, in percent."""
    return (
        Measure("place", lambda one: one.place, bar=bar if barred == "place" else None),
        Measure(
            "place, repeats forgiven",
            lambda one: one.place_or_repeat,
            bar=bar if barred == "place, repeats forgiven" else None,
        ),
        Measure("performance", lambda one: one.performance),
        Measure("place, and sure", lambda one: one.place and one.sure),
    )


_KEY = Measure("place and key", lambda one: one.place and _semitones(one) == one.query.semitones)
_ABSENT = (
    Measure("false alarms", lambda one: one.sure, lambda one: one.query.file == "", 1.0, wrong=True),
    Measure("place, and sure", lambda one: one.place and one.sure, lambda one: one.query.file != "", 98.0),
    Measure("place", lambda one: one.place, lambda one: one.query.file != ""),
    Measure("performance", lambda one: one.performance, lambda one: one.query.file != ""),
)
_SCORES = (
    Measure("work", lambda one: one.work, bar=90.0),
    Measure("work, queried with sound", lambda one: one.work, lambda one: one.query.kind == "sound"),
    Measure("work, queried with notes", lambda one: one.work, lambda one: one.query.kind == "notes"),
    Measure("work, and sure", lambda one: one.work and one.sure),
)

ROWS: tuple[Row, ...] = (
    Row(
        "sound-10s",
        "10 s of a SoundFont unseen in training → its notes, within 0.5 s",
        "≥ 99.5 %",
        ("corpus",),
        RetrievalTask(partial(_sound, 10.0), _places(99.5)),
    ),
    Row("sound-4s", "the same, 4 s", "≥ 96 %", ("corpus",), RetrievalTask(partial(_sound, 4.0), _places(96.0))),
    Row(
        "notes-10s",
        "10 s of notes → their sound, a SoundFont unseen in training, within 0.5 s",
        "≥ 99.5 %",
        ("corpus",),
        RetrievalTask(partial(_notes, 10.0), _places(99.5)),
    ),
    Row("notes-4s", "the same, 4 s", "≥ 96 %", ("corpus",), RetrievalTask(partial(_notes, 4.0), _places(96.0))),
    Row(
        "real",
        "10 s of a real recording → its notes, within 0.5 s",
        "≥ 98 %",
        ("real",),
        RetrievalTask(_real, _places(98.0, "place, repeats forgiven")),
    ),
    Row(
        "real-notes",
        "10 s of notes → their real recording, within 0.5 s",
        "≥ 98 %",
        ("real",),
        RetrievalTask(_real_notes, _places(98.0, "place, repeats forgiven")),
    ),
    Row(
        "absent",
        "20 s, the piece absent or present",
        "false alarms ≤ 1 %, ≥ 98 % of present ones found",
        ("corpus",),
        RetrievalTask(_absent, _ABSENT),
    ),
    Row(
        "scores",
        "20 s of a performance → its score, ASAP",
        "≥ 90 %",
        ("asap", "maestro"),
        RetrievalTask(_scores, _SCORES),
    ),
    Row(
        "transposed",
        "10 s, 1 to 6 semitones off → its notes, within 0.5 s",
        "≥ 97 %",
        ("corpus",),
        RetrievalTask(_transposed, (*_places(97.0), _KEY)),
    ),
    Row(
        "latency",
        "seconds for 10 s of a real recording",
        "p50 ≤ 0.25 s, p95 ≤ 0.5 s",
        ("real",),
        RetrievalTask(_real, (), (0.25, 0.5), at_most=200, later_seed=1),
    ),
    Row(
        "pair",
        "60 recordings × 300 note files, 20 without a partner on each side",
        "no wrong pair, ≥ 97 % of right ones",
        ("corpus", "library"),
        pairing.run,
    ),
)
