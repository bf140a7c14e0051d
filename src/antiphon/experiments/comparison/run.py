"""Carrying a suite out: each result is written as soon as it is there, so that a stopped suite goes on.

results/MODEL.TASK.json   one result each, made again only when model, data, seed or settings are others
suite.json, suite.md      the table, after every model; models that were asked the same before keep their rows
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from antiphon.corpora import Corpus
from antiphon.errors import AntiphonError, look_up
from antiphon.evaluation.runner import choose, origin
from antiphon.experiments.comparison.report import summarise, summary_as_markdown
from antiphon.experiments.comparison.tasks import SUITES, Competitor, Record, Role, Run, Task
from antiphon.io.files import write_json, write_text_atomic
from antiphon.models.loading import load_model
from antiphon.progress import console

Corpora = Mapping[Role, tuple[Corpus, str | None]]
"""The recordings of each role, and the split they are of."""
ROBUSTNESS_RECORDINGS = 46
"""How many recordings robustness is measured on, if nobody says otherwise."""


def run_suite(
    suite: str,
    models: Sequence[str],
    corpus: Corpus,
    out: Path,
    *,
    real: Corpus | None = None,
    split: str | None = None,
    recordings: int | None = None,
    robustness_recordings: int | None = None,
    seed: int = 42,
) -> Record:
    """Do what is left to do of a suite, write its table to `out` and return it.

    Models of an earlier table in `out` keep their rows where they were asked the same, whether they are still there or
    not; new ones follow. `models` are as for `load_competitors`. Of either corpus the test split counts where it has
    one (of `corpus`, `split` instead), of that `recordings` evenly spread; without `real` its tasks are left out.
    Raises `UnknownName` for the suite.
    """
    planned = look_up("suite", suite, SUITES)
    entrants = load_competitors(models)
    rendered, split = choose(corpus, "strict", split, recordings)
    corpora: dict[Role, tuple[Corpus, str | None]] = {
        "rendered": (rendered, split),
        "sample": (rendered.spread(robustness_recordings or ROBUSTNESS_RECORDINGS), split),
    }
    if real is not None:
        corpora["real"] = choose(real, "strict", None, recordings)
    tasks = [task for task in planned if task.corpus in corpora]
    questions = {task.name: task.question for task in tasks}
    (out / "results").mkdir(parents=True, exist_ok=True)
    rows = _earlier_rows(out, tasks, corpora, seed)
    summary: Record = {}
    for entrant in entrants:
        found = _carry_out(entrant, tasks, corpora, out, seed)
        rows[entrant.name] = {"name": entrant.name, "parameters": entrant.embedder.parameters, "results": found}
        summary = summarise(suite, questions, list(rows.values()))
        write_json(out / "suite.json", summary)
        write_text_atomic(out / "suite.md", summary_as_markdown(summary))
    return summary


def load_competitors(models: Sequence[str]) -> list[Competitor]:
    """Each of the MODEL or NAME=MODEL, loaded; without a name it is the embedder's own, a folder may have "=" in it.

    Raises `AntiphonError` when two have one name, or one that cannot be a file's.
    """
    if not models:
        raise AntiphonError("a suite needs a model")
    entrants = [_load_entrant(model) for model in models]
    names = [entrant.name for entrant in entrants]
    for name in names:
        if names.count(name) > 1:
            raise AntiphonError(f"{names.count(name)} models are named {name!r}; tell them apart with NAME=MODEL")
        if Path(name).name != name:
            raise AntiphonError(f"{name!r} cannot be a model's name: its results are files of that name")
    return entrants


def _load_entrant(model: str) -> Competitor:
    name, named, place = model.partition("=")
    if not named or Path(model).is_dir():
        name, place = "", model
    embedder = load_model(place)
    return Competitor(name or embedder.name, embedder)


def _earlier_rows(out: Path, tasks: Sequence[Task], corpora: Corpora, seed: int) -> dict[str, Record]:
    """The rows of the table in `out` by model, with what their models were asked that is asked now."""
    try:
        models = json.loads((out / "suite.json").read_text(encoding="utf-8"))["models"]
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    rows = {}
    for model in models:
        found = {}
        for task in tasks:
            corpus, _ = corpora[task.corpus]
            made_of = _made_of(model["model_hash"], corpus, seed, task)
            result = _kept(_place(out, model["name"], task), made_of)
            if result is not None:
                found[task.name] = result
        if found:
            rows[model["name"]] = {"name": model["name"], "parameters": model["parameters"], "results": found}
    return rows


def _carry_out(entrant: Competitor, tasks: Sequence[Task], corpora: Corpora, out: Path, seed: int) -> dict[str, Record]:
    """The results of a model by task, those that are not in the folder measured and written there."""
    results = {}
    for role, together in groupby(tasks, key=lambda task: task.corpus):
        corpus, split = corpora[role]
        trial = Run(entrant, corpus, seed)
        for task in together:
            if task.network_only and entrant.network is None:
                continue
            path = _place(out, entrant.name, task)
            made_of = _made_of(entrant.embedder.fingerprint, corpus, seed, task)
            result = _kept(path, made_of)
            if result is None:
                about = origin(entrant.embedder, corpus, split) | made_of
                began = time.perf_counter()
                result = about | task.measure(trial)
                write_json(path, result)
                console.print(f"{entrant.name}, {task.name}: {time.perf_counter() - began:.0f} s", markup=False)
            results[task.name] = result
    return results


def _place(out: Path, model: str, task: Task) -> Path:
    return out / "results" / f"{model}.{task.name}.json"


def _made_of(model_hash: str, corpus: Corpus, seed: int, task: Task) -> Record:
    """What a result is remade for when it changes."""
    return {
        "model_hash": model_hash,
        "data_hash": corpus.manifest_hash,
        "seed": seed,
        "settings": task.measure.settings,
    }


def _kept(path: Path, made_of: Record) -> Record | None:
    """An earlier result, if it is whole and was made of the same."""
    try:
        result: Record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return result if made_of.items() <= result.items() else None
