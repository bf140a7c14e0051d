"""Causal ablation: S of a trained model with uninformative descriptors (paper §7).

At inference each descriptor is replaced by zeros, by Gaussian noise of its own mean and standard deviation, or by the
descriptor of another window; one descriptor at a time, and all together. As in the paper, the noise has the statistics
of the batch, and the other window is of the same batch. A batch is 32 random windows of 32 recordings (the paper: 16
windows of all recordings), so that the other window is of the same recording with a probability of about 1 in 32, or 1
in the number of recordings if there are fewer. In addition to the paper: intervals of S and of its change over pieces.
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
    """Every ablation of a model, with the paper's names: `zero A4`, …, `shuffle both`.

    Keys are the new values and the replaced descriptors. Raises `AntiphonError` for an arm without descriptors.
    """
    names = tuple(dict.fromkeys(model.descriptor_names(*MODALITIES)))
    if not names:
        raise AntiphonError(
            f"arm {model.config.arm.name}: nothing to ablate, it embeds windows without descriptors; "
            "antiphon list arms shows which arms inject some"
        )
    replaced = [(name,) for name in names] + ([names] if len(names) > 1 else [])
    return {(values, which): _replacement(values, which, names) for which in replaced for values in _VALUES}


def _replacement(values: Values, which: tuple[str, ...], names: tuple[str, ...]) -> Condition:
    def change(found: Mapping[str, Tokens], generator: torch.Generator) -> Mapping[str, Tokens]:
        return {**found, **{name: alter(found[name], values, generator) for name in which}}

    title = descriptor_title(which[0]) if len(which) == 1 else "both" if len(names) == 2 else "all"
    sides = {DESCRIPTORS[name].side for name in which}
    return Condition(f"{values} {title}", sides.pop() if len(sides) == 1 else "both", descriptors=change)


def _run(tested: ModelUnderTest) -> AnalysisResult:
    conditions = replacements(tested.model)
    segments = embed_conditions(tested, list(conditions.values()))
    scores = score_conditions(segments, tested.seed)
    paper = paper_row(ABLATION, tested.arm) or {}
    rows = [_row("none", "real", (), scores.intact, paper)] + [
        _row(condition.name, values, which, scores.under[condition.name], paper)
        for (values, which), condition in conditions.items()
    ]
    facts = segments.facts() | {"chance": scores.chance, "conditions": rows, "paper": dict(paper)}
    return AnalysisResult(facts, rows, _draw(tested, rows, scores), _summary(facts, rows))


def _row(name: str, values: str, which: Sequence[str], score: Score, paper: Mapping[str, float]) -> dict[str, Any]:
    published = paper.get(name)
    change = None if published is None else round(published - paper["none"], 1)
    condition = {"condition": name, "values": values, "descriptors": " ".join(which)}
    return condition | score.row() | {"paper_S": published, "paper_difference": change}


def _draw(tested: ModelUnderTest, rows: Sequence[Mapping[str, Any]], scores: ConditionedScores) -> Figure:
    figure = new_figure(f"{tested.name}: descriptors replaced at inference", 8.5, 1.6 + 0.32 * len(rows))
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
        f"order has {facts['chance']:.1f}. Directions are recalls at 10. Only the descriptors are replaced: weights "
        "and all other inputs of the towers are unchanged. The paper's models are larger and trained on other data: "
        f"compare which descriptors matter and which replacements lower S, not levels of S.\n\n{table}"
    )


ANALYSIS = Analysis("ablation", "How much does S fall when the descriptors are uninformative?", _run)
