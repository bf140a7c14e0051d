"""The table of a suite, a row for each model and a column for each score, as JSON and as Markdown.

A score is that of the worse direction, with its 95 % interval over pieces and the chance level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.experiments.reporting import Block, Bullets, Heading, Paragraph, Table, as_markdown, cell

Record = dict[str, Any]

_ROBUSTNESS = "robustness"
_PUBLISHED_ARM = "d4a4"
_ABSENT = "–"
_SHARED = ("corpus", "split", "recordings", "data_hash", "seed", "settings")


@dataclass(frozen=True)
class Column:
    """A score of a task. `bracketed` is a second score in brackets; `interval` adds the 95 % interval."""

    title: str
    task: str
    score: str
    bracketed: str | None = None
    whole_pool: bool = False
    interval: bool = False

    @property
    def scores(self) -> list[str]:
        return [self.score] if self.bracketed is None else [self.score, self.bracketed]

    def key(self, score: str) -> str:
        """The name of the score among the figures of a model."""
        return " ".join([self.task, *(["whole_pool"] if self.whole_pool else []), score])


COLUMNS = (
    Column("S", "paper", "S", interval=True),
    Column("R@1 in 256", "paper", "R@1"),
    Column("R@1 in all, strict", "strict", "R@1", whole_pool=True),
    Column("4 s from anywhere, ≤ 0.5 s", "anywhere", "place"),
    Column("real: R@1 in all, strict", "real", "R@1", whole_pool=True),
    Column("real: 10 s from anywhere, ≤ 1 s (repeats not forgiven)", "real-10s", "repeats_forgiven", "place"),
)


def summarise(suite: str, questions: Mapping[str, str], rows: Sequence[Record]) -> Record:
    """The table as JSON.

    `questions` maps the names of the tasks to their questions. A row holds the `name` of a model, its number of learned
    `parameters` and its `results` by task. The table holds the `figures` of each model (None where a result is missing)
    and the curves of its `robustness`.
    """
    results = [row["results"] for row in rows]
    columns = [column for column in COLUMNS if column.task in questions]
    return {
        "suite": suite,
        "tasks": {name: {"question": question} | _shared_facts(name, results) for name, question in questions.items()},
        "models": [
            {
                "name": row["name"],
                "parameters": row["parameters"],
                "model_hash": next((found["model_hash"] for found in row["results"].values()), None),
                "figures": {
                    column.key(score): _figure(row["results"].get(column.task), column, score)
                    for column in columns
                    for score in column.scores
                },
                _ROBUSTNESS: row["results"].get(_ROBUSTNESS, {}).get("curves"),
            }
            for row in rows
        ],
        "skipped": sorted({error for found in results for result in found.values() for error in result["skipped"]}),
    }


def _shared_facts(task: str, results: Sequence[Mapping[str, Record]]) -> Record:
    """The facts that all results of a task share; empty without a result."""
    result = next((found[task] for found in results if task in found), None)
    return {} if result is None else {key: result[key] for key in _SHARED}


def _figure(result: Record | None, column: Column, score: str) -> Record | None:
    if result is None:
        return None
    scores = result["whole_pool"] if column.whole_pool else result
    intervals = scores["intervals_95"]["pieces"]
    if score == "S":
        return {"value": scores["S"], "interval_95": intervals["S"], "chance": scores["chance"]["R@10"]}
    worse = min(("a2m", "m2a"), key=lambda way: scores[way][score])
    return {
        "value": scores[worse][score],
        "interval_95": intervals[worse][score],
        "chance": scores["chance"].get(score),
        "direction": worse,
    }


def summary_as_markdown(summary: Record) -> str:
    """The table, a list of the tasks with their recordings, and a table for each change of the robustness task."""
    models, tasks = summary["models"], summary["tasks"]
    columns = [column for column in COLUMNS if column.task in tasks]
    rows = [
        [one["name"], _millions(one["parameters"]), *(_cell(one["figures"], column) for column in columns)]
        for one in models
    ]
    chance = ["random order", _ABSENT, *(_chance(models, column) for column in columns)]
    blocks: list[Block] = [
        Paragraph("Scores of the worse direction in percent; S with its 95 % interval over pieces."),
        Table(["model", "parameters, M", *(column.title for column in columns)], [*rows, chance]),
        Bullets([f"`{name}`: {_task_text(task)}" for name, task in tasks.items()]),
        *_robustness(models),
    ]
    return as_markdown(f"Suite {summary['suite']}", blocks)


def _task_text(task: Record) -> str:
    if "corpus" not in task:
        return f"{task['question']}: no result."
    split = f", split {task['split']}" if task["split"] else ""
    return f"{task['question']}; {task['corpus']}{split}, {task['recordings']} recordings, seed {task['seed']}."


def _millions(parameters: int) -> str:
    return cell(parameters / 1e6 or None, 2)


def _cell(figures: Record, column: Column) -> str:
    figure = figures[column.key(column.score)]
    if figure is None:
        return _ABSENT
    low, high = figure["interval_95"]
    interval = f" [{cell(low)}, {cell(high)}]" if column.interval else ""
    other = f" ({cell(figures[column.key(column.bracketed)]['value'])})" if column.bracketed else ""
    return cell(figure["value"]) + interval + other


def _chance(models: Sequence[Record], column: Column) -> str:
    """The chance level of the column's last score: that of `repeats_forgiven` is unknown."""
    figures = [one["figures"][column.key(column.scores[-1])] for one in models]
    level = next((figure["chance"] for figure in figures if figure is not None), None)
    return _ABSENT if level is None else f"{level:.2g}"


def _robustness(models: Sequence[Record]) -> list[Block]:
    """A table for each change: S by amount, the paper's row below ours."""
    curves = next((one[_ROBUSTNESS] for one in models if one[_ROBUSTNESS]), None)
    if curves is None:
        return []
    text = f"S when one modality is changed. Last row: the paper's {_PUBLISHED_ARM}, a larger model on other audio."
    blocks: list[Block] = [Heading("Robustness"), Paragraph(text)]
    for change, unit in dict.fromkeys((point["change"], point["unit"]) for point in curves):
        amounts = [point["amount"] for point in curves if point["change"] == change]
        rows = [[one["name"], *_curve_cells(one[_ROBUSTNESS], change, amounts, "S")] for one in models]
        rows.append([f"{_PUBLISHED_ARM}, published", *_curve_cells(curves, change, amounts, f"paper_{_PUBLISHED_ARM}")])
        blocks.append(Table([f"{change}, {unit}", *amounts], rows))
    return blocks


def _curve_cells(curves: Sequence[Record] | None, change: str, amounts: Sequence[str], score: str) -> list[str]:
    found = {point["amount"]: point[score] for point in curves or () if point["change"] == change}
    return [cell(found.get(amount)) for amount in amounts]
