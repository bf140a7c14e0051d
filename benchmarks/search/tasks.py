"""The rows: each has a bar, asks, and counts. A new row is one more entry of `ROWS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from antiphon.alignment.confidence import LIKELY
from antiphon.io.files import write_json
from antiphon.provenance import code_version
from benchmarks.search import drawing, pairing
from benchmarks.search.asking import ask_all, search
from benchmarks.search.drawing import Data
from benchmarks.search.queries import Answer, Asked, Library, answer_as_dict, write_queries
from benchmarks.search.rows import Result, Row, Setting
from benchmarks.search.scoring import Judged, Measure, judge_all, shortened, summarise


@dataclass(frozen=True)
class Asking:
    """What most rows do: draw queries, ask, count. `limits_s` are bars for the seconds of a query, p50 and p95."""

    draw: Callable[[Data, int, int], Asked]
    measures: Sequence[Measure]
    limits_s: tuple[float, float] | None = None
    at_most: int | None = None
    later_seed: int = field(default=0)

    def __call__(self, row: Row, setting: Setting) -> Result:
        """Ask, leave queries and answers in the exchange folder, and say how it went."""
        queries = min(setting.queries, self.at_most or setting.queries)
        seed = setting.seed + self.later_seed
        asked = self.draw(setting.data, queries, seed)
        hash_ = write_queries(setting.exchange / f"{row.name}.queries.json", row.name, seed, asked)
        embedder = setting.indexes.embedder
        with setting.indexes.open(asked.library) as store:
            answers = ask_all(asked, lambda query: search(query, store, embedder), row.name)
            recordings, windows, hours = store.counts()[asked.library.side]
        write_json(
            setting.exchange / f"{row.name}.answers.json",
            answers_as_dict(f"antiphon, {embedder.name}", row.name, hash_, asked.library, answers, LIKELY),
        )
        facts = {
            "model": embedder.name,
            "model_hash": embedder.fingerprint,
            "code": code_version(),
            "seed": seed,
            "likely": LIKELY,
            "library": {"recordings": recordings, "windows": windows, "hours": round(hours, 2)},
            "data_hash": asked.data_hash,
            "library_hash": asked.library.manifest_hash,
            "queries_hash": hash_,
            "failed": sorted({f"{shortened(error.path)}: {error.reason}" for error in setting.indexes.failed}),
        }
        return facts | self.count(asked, answers)

    def count(self, asked: Asked, answers: Sequence[Answer], likely: float = LIKELY) -> Result:
        """Every measure, the seconds and the misses."""
        result = summarise(judge_all(asked, answers, likely), self.measures)
        if self.limits_s is not None:
            p50, p95 = self.limits_s
            seconds = result["seconds"]
            seconds |= {"bar": [p50, p95], "met": seconds["p50"] <= p50 and seconds["p95"] <= p95}
        return result


def answers_as_dict(
    peer: str, row: str, queries_hash: str, library: Library, answers: Sequence[Answer], likely: float | None
) -> Result:
    """What one competitor answered to the first queries of a row; the form in which peers answer as well.

    `likely` is the confidence from which its hits count as found, None where it has none.
    """
    return {
        "peer": peer,
        "row": row,
        "queries_hash": queries_hash,
        "library": len(library.files),
        "likely": likely,
        "answers": [answer_as_dict(answer) for answer in answers],
    }


def _own_sound(length_s: float, data: Data, count: int, seed: int) -> Asked:
    assert data.corpus is not None
    return drawing.own_sound(data.corpus, length_s, count, seed)


def _own_notes(length_s: float, data: Data, count: int, seed: int) -> Asked:
    assert data.corpus is not None
    return drawing.own_notes(data.corpus, None, length_s, count, seed)


def _real_notes(data: Data, count: int, seed: int) -> Asked:
    assert data.real is not None
    return drawing.own_notes(data.real, data.corpus, 10.0, count, seed)


def _real(data: Data, count: int, seed: int) -> Asked:
    assert data.real is not None
    return drawing.real_sound(data.real, data.library, 10.0, count, seed)


def _absent(data: Data, count: int, seed: int) -> Asked:
    assert data.corpus is not None
    return drawing.half_absent(data.corpus, data.library, 20.0, count, seed)


def _scores(data: Data, count: int, seed: int) -> Asked:
    return drawing.scores(data, 20.0, count, seed)


def _transposed(data: Data, count: int, seed: int) -> Asked:
    assert data.corpus is not None
    return drawing.transposed(data.corpus, 10.0, count, seed, data.soundfont, data.cache)


def _semitones(judged: Judged) -> int | None:
    return None if judged.answer.found is None else judged.answer.found.semitones


def _places(bar: float, barred: str = "place") -> tuple[Measure, ...]:
    """What rows that ask for a place count, of which one has the bar."""
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
        "10 s of an unheard font → its notes, within 0.5 s",
        "≥ 99.5 %",
        ("corpus",),
        Asking(partial(_own_sound, 10.0), _places(99.5)),
    ),
    Row("sound-4s", "the same, 4 s", "≥ 96 %", ("corpus",), Asking(partial(_own_sound, 4.0), _places(96.0))),
    Row(
        "notes-10s",
        "10 s of notes → their sound, an unheard font, within 0.5 s",
        "≥ 99.5 %",
        ("corpus",),
        Asking(partial(_own_notes, 10.0), _places(99.5)),
    ),
    Row("notes-4s", "the same, 4 s", "≥ 96 %", ("corpus",), Asking(partial(_own_notes, 4.0), _places(96.0))),
    Row(
        "real",
        "10 s of a real recording → its notes, within 0.5 s",
        "≥ 98 %",
        ("real",),
        Asking(_real, _places(98.0, "place, repeats forgiven")),
    ),
    Row(
        "real-notes",
        "10 s of notes → their real recording, within 0.5 s",
        "≥ 98 %",
        ("real",),
        Asking(_real_notes, _places(98.0, "place, repeats forgiven")),
    ),
    Row(
        "absent",
        "20 s, the piece absent or present",
        "false alarms ≤ 1 %, ≥ 98 % of present ones found",
        ("corpus",),
        Asking(_absent, _ABSENT),
    ),
    Row("scores", "20 s of a performance → its score, ASAP", "≥ 90 %", ("asap", "maestro"), Asking(_scores, _SCORES)),
    Row(
        "transposed",
        "10 s, 1 to 6 semitones off → its notes, within 0.5 s",
        "≥ 97 %",
        ("corpus",),
        Asking(_transposed, (*_places(97.0), _KEY)),
    ),
    Row(
        "latency",
        "seconds for 10 s of a real recording",
        "p50 ≤ 0.25 s, p95 ≤ 0.5 s",
        ("real",),
        Asking(_real, (), (0.25, 0.5), at_most=200, later_seed=1),
    ),
    Row(
        "pair",
        "60 recordings × 300 note files, 20 without a partner on each side",
        "no wrong pair, ≥ 97 % of right ones",
        ("corpus", "library"),
        pairing.run,
    ),
)
