"""Causal ablation: what is S worth when a trained model gets descriptors that say nothing of the window (paper §7)?

At inference each descriptor is replaced by zeros, by Gaussian noise of its own mean and standard deviation, or by
another window's, one descriptor at a time and all together. Noise takes its statistics from the batch, and another
window is one of the same batch, as in the paper; batches are 32 windows at random from 32 recordings (the paper: 16
from all), so that the other window is of the same recording about once in 32, or once in as many as there are. Beyond
the paper: intervals over pieces, of S and of its change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import torch
from matplotlib.figure import Figure

from antiphon.errors import AntiphonError
from antiphon.experiments.analysis import Analysis, AnalysisResult, ModelUnderTest
from antiphon.experiments.analysis.conditions import (
    Condition,
    ConditionedScores,
    Score,
    embed_conditions,
    score_conditions,
)
from antiphon.experiments.analysis.drawing import bars, descriptor_title, new_figure
from antiphon.experiments.analysis.text import as_table, paper_row
from antiphon.experiments.published import ABLATION
from antiphon.experiments.reporting import cell
from antiphon.models.batch import Tokens
from antiphon.models.descriptors import DESCRIPTORS
from antiphon.models.descriptors.alter import Values, alter
from antiphon.models.network import DualEncoder
from antiphon.types import MODALITIES

_VALUES: tuple[Values, ...] = tuple(value for value in get_args(Values) if value != "real")


def replacements(model: DualEncoder) -> dict[tuple[Values, tuple[str, ...]], Condition]:
    """Every ablation of a model, named as the paper names them: `zero A4`, …, `shuffle both`.

    Keys are the values put in and the descriptors they replace. Raises `AntiphonError` for an arm that embeds windows
    without descriptors.
    """
    names = tuple(dict.fromkeys(model.descriptor_names(*MODALITIES)))
    if not names:
        raise AntiphonError(
            f"arm {model.config.arm.name}: nothing to ablate, it embeds windows without descriptors; "
            "antiphon list arms tells which arms inject some"
        )
    chosen = [(name,) for name in names] + ([names] if len(names) > 1 else [])
    return {(values, which): _replacement(values, which, names) for which in chosen for values in _VALUES}


def _replacement(values: Values, which: tuple[str, ...], names: tuple[str, ...]) -> Condition:
    def change(found: Mapping[str, Tokens], generator: torch.Generator) -> Mapping[str, Tokens]:
        return {**found, **{name: alter(found[name], values, generator) for name in which}}

    title = descriptor_title(which[0]) if len(which) == 1 else "both" if len(names) == 2 else "all"
    sides = {DESCRIPTORS[name].side for name in which}
    return Condition(f"{values} {title}", sides.pop() if len(sides) == 1 else "both", descriptors=change)


def _run(subject: ModelUnderTest) -> AnalysisResult:
    conditions = replacements(subject.model)
    segments = embed_conditions(subject, list(conditions.values()))
    scores = score_conditions(segments, subject.seed)
    paper = paper_row(ABLATION, subject.arm) or {}
    rows = [_row("none", "real", (), scores.intact, paper)] + [
        _row(condition.name, values, which, scores.under[condition.name], paper)
        for (values, which), condition in conditions.items()
    ]
    facts = segments.facts() | {"chance": scores.chance, "conditions": rows, "paper": dict(paper)}
    return AnalysisResult(facts, rows, _draw(subject, rows, scores), _summary(facts, rows))


def _row(name: str, values: str, which: Sequence[str], score: Score, paper: Mapping[str, float]) -> dict[str, Any]:
    published = paper.get(name)
    lost = None if published is None else round(published - paper["none"], 1)
    about = {"condition": name, "values": values, "descriptors": " ".join(which)}
    return about | score.row() | {"paper_S": published, "paper_difference": lost}


def _draw(subject: ModelUnderTest, rows: Sequence[Mapping[str, Any]], scores: ConditionedScores) -> Figure:
    figure = new_figure(f"{subject.name}: descriptors replaced at inference", 8.5, 1.6 + 0.32 * len(rows))
    bars(
        figure.subplots(),
        [row["condition"] for row in rows],
        [row["S"] for row in rows],
        "whiskers: 95 % over pieces",
        "S: the worse direction's recall at 10, %",
        intervals=[(row["low"], row["high"]) for row in rows],
        paper=[row["paper_S"] for row in rows],
        lines={"intact": scores.intact.S, "chance": scores.chance},
    )
    return figure


def _summary(facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    columns = ["replaced", "S", "95 % over pieces", "change", "95 % of it", "audio→notes", "notes→audio"]
    published = ["paper S", "paper change"] if facts["paper"] else []
    table = as_table(
        columns + published,
        [
            [
                row["condition"],
                cell(row["S"]),
                f"{cell(row['low'])} to {cell(row['high'])}",
                cell(row["difference"], signed=True),
                f"{cell(row['difference_low'], signed=True)} to {cell(row['difference_high'], signed=True)}",
                cell(row["a2m_R10"]),
                cell(row["m2a_R10"]),
                *[cell(row["paper_S"]), cell(row["paper_difference"], signed=True)][: len(published)],
            ]
            for row in rows
        ],
    )
    return (
        f"S in percent, protocol `paper`, {facts['windows']} windows of {facts['recordings']} recordings; a random "
        f"order gets {facts['chance']:.1f}. Directions are recalls at 10. The change is the replacement's doing "
        "alone: weights and all else that the towers see stay as they are. The paper's models are larger and saw other "
        f"data, so that what compares is which descriptor matters, and which replacement hurts.\n\n{table}"
    )


ANALYSIS = Analysis("ablation", "What is S worth when the descriptors say nothing of the window?", _run)
