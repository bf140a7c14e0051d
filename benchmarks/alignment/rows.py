"""A row of the results, the setting in which it runs, and the run of all methods over its cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError
from benchmarks.alignment.aligners import OURS, Aligned, Aligner
from benchmarks.alignment.cases import Case
from benchmarks.alignment.measures import Timed, accuracy, calibration, corpus_constant, of_mir_eval
from benchmarks.alignment.sounds import Condition

Result = dict[str, Any]
Bar = tuple[str, float]
"""A comparison, "<=" or ">=", and a figure."""


@dataclass(frozen=True)
class Setting:
    """Inputs of a row: data, the methods, sounds, the splits and the number of pieces (0: all), the seed, the cache."""

    aligners: Sequence[Aligner]
    cache: Path
    asap: Path | None = None
    maestro: Corpus | None = None
    maps: Path | None = None
    soundfonts: Sequence[str] = ("TimGM6mb", "MuseScore_General")
    conditions: Sequence[Condition] = ("clean",)
    splits: Sequence[str] = ("validation", "test")
    without: Sequence[str] = ()
    pieces: int = 0
    seed: int = 42
    quick: bool = False


@dataclass(frozen=True)
class Row:
    """One part of the results. It is skipped where a field of `Setting` named in `needs` is not given.

    `bars` are the target figures of our method by the name of the measure.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    run: Callable[[Setting], Result]
    bars: Mapping[str, Bar]

    def missing_inputs(self, setting: Setting) -> list[str]:
        """Names of the fields of `Setting` that this row needs and that are not given."""
        return [name for name in self.needs if getattr(setting, name) is None]

    def judged(self, result: Result) -> Result:
        """The result with the bars, and whether our method meets them (None where it has no such figure)."""
        ours = result["methods"].get(OURS, {})
        judged = {}
        for measure, (sign, figure) in self.bars.items():
            value = ours.get(measure)
            met = None if value is None else value <= figure if sign == "<=" else value >= figure
            if value is None and measure in ours and measure.endswith("_ms"):
                met = False  # an infinite error
            judged[measure] = {"bar": f"{sign} {figure:g}", "ours": value, "met": met}
        return {"title": self.title} | result | {"bars": judged}


def run_methods(aligners: Iterable[Aligner], cases: Sequence[Case]) -> dict[str, list[tuple[Timed, Aligned | None]]]:
    """Every method on every case, by method. A case that a method cannot do has no estimates."""
    found: dict[str, list[tuple[Timed, Aligned | None]]] = {}
    for aligner in aligners:
        found[aligner.name] = [align_case(aligner, case) for case in cases]
    return found


def align_case(aligner: Aligner, case: Case) -> tuple[Timed, Aligned | None]:
    """One method on one case, at its true times."""
    try:
        aligned = aligner(case)
    except AntiphonError as error:
        print(error)
        return Timed(case.name, case.recording_s, np.full(len(case.notes_s), np.nan)), None
    estimated_s, confidence = aligned.at(case.notes_s, case.pitch)
    scored = None if aligned.confidence is None else confidence
    return Timed(case.name, case.recording_s, estimated_s, scored, aligned.lost), aligned


def measured(results: Sequence[tuple[Timed, Aligned | None]], cases: Sequence[Case]) -> Result:
    """All measures of one method, each corpus (kind of cases) with its own constant, pooled and by kind."""
    kinds = list(dict.fromkeys(case.kind for case in cases))
    constants, corrected, by_kind = {}, [], {}
    for kind in kinds:
        timed = [one for (one, _), case in zip(results, cases, strict=True) if case.kind == kind]
        constants[kind] = corpus_constant(timed)
        by_kind[kind] = accuracy(timed, constants[kind]) | {"constant_ms": 1000.0 * constants[kind]}
        corrected += [shifted(one, constants[kind]) for one in timed]
    facts = {
        "failed": sum(aligned is None for _, aligned in results),
        "constants_ms": {kind: 1000.0 * value for kind, value in constants.items()},
    }
    worst = sorted(corrected, key=lambda one: -lost_share(one))[:5]
    return (
        accuracy(corrected, 0.0)
        | calibration(corrected, 0.0)
        | facts
        | {"mir_eval": of_mir_eval(corrected, 0.0), "kinds": by_kind}
        | {"most_lost": {one.name: 100.0 * lost_share(one) for one in worst if lost_share(one)}}
    )


def lost_share(case: Timed) -> float:
    """The share of the beats that are off by more than 250 ms."""
    return (accuracy([case], 0.0)["off_by_more_than_250_ms"] or 0.0) / 100.0


def shifted(case: Timed, constant_s: float) -> Timed:
    """The estimates without the constant of their corpus."""
    return Timed(case.name, case.true_s, case.estimated_s - constant_s, case.confidence, case.lost)
